"""The lock file: which files an app ships, by hash and size, and where they are to be had.

It is read by shells, Gradle and Swift, too, so it is lines without quoting (docs/locked.md has the grammar):

    mobile-export-lock 1
    target android
    from models/android
    file <sha256> <bytes> assets/models/android/digits_int8.tflite

A lock is not trusted: it names no path outside of its target's folder, and everything that it brings is hashed.
"""

import re
import urllib.parse
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mobile_export.atomic import replacing
from mobile_export.errors import TargetError
from mobile_export.manifest import KINDS

FILE_NAME = "mobile-export.lock"
FETCHED = "locked"
"""The folder in which fetched files lie when nobody says another."""
VERSION = 1
BY_HASH = "{sha256}"
"""Stands in a `from` for the hash of each file."""

_HEADER = "mobile-export-lock"
_REMARK = '# Written by "mobile-export lock": the model files that this app ships. Lock again rather than edit.'
_MOST_TEXT = 1 << 24
_MOST_BYTES = 1 << 40
_TARGET = re.compile(r"[a-z0-9][a-z0-9_]*")
_FILE = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]{0,15}) ([^ ].*)")
_PATH = re.compile(r"[A-Za-z0-9_./-]+")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class LockedFile:
    """One file.

    Attributes:
        sha256: 64 lower-case hex digits.
        bytes: its size.
        path: in the target's folder, with forward slashes; unique whatever the case of letters.
    """

    sha256: str
    bytes: int
    path: str

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return self.path.split("/", 1)[0]


@dataclass(frozen=True)
class LockedTarget:
    """The files of one target.

    Attributes:
        sources: URLs, and folders relative to the lock, tried in this order.
        files: in the order of their paths.
    """

    name: str
    sources: tuple[str, ...]
    files: tuple[LockedFile, ...]


@dataclass(frozen=True)
class Lock:
    """What a lock file says, its targets in the order of their names."""

    targets: tuple[LockedTarget, ...] = ()

    def with_targets(self, locked: Iterable[LockedTarget]) -> "Lock":
        """This lock, with these targets added, or in the place of those of the same name."""
        named = {target.name: target for target in (*self.targets, *locked)}
        return Lock(tuple(named[name] for name in sorted(named)))

    def only(self, names: Collection[str], kinds: Collection[str]) -> "Lock":
        """The targets of these names, all where none is given, with their files of these kinds.

        Raises:
            TargetError: the lock has no such target.
        """
        known = [target.name for target in self.targets]
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            raise TargetError(f"the lock has no target {unknown!r}; it has {', '.join(known) or 'none'}")
        return Lock(
            tuple(
                replace(target, files=tuple(file for file in target.files if file.kind in kinds))
                for target in self.targets
                if not names or target.name in names
            )
        )

    @property
    def text(self) -> str:
        """The file, the same bytes for the same content."""
        lines = [f"{_HEADER} {VERSION}", _REMARK]
        for target in self.targets:
            lines += ["", f"target {target.name}"]
            lines += [f"from {source}" for source in target.sources]
            lines += [f"file {f.sha256} {f.bytes} {f.path}" for f in sorted(target.files, key=path_of)]
        return "\n".join(lines) + "\n"


def path_of(file: LockedFile) -> str:
    """By which files are put in order."""
    return file.path


def is_url(source: str) -> bool:
    """Whether a `from` is a URL; otherwise it is a folder."""
    return _URL.match(source) is not None


def location(source: str, file: LockedFile) -> str:
    """Where a `from` has a file."""
    return source.replace(BY_HASH, file.sha256) if BY_HASH in source else f"{source.rstrip('/')}/{file.path}"


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        TargetError: it is missing, or no lock.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_TEXT + 1)
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}; mobile-export lock writes it") from error
    if len(data) > _MOST_TEXT:
        raise TargetError(f"{path}: is larger than any lock; lock again")
    try:
        return parse_lock(data.decode("utf-8"), path)
    except UnicodeDecodeError as error:
        raise TargetError(f"{path}: is no text in UTF-8; lock again") from error


