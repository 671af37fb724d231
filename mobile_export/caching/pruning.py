"""What lies in a cache, and making room there: what was used least recently goes first.

Any number of builds and prunings may be at work at once: each file is removed by itself, and one that is missed counts
as not there. Only a folder that is tagged as a cache of ours is looked into, and there only files of the names that
builds give.
"""

import contextlib
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobile_export.caching.places import KINDS, TAG, is_cache
from mobile_export.errors import TargetError

SIZE_VARIABLE = "MOBILE_EXPORT_CACHE_SIZE"
DEFAULT_SIZE = 5_000_000_000
"""Bytes that a cache may take."""

_HASH = "[0-9a-f]{64}"
_FORMS = (
    f"artifacts/blobs/[0-9a-f]{{2}}/{_HASH}",
    f"artifacts/entries/[0-9a-f]{{2}}/{_HASH}[.]json",
    f"searches/{_HASH}[.]jsonl",
    f"digests/{_HASH}",
    "builds/[0-9a-f]{8}[.]record",
    "(artifacts/(blobs|entries)/[0-9a-f]{2}|digests|builds)/[.][0-9a-f]{8,40}([.]record)?-[0-9a-f]{32}[.]part",
)
"""Paths of all files in a cache; the last are drafts, which a build that was killed has left."""
_FORM = re.compile("|".join(_FORMS))
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
    """What lies in the cache `folder`, by kind.

    Raises:
        TargetError: it is no cache of ours.
    """
    _check(folder)
    found = {kind: list(_files(folder, kind)) for kind in KINDS}
    return [Usage(kind, len(files), sum(file.bytes for file in files)) for kind, files in found.items()]


def prune(folder: Path, size: int | None = None, seconds: float | None = None) -> Usage:
    """Remove files until those that are left take no more than `size` bytes, and none was last used before `seconds`.

    Returns:
        What was removed.

    Raises:
        TargetError: it is no cache of ours.
    """
    _check(folder)
    files = sorted((file for kind in KINDS for file in _files(folder, kind)), key=lambda file: file.used, reverse=True)
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


def _check(folder: Path) -> None:
    if not is_cache(str(folder)):
        raise TargetError(
            f"{folder}: no cache of mobile-export lies there; builds put a {TAG} into a folder that they fill alone"
        )


def _files(root: Path, kind: str) -> Iterator[_File]:
    """Files of one kind; links are neither followed nor counted."""
    if (root / kind).is_symlink():
        return
    for parent, _, names in os.walk(root / kind):
        for path in (Path(parent, name) for name in names):
            if _FORM.fullmatch(path.relative_to(root).as_posix()):
                with contextlib.suppress(OSError):  # it is gone
                    found = path.lstat()
                    if stat.S_ISREG(found.st_mode):
                        yield _File(path, found.st_size, found.st_mtime)
