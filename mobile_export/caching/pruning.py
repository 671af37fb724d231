"""What lies in a cache, and making room there: what was used least recently goes first.

Any number of builds and prunings may be at work at once: each file is removed by itself, and one that is missed counts
as not there. Only folders that builds make are ever looked into.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobile_export.errors import TargetError

KINDS = ("artifacts", "searches", "digests", "builds")
"""Folders of a cache: built files; what searches have measured; hashes of large files; records of builds."""
SIZE_VARIABLE = "MOBILE_EXPORT_CACHE_SIZE"
DEFAULT_SIZE = 5_000_000_000
"""Bytes that a cache may take."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True)
class Usage:
    """What one kind of files takes."""

    kind: str
    files: int
    bytes: int


@dataclass(frozen=True)
class _File:
    path: Path
    bytes: int
    used: float


def survey(folder: Path) -> list[Usage]:
    """What lies in the cache `folder`, by kind."""
    found = {kind: list(_files(folder / kind)) for kind in KINDS}
    return [Usage(kind, len(files), sum(file.bytes for file in files)) for kind, files in found.items()]


def prune(folder: Path, size: int | None = None, seconds: float | None = None) -> Usage:
    """Remove files until those that are left take no more than `size` bytes, and none was last used before `seconds`.

    Returns:
        What was removed.
    """
    files = sorted((file for kind in KINDS for file in _files(folder / kind)), key=lambda file: file.used, reverse=True)
    oldest = -float("inf") if seconds is None else time.time() - seconds
    held = removed = count = 0
    for file in files:
        held += file.bytes
        if file.used < oldest or (size is not None and held > size):
            held -= file.bytes
            with contextlib.suppress(OSError):  # somebody else was quicker, or has it open
                file.path.unlink()
                removed, count = removed + file.bytes, count + 1
    return Usage("removed", count, removed)


def size_limit() -> int:
    """Bytes that the user's own cache may take.

    Raises:
        TargetError: the environment says something that is no size.
    """
    text = os.environ.get(SIZE_VARIABLE)
    return parse_size(text, SIZE_VARIABLE) if text else DEFAULT_SIZE


def parse_size(text: str, where: str) -> int:
    """Bytes of `2GB`, `500 MB` or `1000`; decimal units, as everywhere here.

    Raises:
        TargetError: it is no size; names `where` it stands.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise TargetError(f"{where}: {text!r} is no size; write it as 2GB or 500MB")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def _files(folder: Path) -> Iterator[_File]:
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it is gone
            found = path.lstat()
            if not path.is_dir():
                yield _File(path, found.st_size, found.st_mtime)
