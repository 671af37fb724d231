"""The lock file: which files an app ships, by hash and size, and where they are to be had.

It is read by shells, Gradle and Swift, too, so it is lines without quoting (`grammar` says what may stand in them):

    mobile-export-lock 1
    target android
    from models/android
    file <sha256> <bytes> assets/models/android/digits_int8.tflite

A lock is not trusted: it names no path outside of its target's folder, and everything that it brings is hashed.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mobile_export.atomic import replacing
from mobile_export.errors import TargetError
from mobile_export.locking.grammar import BY_HASH, HEADER, VERSION, Refused, statements

FILE_NAME = "mobile-export.lock"
FETCHED = "locked"
"""The folder in which fetched files lie when nobody says another."""

_REMARK = '# Written by "mobile-export lock": the model files that this app ships. Lock again rather than edit.'
_MOST_TEXT = 1 << 24


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
        lines = [f"{HEADER} {VERSION}", _REMARK]
        for target in self.targets:
            lines += ["", f"target {target.name}"]
            lines += [f"from {source}" for source in target.sources]
            lines += [f"file {f.sha256} {f.bytes} {f.path}" for f in sorted(target.files, key=path_of)]
        return "\n".join(lines) + "\n"


def path_of(file: LockedFile) -> str:
    """By which files are put in order."""
    return file.path


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
    name = ""
    sources: dict[str, list[str]] = {}
    files: dict[str, list[LockedFile]] = {}
    try:
        for keyword, rest in statements(text):
            if keyword == "target":
                name = rest
                sources[name], files[name] = [], []
            elif keyword == "from":
                sources[name].append(rest)
            else:
                sha256, size, locked = rest.split(" ")
                files[name].append(LockedFile(sha256, int(size), locked))
    except Refused as error:
        raise TargetError(f"{path}:{error.number}: {error}") from error
    return Lock().with_targets(LockedTarget(name, tuple(sources[name]), tuple(files[name])) for name in files)
