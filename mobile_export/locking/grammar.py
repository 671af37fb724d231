"""What the lines of a lock may say (docs/locked.md has it as text); shells, Gradle and Swift read by the same rules.

Written so that each rule is a regular expression or a look into a set, for readers in other languages to have it, too;
tests/locking/locks is what all of them are held to.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mobile_export.published.manifest import KINDS
from mobile_export.spelling import FILE_STEM

HEADER = "mobile-export-lock"
VERSION = 1
BY_HASH = "{sha256}"
"""Stands in a `from` for the hash of each file."""

_MOST_BYTES = 1 << 40
_FILE = re.compile(r"[0-9a-f]{64} (0|[1-9][0-9]{0,15}) [^ ].*")
_PATH = re.compile(r"[A-Za-z0-9_./-]+")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"(https?|file)://")
_HTTP_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^][/?#@: ]+)(:[0-9]{1,5})?([/?#][^ ]*)?")
_FILE_URL = re.compile(r"file://(localhost)?/[^/?# ][^?# ]*")


class Statement(NamedTuple):
    """A line that says something: `target`, `from` or `file`, and the rest of it."""

    keyword: str
    rest: str


class Refused(Exception):
    """A line that no lock has; `number` counts from 1."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(problem)
        self.number = number


def statements(text: str) -> Iterator[Statement]:
    """What a lock says after its header, each line checked before it is given.

    Raises:
        Refused: it is no lock, of a later version, or names what no lock may name.
    """
    # Git may have given lines the ends that Windows has.
    numbered = ((number, line.removesuffix("\r")) for number, line in enumerate(text.split("\n"), 1))
    said = ((number, line) for number, line in numbered if line and not line.startswith("#"))
    number, header = next(said, (1, ""))
    _check(number, _header_problem(header))
    order = _Order()
    for number, line in said:
        keyword, _, rest = line.partition(" ")
        order.take(number, keyword, rest)
        yield Statement(keyword, rest)
    order.end_target()


def is_url(source: str) -> bool:
    """Whether a `from` is a URL; otherwise it is a folder."""
    return "://" in source


def target_problem(name: str) -> str | None:
    """Why a target of this name cannot be locked; None when it can."""
    if not FILE_STEM.fullmatch(name):
        return f"{name!r} is no name of a target: lower-case letters, digits and underscores"
    if _DEVICE.fullmatch(name):
        return f"{name!r} is a device on Windows; give the target another name"
    return None


def path_problem(path: str) -> str | None:
    """Why a file cannot be locked under this path, on every system that reads locks; None when it can."""
    parts = path.split("/")
    if not _PATH.fullmatch(path):
        return f"{path!r} has other characters than A-Z a-z 0-9 _ . / -"
    if any(not part or part.endswith(".") for part in parts):
        return f"{path!r} is no plain relative path"
    if parts[0] not in KINDS or len(parts) == 1:
        return f"{path!r} lies in none of {', '.join(f'{kind}/' for kind in KINDS)}"
    device = next((part for part in parts if _DEVICE.fullmatch(part)), None)
    return f"{path!r} cannot be: {device} is a device on Windows" if device else None


def source_problem(source: str) -> str | None:
    """Why files cannot be fetched from there; None when they can, as far as can be told from looking at it."""
    if not source or source != source.strip(" ") or _CONTROL.search(source) or "\\" in source:
        return f"{source!r} is neither a URL nor a folder with forward slashes"
    if re.search(r"[{}]", source.replace(BY_HASH, "")):
        return f"{source!r} has a placeholder that locks do not know; they know {BY_HASH}"
    if is_url(source):
        return _url_problem(source)
    if source.startswith("//"):  # Windows would show another computer who asks
        return f"{source!r} is a folder of another computer; mount it, and name it without //"
    return None


def _url_problem(source: str) -> str | None:
    if not _SCHEME.match(source):
        return f"{source!r} is a URL of {source.partition('://')[0]}; http, https and file can be read"
    if "@" in re.split("[/?#]", source.partition("://")[2], maxsplit=1)[0]:
        return f"{source!r} holds a user name or password, which would be shared with the lock; put it into ~/.netrc"
    if not (_HTTP_URL.fullmatch(source) or _FILE_URL.fullmatch(source)):
        return f"{source!r} is no URL of files"
    if re.search("[?#]", source) and BY_HASH not in source:
        return f"{source!r} goes on after the path, where file names are added; write {BY_HASH} in it"
    return None


def _file_problem(rest: str) -> str | None:
    if not _FILE.fullmatch(rest):
        return "a file is: file, sha256 (64 lower-case hex digits), bytes, path, with one space between them"
    _, size, path = rest.split(" ", 2)
    if int(size) > _MOST_BYTES:
        return f"{size} bytes are more than any model has"
    return path_problem(path)


class _Order:
    """Which line may follow those before."""

    def __init__(self) -> None:
        self._targets: dict[str, int] = {}
        self._has_files = False
        self._taken: set[str] = set()
        self._folders: set[str] = set()

    def take(self, number: int, keyword: str, rest: str) -> None:
        """The next line.

        Raises:
            Refused: it may not stand here, or nowhere.
        """
        known = {"target": self._target, "from": self._from, "file": self._file}
        if keyword not in known:
            raise Refused(number, f"{keyword!r} is not known: a line begins with target, from or file; lock again")
        if keyword != "target" and not self._targets:
            raise Refused(number, f"a target comes before the first {keyword}")
        known[keyword](number, rest)

    def end_target(self) -> None:
        """Before another target begins, or the file ends.

        Raises:
            Refused: the target that ends has no file.
        """
        if self._targets and not self._has_files:
            name, number = self._targets.popitem()
            raise Refused(number, f"target {name} has no file; lock again")

    def _target(self, number: int, name: str) -> None:
        self.end_target()
        _check(number, target_problem(name))
        if name in self._targets:
            raise Refused(number, f"target {name} stands here twice; lock it again")
        self._targets[name] = number
        self._has_files = False
        self._taken, self._folders = set(), set()

    def _from(self, number: int, source: str) -> None:
        if self._has_files:
            raise Refused(number, "from stands before the files of its target")
        _check(number, source_problem(source))

    def _file(self, number: int, rest: str) -> None:
        _check(number, _file_problem(rest))
        self._has_files = True
        locked = rest.split(" ", 2)[2]
        path = locked.lower()
        parents = {path[: match.start()] for match in re.finditer("/", path)}
        # Disks of macOS and Windows take names that differ by case alone for the same.
        if path in self._taken or path in self._folders or parents & self._taken:
            raise Refused(
                number, f"{locked!r} stands here twice, as a file or as its folder, for disks that ignore case"
            )
        self._taken.add(path)
        self._folders |= parents


def _header_problem(line: str) -> str | None:
    keyword, _, version = line.partition(" ")
    if keyword == HEADER and version.isdecimal() and version != str(VERSION):
        return f"is a lock of version {version}; update mobile-export"
    return None if line == f"{HEADER} {VERSION}" else f"is no lock: it begins with the line {HEADER} {VERSION}"


def _check(number: int, problem: str | None) -> None:
    if problem is not None:
        raise Refused(number, problem)
