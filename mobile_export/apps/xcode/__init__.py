"""What an Xcode project needs to have its models: a script, lists of files, and the build phase that runs it.

The script does the work of a build, without Python; this writes what is thin about it.
"""

import difflib
import os
import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from mobile_export.apps.xcode.project import FILE_NAME, Phase, read_project
from mobile_export.atomic import replacing
from mobile_export.errors import TargetError
from mobile_export.locking.lock import LockedTarget, is_url, location, read_lock

FOLDER = "mobile-export"
"""In SRCROOT: what is written for the phases of a project."""
SCRIPT = "mobile-export.sh"
PLUGIN = PurePosixPath("Plugins/MobileExportPlugin/MobileExportPlugin.swift")

_RESOURCES = "$(TARGET_BUILD_DIR)/$(UNLOCALIZED_RESOURCES_FOLDER_PATH)"

_MOST_SHOWN = 40
"""Lines of a new file."""


@dataclass(frozen=True)
class Wanted:
    """What a target of Xcode takes from a target of ours.

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
class Source:
    """Where a phase has files from.

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


@dataclass(frozen=True)
class Change:
    """A file as it should be, and as it is."""

    path: Path
    text: str
    before: str | None

    @property
    def needed(self) -> bool:
        return self.text != self.before

    @property
    def shown(self) -> str:
        """What would be written: of a file that is there, the lines that change."""
        if not self.needed:
            return f"{self.path}: as it should be\n"
        if self.before is None:
            count = self.text.count("\n")
            shown = self.text if count <= _MOST_SHOWN else f"{count} lines\n"
        else:
            changed = difflib.unified_diff(self.before.splitlines(), self.text.splitlines(), lineterm="", n=2)
            shown = "".join(f"{line}\n" for line in list(changed)[2:])
        return f"{self.path}:\n\n{textwrap.indent(shown, '    ')}"

    def write(self) -> None:
        """Write it, if it is not so yet.

        Raises:
            OutputError: it cannot be written.
        """
        if self.needed:
            with replacing(self.path) as file:
                file.write(self.text.encode())


def locked_source(lock: Path, target: str | None, wanted: Wanted) -> Source:
    """What a lock has for a target; without a name, the only one that Swift was generated for, else the only one.

    Raises:
        TargetError: the lock cannot be read, or does not say which target.
    """
    locked = _chosen(read_lock(lock).targets, target, lock)
    folders = [source for source in locked.sources if not is_url(source)]
    files = [file for file in locked.files if file.kind in wanted.kinds]
    places = [lock.parent / location(folder, file) for folder in folders for file in files]
    inputs = (lock, *(place for place in places if place.is_file()))
    return Source("locked", locked.name, lock, inputs, tuple(file.path for file in locked.files))


def project_changes(project: Path, app: str | None, source: Source, wanted: Wanted) -> list[Change]:
    """Every file that `project`, a .xcodeproj, needs so that its target `app` has these models.

    Raises:
        TargetError: the project cannot be read, or has no such target.
    """
    read = read_project(project)
    target = read.target(app)
    root = Path(os.path.normpath(project.parent / read.folder))
    name = "".join(each if each.isprintable() and each not in "/\\:$" else "_" for each in target.name)
    inputs, outputs = (root / FOLDER / f"{name}-{source.target}-{side}.xcfilelist" for side in ("inputs", "outputs"))
    script = root / FOLDER / SCRIPT
    texts: dict[Path, str] = {
        script: script_text(),
        inputs: _lines(_in_root(path, root) for path in (script, *source.inputs)),
        outputs: _lines(_outputs(source, wanted, root)),
        project / FILE_NAME: read.with_phase(target, _phase(source, root, script, inputs, outputs)).text,
    }
    return _changes(texts)


def package_changes(package: Path) -> list[Change]:
    """Every file that a Swift package needs for the build-tool plugin."""
    plugin = _template("MobileExportPlugin.swift")
    return _changes({package / FOLDER / SCRIPT: script_text(), package / PLUGIN: plugin})


def script_text() -> str:
    """The script that builds run."""
    return _template(SCRIPT)


def _template(name: str) -> str:
    return (resources.files("mobile_export.apps") / "templates" / "xcode" / name).read_text("utf-8")


def _changes(texts: Mapping[Path, str]) -> list[Change]:
    return [Change(path, text, _read(path)) for path, text in texts.items()]


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: is in the way of what mobile-export writes: {error}") from error


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


def _in_app(path: str) -> str | None:
    """The name that a published file has in an app; None where it does not enter one for iOS."""
    parts = path.split("/")
    if parts[0] == "swift":
        return "/".join(parts[1:])
    return "/".join(parts[3:]) or None if parts[0] in ("assets", "test_assets") and parts[1] == "models" else None


def _outputs(source: Source, wanted: Wanted, root: Path) -> list[str]:
    folders = dict.fromkeys(wanted.kinds, _RESOURCES)
    if wanted.swift is not None:
        folders["swift"] = _in_root(wanted.swift, root)
    named = [(path.split("/", 1)[0], _in_app(path)) for path in source.paths]
    outputs = [f"{folders[kind]}/{name}" for kind, name in named if kind in folders and name is not None]
    if not outputs:
        raise TargetError(f"{source.file}: target {source.target} has nothing for an app; add artifacts to it")
    return outputs


def _phase(source: Source, root: Path, script: Path, inputs: Path, outputs: Path) -> Phase:
    places = [f'"$SRCROOT"/{shlex.quote(_relative(path, root))}' for path in (script, source.file)]
    command = f"exec /bin/sh {places[0]} {source.mode} {source.target} {places[1]}\n"
    name = f"Models of {source.target} (mobile-export)"
    return Phase(source.target, name, command, _in_root(inputs, root), _in_root(outputs, root))


def _in_root(path: Path, root: Path) -> str:
    return f"$(SRCROOT)/{_relative(path, root)}"


def _relative(path: Path, root: Path) -> str:
    try:
        relative = Path(os.path.relpath(path, root)).as_posix()
    except ValueError as error:
        raise TargetError(f"{path}: is on another disk than {root}; put it beside the project") from error
    if not relative.isprintable() or "$" in relative or "\\" in relative:
        raise TargetError(f"{path}: has characters that lists of Xcode cannot hold; rename it")
    return relative


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))
