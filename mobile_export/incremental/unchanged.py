"""Whether a build has nothing to do, answered from a record of the last one: a few times the start of Python.

The record of a command (its words, and the folder in which it ran) lists all that its outcome depends on, files,
folders, the interpreter, installed packages, our own code, and what was published; each with what `stat` said of it and
a hash. Where `stat` says the same, so does the file; where it does not, the file is hashed once, and if its bytes are
the same the record is brought up to date. A file that was written so shortly before the record that the clock of its
file system may not tell a later change is hashed, too, and so is every file on Windows, where `stat` tells less.

A record that is missing, damaged or of another command answers nothing, and the build finds out by itself. Only the
standard library is imported, and little of that.
"""

import os
import sys
import time
import zlib

from mobile_export.caching.places import cache_root, make_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_HEAD = "mobile-export-record 2"
_ENCODING, _ERRORS = "utf-8", "surrogatepass"  # a path need not be text

FILE, FOLDER, PACKAGES, PLACE = "file", "folder", "packages", "place"
"""What counts of a path: its bytes; the names in it; those of installed packages in it; where its links lead."""
ABSENT = "absent"
"""What `stat` says of a path where nothing is."""

COARSE = 2_000_000_000
"""Nanoseconds between two times that every file system can tell apart; FAT counts in steps of two seconds."""

_TELLS_CHANGES = sys.platform != "win32"
_PACKAGES = (".dist-info", ".egg-info", ".egg-link")

Seen = tuple[str, str, str, str]
"""A path as it was seen: what counts of it, what `stat` said, its hash (or where it leads), and the path itself."""


def answer(arguments: "Sequence[str]") -> bool:
    """Print what the last run of this very command printed, if nothing has changed since; whether it was so."""
    try:
        return _answer(list(arguments))
    except (OSError, ValueError):  # no record, or a damaged one; or what it lists cannot be read
        return False


def _answer(arguments: list[str]) -> bool:
    begun = time.time_ns()
    with open(record_path(arguments), "rb") as file:
        words, recorded, printed, seen = _parse(file.read())
    if words != _words(arguments):
        return False
    fresh: list[Seen] = []
    learnt = False
    for kind, said, digest, path in seen:
        now = stat_of(path)
        if kind == PLACE or now != said or not settled(said, recorded):
            if digest_of(kind, path, now) != digest:
                return False
            learnt = learnt or (kind != PLACE and (now != said or settled(now, begun)))
        fresh.append((kind, now, digest, path))
    if learnt:
        _save(arguments, begun, printed, fresh)
    for stream, line in printed:
        (sys.stdout if stream == "out" else sys.stderr).write(line + "\n")
    return True


def remember(
    arguments: "Sequence[str]", recorded: int, printed: "Sequence[tuple[str, str]]", seen: "Sequence[Seen]"
) -> bool:
    """Write the record of a command; whether it could be: names with tabs or line ends are in none.

    Args:
        recorded: nanoseconds of the clock, before the first path was looked at.
        printed: `out` or `err`, and a line.
    """
    fields = [*_words(arguments), *(line for _, line in printed), *(field for row in seen for field in row)]
    return not any(mark in field for field in fields for mark in "\t\n\r\0") and _save(
        list(arguments), recorded, printed, seen
    )


def look(kind: str, path: str, hashed: "Callable[[str], str] | None" = None) -> Seen:
    """A path as it is now.

    Args:
        hashed: gives a file's sha256, where it may be known without reading.

    Raises:
        OSError: it cannot be read.
    """
    said = stat_of(path)
    return kind, said, hashed(path) if hashed and kind == FILE and said != ABSENT else digest_of(kind, path, said), path


def stat_of(path: str) -> str:
    """What tells that a file is another one, or was changed: size, times of change in nanoseconds, inode and disk."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_dev}"


def settled(said: str, recorded: int) -> bool:
    """Whether a change after `recorded` would show in what `stat` says: no change so shortly before might hide it.

    On Windows nothing is settled: it tells when a file was made, where others tell of a change that none can set back.
    """
    if said == ABSENT:
        return True
    _, modified, changed, *_ = map(int, said.split())
    return _TELLS_CHANGES and recorded - max(modified, changed) > COARSE


def digest_of(kind: str, path: str, said: str) -> str:
    """The hash of what counts of a path, or the place itself; empty where nothing is.

    Raises:
        OSError: it cannot be read.
    """
    if kind == PLACE:
        return os.path.realpath(path)
    if said == ABSENT:
        return ""
    import hashlib

    if kind == FILE:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not os.path.isdir(path):  # a zipped library on Python's path
        return digest_of(FILE, path, said)
    names = (name for name in os.listdir(path) if name != "__pycache__")
    counted = (name for name in names if kind == FOLDER or name.endswith(_PACKAGES))
    return hashlib.sha256("\0".join(sorted(counted)).encode(_ENCODING, _ERRORS)).hexdigest()


def record_path(arguments: "Sequence[str]") -> str:
    """Where the record of a command lies; two commands may share a place, and then take turns in it."""
    name = zlib.crc32("\0".join([os.getcwd(), *arguments]).encode(_ENCODING, _ERRORS))
    return os.path.join(cache_root(), "builds", f"{name:08x}.record")


def _words(arguments: "Iterable[str]") -> list[str]:
    """All that a command is: what runs it, from where, and its words."""
    python = [sys.executable, sys.prefix, sys.version.replace("\n", " ")]
    return [*python, __file__, *sys.path, "", os.getcwd(), *arguments]


def _parse(data: bytes) -> tuple[list[str], int, list[tuple[str, str]], list[Seen]]:
    """Raises ValueError where it is no record, or no whole one."""
    head, _, body = data.partition(b"\n")
    if head != f"{_HEAD} {zlib.crc32(body):08x}".encode():
        raise ValueError("damaged")
    words: list[str] = []
    printed: list[tuple[str, str]] = []
    seen: list[Seen] = []
    recorded = 0
    for line in body.decode(_ENCODING, _ERRORS).split("\n")[:-1]:
        kind, *fields = line.split("\t")
        if kind == "word":
            words += fields
        elif kind == "recorded":
            recorded = int(fields[0])
        elif kind in ("out", "err"):
            printed.append((kind, fields[0]))
        else:
            said, digest, path = fields
            seen.append((kind, said, digest, path))
    return words, recorded, printed, seen


def _save(arguments: list[str], recorded: int, printed: "Sequence[tuple[str, str]]", seen: "Sequence[Seen]") -> bool:
    """Put a record in its place, whole; whether that was allowed: without it a build takes longer, and nothing else."""
    rows = [("word", word) for word in _words(arguments)]
    lines = [*rows, ("recorded", str(recorded)), *printed, *seen]
    body = "".join("\t".join(line) + "\n" for line in lines).encode(_ENCODING, _ERRORS)
    path = record_path(arguments)
    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}-{os.urandom(16).hex()}.part")
    try:
        make_folder(cache_root(), "builds")
        with open(draft, "xb") as file:
            file.write(f"{_HEAD} {zlib.crc32(body):08x}\n".encode() + body)
        os.replace(draft, path)
    except OSError:
        return False
    return True
