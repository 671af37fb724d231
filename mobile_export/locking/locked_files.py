"""Locked files on disk: which of them are there as they were locked, and putting them there."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mobile_export.atomic import replacing
from mobile_export.errors import ModelError, OutputError
from mobile_export.locking.lock import Lock, LockedFile, LockedTarget
from mobile_export.published.artifact_files import sha256_of

_CHUNK = 1 << 20
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class FileState:
    """One file that is locked, or lies among those that are; `problem` is None when all is well."""

    target: str
    file: str
    problem: str | None


def compare(lock: Lock, kinds: Iterable[str], folder: Path) -> list[FileState]:
    """What `folder/<target>/<path>` holds against the lock: hashes alone, nothing is run."""
    wanted = list(kinds)
    return [state for target in lock.targets for state in _compare(target, folder / target.name, wanted)]


def refuse_links(path: Path, folder: Path) -> None:
    """No file below `folder` is written or removed through a link: it may lead anywhere.

    Raises:
        OutputError: a folder on the way from `folder` to `path` is a link.
    """
    for parent in path.parents:
        if parent == folder:
            return
        if parent.is_symlink():
            raise OutputError(f"{parent}: is a link, and locked files are put into folders alone; remove it")


def is_there(path: Path, file: LockedFile) -> bool:
    """Whether the file at `path` has the locked bytes."""
    return path.is_file() and path.stat().st_size == file.bytes and sha256_of(path) == file.sha256


def copy(source: Path, path: Path, file: LockedFile, aside: Path | None = None) -> None:
    """Put the bytes of `source` at `path`, which is replaced whole and only by the locked ones, written `aside` first.

    Raises:
        ModelError: the source is missing, or another file.
        OutputError: `path` cannot be written.
    """
    _check_size(source, file)
    with replacing(path, aside) as writer:
        digest = hashlib.sha256()
        for chunk in _chunks(source):
            digest.update(chunk)
            writer.write(chunk)
        if digest.hexdigest() != file.sha256:
            raise ModelError(f"{source}: has other bytes than the lock says")


def retire(before: LockedTarget, now: LockedTarget, folder: Path) -> list[str]:
    """Remove what was locked before, is not any more, and has not been changed since; give the paths removed."""
    kept = {file.path.lower() for file in now.files}
    gone = [file for file in before.files if file.path.lower() not in kept and is_there(folder / file.path, file)]
    for file in gone:
        refuse_links(folder / file.path, folder)
        (folder / file.path).unlink()
        _remove_empty((folder / file.path).parent, folder)
    return [file.path for file in gone]


def _compare(target: LockedTarget, folder: Path, kinds: list[str]) -> Iterator[FileState]:
    for file in target.files:
        yield FileState(target.name, file.path, _problem(folder / file.path, file))
    locked = {folder / file.path for file in target.files}
    for path in (path for kind in kinds for path in sorted((folder / kind).rglob("*"))):
        if path not in locked and not path.is_dir():
            yield FileState(target.name, path.relative_to(folder).as_posix(), "is not in the lock; remove it")


def _problem(path: Path, file: LockedFile) -> str | None:
    if not path.exists():
        return "is missing"
    if not path.is_file():
        return "is no file"
    size = path.stat().st_size
    if size != file.bytes:
        return f"has {size} bytes, where {file.bytes} are locked"
    return None if sha256_of(path) == file.sha256 else "has other bytes than are locked"


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as reader:
            yield from iter(lambda: reader.read(_CHUNK), b"")
    except OSError as error:
        raise ModelError(f"{source}: cannot be read: {error.strerror}") from error


def _check_size(source: Path, file: LockedFile) -> None:
    if not source.is_file():
        raise ModelError(f"{source}: is not there")
    size = source.stat().st_size
    if size != file.bytes:
        if next(_chunks(source), b"").startswith(_POINTER):
            raise ModelError(f"{source}: is a pointer of Git LFS; run: git lfs pull")
        raise ModelError(f"{source}: has {size} bytes, where the lock says {file.bytes}")


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
