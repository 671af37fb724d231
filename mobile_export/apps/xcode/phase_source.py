"""Where a build phase has its files from, and which of them it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_export.errors import TargetError
from mobile_export.locking.grammar import is_url
from mobile_export.locking.lock import LockedTarget, location, read_lock


@dataclass(frozen=True)
class Taken:
    """What a target of Xcode takes from a target of ours, besides the models.

    Attributes:
        swift: the folder for generated Swift; None where it comes from elsewhere, as from a package.
        golden: golden vectors, too: for tests.
    """

    swift: Path | None = None
    golden: bool = False

    @property
    def kinds(self) -> set[str]:
        """Of the files: the first parts of their paths in the published folder."""
        return {"assets"} | ({"swift"} if self.swift else set()) | ({"test_assets"} if self.golden else set())


@dataclass(frozen=True)
class PhaseSource:
    """Where a build phase has files from.

    Attributes:
        mode: of the script.
        target: the name of ours.
        file: the lock, or the target file to build.
        inputs: every file that is read, besides the script.
        paths: every file that there will be, by its path in the published folder.
    """

    mode: str
    target: str
    file: Path
    inputs: tuple[Path, ...]
    paths: tuple[str, ...]


def locked_source(lock: Path, target: str | None, taken: Taken) -> PhaseSource:
    """What a lock has for a target; without a name, the only one that Swift was generated for, else the only one.

    Raises:
        TargetError: the lock cannot be read, or does not say which target.
    """
    locked = _chosen(read_lock(lock).targets, target, lock)
    folders = [source for source in locked.sources if not is_url(source)]
    files = [file for file in locked.files if file.kind in taken.kinds]
    places = [lock.parent / location(folder, file) for folder in folders for file in files]
    inputs = (lock, *(place for place in places if place.is_file()))
    return PhaseSource("locked", locked.name, lock, inputs, tuple(file.path for file in locked.files))


def _chosen(targets: Sequence[LockedTarget], name: str | None, lock: Path) -> LockedTarget:
    for candidates in (
        [target for target in targets if target.name == name],
        [target for target in targets if name is None and any(file.kind == "swift" for file in target.files)],
        [target for target in targets if name is None],
    ):
        if len(candidates) == 1:
            return candidates[0]
    names = ", ".join(target.name for target in targets)
    raise TargetError(f"{lock}: say with --target which target is meant; it has {names or 'none'}")