def write_lock(lock: Lock, path: Path) -> None:
    """Write a lock file, in one step for whoever reads it meanwhile.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as file:
        file.write(lock.text.encode("utf-8"))


def parse_lock(text: str, path: Path) -> Lock:
    """What the text of a lock says; `path` is for messages.

    Raises:
        TargetError: it is no lock, of a later version, or names what no lock may name; with the line's number.
    """
    # Git may have given lines the ends that Windows has.
    numbered = [(number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), 1)]
    said = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    parser = _Parser()
    first, header = said[0] if said else (1, "")
    _check(_header_problem(header), path, first)
    for number, line in said[1:]:
        _check(parser.problem_of(line), path, number)
    _check(parser.unfinished(), path, len(numbered))
    return Lock().with_targets(parser.targets)


def target_problem(name: str) -> str | None:
    """Why a target of this name cannot be locked; None when it can."""
    if not _TARGET.fullmatch(name):
        return f"{name!r} is no name of a target: lower-case letters, digits and underscores"
    if _DEVICES.fullmatch(name):
        return f"{name!r} is a device on Windows; give the target another name"
    return None


def path_problem(path: str) -> str | None:
    """Why a file cannot be locked under this path, on every system that reads locks; None when it can."""
    parts = path.split("/")
    if not _PATH.fullmatch(path):
        return f"{path!r} has other characters than A-Z a-z 0-9 _ . / -"
    if any(part.strip(".") == "" or part.endswith(".") for part in parts):
        return f"{path!r} is no plain relative path"
    if parts[0] not in KINDS or len(parts) == 1:
        return f"{path!r} lies in none of {', '.join(f'{kind}/' for kind in KINDS)}"
    device = next((part for part in parts if _DEVICES.fullmatch(part)), None)
    return f"{path!r} cannot be: {device} is a device on Windows" if device else None


def source_problem(source: str) -> str | None:
    """Why files cannot be fetched from there; None when they can, as far as can be told from looking at it."""
    if not source or source != source.strip() or not source.isprintable() or "\\" in source:
        return f"{source!r} is neither a URL nor a folder with forward slashes"
    if re.search(r"[{}]", source.replace(BY_HASH, "")):
        return f"{source!r} has a placeholder that locks do not know; they know {BY_HASH}"
    url = _URL.match(source)
    return _url_problem(source, url[1].lower()) if url else None


def _url_problem(source: str, scheme: str) -> str | None:
    if scheme not in ("http", "https", "file"):
        return f"{source!r} is a URL of {scheme}; http, https and file can be read"
    try:
        parts = urllib.parse.urlsplit(source)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return f"{source!r} is no URL: {error}"
    if (
        " " in source
        or (scheme == "file" and (host not in (None, "localhost") or port))
        or (scheme != "file" and not host)
    ):
        return f"{source!r} is no URL of files"
    if "@" in parts.netloc:
        return f"{source!r} holds a user name or password, which would be shared with the lock; put it into ~/.netrc"
    if (parts.query or parts.fragment) and BY_HASH not in source:
        return f"{source!r} goes on after the path, where file names are added; write {BY_HASH} in it"
    return None


class _Parser:
    """The lines after the first, one by one."""

    def __init__(self) -> None:
        self._sources: dict[str, list[str]] = {}
        self._files: dict[str, list[LockedFile]] = {}
        self._name: str | None = None
        self._taken: set[str] = set()
        self._folders: set[str] = set()

    @property
    def targets(self) -> list[LockedTarget]:
        return [LockedTarget(name, tuple(self._sources[name]), tuple(files)) for name, files in self._files.items()]

    def problem_of(self, line: str) -> str | None:
        """Take a line in; what is wrong with it, if anything is."""
        keyword, _, rest = line.partition(" ")
        known = {"target": self._target, "from": self._from, "file": self._file}
        if keyword not in known:
            return f"{keyword!r} is not known: a line begins with target, from or file; lock again"
        return known[keyword](rest)

    def unfinished(self) -> str | None:
        """What is missing before another target begins, or the file ends."""
        if self._name is not None and not self._files[self._name]:
            return f"target {self._name} has no file; lock again"
        return None

    def _target(self, name: str) -> str | None:
        problem = self.unfinished() or target_problem(name)
        if problem is None and name in self._files:
            problem = f"target {name} stands here twice; lock it again"
        self._name = name
        self._sources[name], self._files[name] = [], []
        self._taken, self._folders = set(), set()
        return problem

    def _from(self, source: str) -> str | None:
        if self._name is None:
            return "a target comes before the first from"
        if self._files[self._name]:
            return "from stands before the files of its target"
        self._sources[self._name].append(source)
        return source_problem(source)

    def _file(self, rest: str) -> str | None:
        if self._name is None:
            return "a target comes before the first file"
        fields = _FILE.fullmatch(rest)
        if fields is None:
            return "a file is: file, sha256 (64 lower-case hex digits), bytes, path, with one space between them"
        file = LockedFile(fields[1], int(fields[2]), fields[3])
        if file.bytes > _MOST_BYTES:
            return f"{file.bytes} bytes are more than any model has"
        self._files[self._name].append(file)
        return path_problem(file.path) or self._clash(file.path.lower())

    def _clash(self, path: str) -> str | None:
        """Disks of macOS and Windows take names that differ by case alone for the same."""
        parents = {path[: match.start()] for match in re.finditer("/", path)}
        if path in self._taken | self._folders or parents & self._taken:
            return f"{path!r} stands here twice, as a file or as its folder, for disks that ignore case"
        self._taken.add(path)
        self._folders |= parents
        return None


def _header_problem(line: str) -> str | None:
    keyword, _, version = line.partition(" ")
    if keyword == _HEADER and version.isdecimal() and version != str(VERSION):
        return f"is a lock of version {version}; update mobile-export"
    return None if line == f"{_HEADER} {VERSION}" else f"is no lock: it begins with the line {_HEADER} {VERSION}"


def _check(problem: str | None, path: Path, number: int) -> None:
    if problem is not None:
        raise TargetError(f"{path}:{number}: {problem}")
