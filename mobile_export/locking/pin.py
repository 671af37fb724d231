"""From published folders to a lock: what passed its checks, and is still as it was published."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_export.atomic import replacing
from mobile_export.errors import TargetError
from mobile_export.locking.grammar import BY_HASH, is_url, path_problem, source_problem, target_problem
from mobile_export.locking.lock import (
    Lock,
    LockedFile,
    LockedTarget,
    location,
    parse_lock,
    path_of,
    read_lock,
    write_lock,
)
from mobile_export.locking.locked_files import copy, is_there, refuse_links, retire
from mobile_export.mutex import alone
from mobile_export.published.artifact_files import files_of, sha256_of
from mobile_export.published.integrity import published_folders, shippable
from mobile_export.published.manifest import FILE_NAME as MANIFEST
from mobile_export.published.manifest import Manifest

BY_TARGET = "{target}"
"""Stands in `--from` and `--copy-to` for the name of each target."""

_Found = Mapping[str, tuple[Path, Manifest]]
"""Published folders and their manifests, by target."""

_ATTRIBUTES = b"# Locked files stay as they are, byte by byte, whatever Git does to the ends of lines.\n* -text\n"


@dataclass(frozen=True)
class Pinned:
    """What was locked: `notes` say what people should know of it."""

    targets: tuple[LockedTarget, ...]
    notes: tuple[str, ...]


def pin(folders: Sequence[Path], path: Path, sources: Sequence[str] = (), copy_to: str | None = None) -> Pinned:
    """Lock published folders in the lock at `path`, whose other targets stay; who else writes it is waited for.

    Args:
        folders: published, or folders of several.
        sources: where files will be fetched from, URLs or folders; default: `copy_to`, else what the lock said before.
        copy_to: a folder into which the files are copied, each target's in a folder of its own, or by hash.

    Raises:
        CheckFailed: files are not as they were published, or were published although they missed a limit.
        TargetError: the lock there is none, or the command line is wrong.
        ModelError: nothing was published there.
        OutputError: the lock or the copies cannot be written.
    """
    found = _manifests(folders)
    with alone(path.parent, path.name):
        return _pin(found, path, sources, copy_to)


def _pin(found: _Found, path: Path, sources: Sequence[str], copy_to: str | None) -> Pinned:
    before = read_lock(path) if path.exists() else Lock()
    known = {target.name: target for target in before.targets}
    written = sources or ([_by_target(copy_to)] if copy_to else [])
    targets = tuple(
        LockedTarget(name, _sources(name, written, len(found), path.parent) or _kept(known, name), _files(*at))
        for name, at in sorted(found.items())
    )
    locked = before.with_targets(targets)
    parse_lock(locked.text, path)  # what readers would refuse is not written
    removed = _copy(targets, found, known, copy_to) if copy_to else []
    write_lock(locked, path)
    return Pinned(targets, (*_notes(targets, found, path.parent), *removed))


def _manifests(folders: Sequence[Path]) -> _Found:
    """Every published folder and its manifest, by target, once it is sure that they may be locked."""
    found: dict[str, tuple[Path, Manifest]] = {}
    for folder in (each for given in folders for each in published_folders(given)):
        manifest = shippable(folder)
        if manifest.target in found:
            raise TargetError(f"{manifest.target} is published in {found[manifest.target][0]} and {folder}; name one")
        _check(target_problem(manifest.target), folder)
        found[manifest.target] = folder, manifest
    return found


def _files(folder: Path, manifest: Manifest) -> tuple[LockedFile, ...]:
    """What enters the app and its tests; of an artifact that is a folder, every file in it."""
    paths = [path for entry in manifest.artifacts for path in files_of(folder / entry.file)]
    paths += [folder / path for path in manifest.generated]
    files = [LockedFile(sha256_of(p), p.stat().st_size, p.relative_to(folder).as_posix()) for p in paths]
    for file in files:
        _check(path_problem(file.path), folder)
    return tuple(sorted(files, key=path_of))


def _sources(name: str, written: Sequence[str], targets: int, folder: Path) -> tuple[str, ...]:
    """The `from` lines of a target, folders counted from that of the lock."""
    found = []
    for source in written:
        if targets > 1 and BY_TARGET not in source and BY_HASH not in source:
            raise TargetError(f"{source} is one place for {targets} targets; write {BY_TARGET} or {BY_HASH} in it")
        place = source.replace(BY_TARGET, name)
        if not is_url(place):
            place = _from_lock(place, folder)
        _check(source_problem(place))
        found.append(place)
    return tuple(found)


def _from_lock(place: str, folder: Path) -> str:
    """A folder as the lock in `folder` names it: absolute only where it was, and lies elsewhere."""
    if Path(place).is_absolute() and not Path(place).is_relative_to(folder.absolute()):
        return Path(place).as_posix()
    return Path(os.path.relpath(place, folder)).as_posix()


def _kept(known: Mapping[str, LockedTarget], name: str) -> tuple[str, ...]:
    return known[name].sources if name in known else ()


def _by_target(copy_to: str) -> str:
    """Where `--copy-to` puts the files of a target: in a folder of its own, unless they go by hash."""
    return copy_to if BY_TARGET in copy_to or BY_HASH in copy_to else f"{copy_to.rstrip('/')}/{BY_TARGET}"


def _copy(
    targets: Iterable[LockedTarget],
    found: _Found,
    known: Mapping[str, LockedTarget],
    copy_to: str,
) -> list[str]:
    """Copy what is not there yet; gives a note for each file that was locked before and is removed."""
    notes = []
    for target in targets:
        folder = found[target.name][0]
        place = _by_target(copy_to).replace(BY_TARGET, target.name)
        for locked in target.files:
            path = Path(location(place, locked))
            refuse_links(path, Path(place))
            if not is_there(path, locked):
                copy(folder / locked.path, path, locked)
        if BY_HASH not in place:
            before = known.get(target.name, target)
            notes += [f"{place}/{path}: removed" for path in retire(before, target, Path(place))]
            _write(Path(place, ".gitattributes"), _ATTRIBUTES)
            _write(Path(place, MANIFEST), (folder / MANIFEST).read_bytes())  # for diff with what is built next
    return notes


def _write(path: Path, data: bytes) -> None:
    """Write what goes into a repository beside the files; what is there as it should be stays untouched."""
    if not path.is_file() or path.read_bytes() != data:
        with replacing(path) as file:
            file.write(data)


def _notes(targets: Iterable[LockedTarget], found: _Found, base: Path) -> Iterator[str]:
    """What is locked all the same, and should be known."""
    for target in targets:
        for entry in found[target.name][1].artifacts:
            if entry.unchecked:
                yield f"{target.name}: {entry.name} is unchecked: {entry.unchecked}"
        yield from (f"{target.name}: {said}" for said in found[target.name][1].skipped)
        if not target.sources:
            yield f"{target.name}: nothing says where its files are to be had; add --from URL, or --copy-to FOLDER"
        for source in (source for source in target.sources if not is_url(source)):
            if not all(is_there(base / location(source, file), file) for file in target.files):
                yield f"{target.name}: {source} does not have what is locked now; put it there with --copy-to"


def _check(problem: str | None, *where: Path) -> None:
    if problem is not None:
        raise TargetError(": ".join([*map(str, where), problem]))
