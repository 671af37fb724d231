"""From a lock to files: each is left where it is right, and else copied or downloaded, checked, and put in place."""

import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from mobile_export.atomic import PART, move
from mobile_export.errors import ModelError, TargetError
from mobile_export.locking.grammar import is_url
from mobile_export.locking.lock import (
    Lock,
    LockedFile,
    LockedTarget,
    location,
    path_of,
    read_lock,
    write_lock,
)
from mobile_export.locking.locked_files import copy, is_there, refuse_links, retire
from mobile_export.mutex import alone
from mobile_export.published.artifact_files import sha256_of
from mobile_export.published.manifest import KINDS

if TYPE_CHECKING:
    from mobile_export.locking.download import Downloads

WAIT = 600.0
"""Seconds in which another fetch into the same folder should have ended."""

_OWN = ".fetch"
_BROUGHT = "brought.lock"


@dataclass(frozen=True)
class Fetched:
    """What became of a file that is locked, or was: `source` is where it came from, if it was not there."""

    target: str
    file: str
    how: Literal["there", "copied", "downloaded", "removed"]
    source: str | None = None


Busy = Callable[[Sequence[str]], object]
"""Is told what is being brought."""


def fetch(lock: Lock, base: Path, out: Path, kinds: Sequence[str] = KINDS, busy: Busy | None = None) -> list[Fetched]:
    """Bring the locked files to `out/<target>/<path>`, and remove what an earlier fetch brought and is locked no more.

    Args:
        lock: of the targets and kinds that are wanted.
        base: the lock's folder, from which a `from` counts.
        kinds: what the lock has all of; files of other kinds are left alone.

    Raises:
        ModelError: a file cannot be had anywhere with the bytes that are locked.
        TargetError: the lock does not say where to look.
        OutputError: `out` cannot be written.
    """
    files = [(target, file) for target in lock.targets for file in target.files]
    complete = all(is_there(out / target.name / file.path, file) for target, file in files)
    if complete and _with_others(lock, _brought(out), kinds) == _brought(out):
        return [Fetched(target.name, file.path, "there") for target, file in files]
    with alone(out / _OWN, "fetch", timeout=WAIT), _Fetcher(base, out, busy) as fetcher:
        brought = _brought(out)
        found = [fetcher.fetch(target, file) for target, file in files]
        found += _retire(brought, lock, out, kinds)
        write_lock(_with_others(lock, brought, kinds), out / _OWN / _BROUGHT)
        fetcher.clear()
    return found


class _Fetcher:
    """Brings one file after another into a folder in which it is alone."""

    def __init__(self, base: Path, out: Path, busy: Busy | None) -> None:
        self._base, self._out, self._busy = base, out, busy
        self._downloads: Downloads | None = None

    def __enter__(self) -> "_Fetcher":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._downloads is not None:
            self._downloads.close()

    def fetch(self, target: LockedTarget, file: LockedFile) -> Fetched:
        """Have a file in place, from the first source that has it."""
        path = self._out / target.name / file.path
        refuse_links(path, self._out)
        if is_there(path, file):
            return Fetched(target.name, file.path, "there")
        if not target.sources:
            raise TargetError(
                f"{target.name}: the lock does not say where its files are to be had; lock it with --from or --copy-to"
            )
        missed = []
        for source in target.sources:
            place = location(source, file)
            if self._busy is not None:
                self._busy([place])
            try:
                return Fetched(target.name, file.path, self._bring(place, path, file), place)
            except ModelError as error:
                missed.append(str(error))
        raise ModelError(f"{target.name}/{file.path} cannot be had as it was locked: {'; '.join(missed)}")

    def clear(self) -> None:
        """Remove what was begun for files that are not wanted any more, or by a fetch that was killed."""
        for part in (self._out / _OWN).glob(f"*{PART}"):
            part.unlink()

    def _bring(self, place: str, path: Path, file: LockedFile) -> Literal["copied", "downloaded"]:
        parts = urllib.parse.urlsplit(place)
        if is_url(place) and parts.scheme != "file":
            self._download(place, path, file)
            return "downloaded"
        source = _path_of_url(parts.path) if is_url(place) else self._base / place
        copy(source, path, file, self._out / _OWN)
        return "copied"

    def _download(self, url: str, path: Path, file: LockedFile) -> None:
        from mobile_export.locking.download import Downloads

        self._downloads = self._downloads or Downloads()
        part = self._out / _OWN / f"{file.sha256}{PART}"
        for _ in range(2):
            whole = self._downloads.get(url, part, file.bytes)
            if sha256_of(part) == file.sha256:
                return move(part, path)
            part.unlink()
            if whole:  # pieces may have been of two files, and come right at once
                break
        raise ModelError(f"{url}: has other bytes than the lock says")


def _path_of_url(path: str) -> Path:
    from urllib.request import url2pathname

    return Path(url2pathname(path))


def _brought(out: Path) -> Lock:
    """What earlier fetches have brought; nothing where that is not known."""
    try:
        return read_lock(out / _OWN / _BROUGHT)
    except TargetError:
        return Lock()


def _with_others(lock: Lock, brought: Lock, kinds: Sequence[str]) -> Lock:
    """What lies there in the end: what is locked now, and what was brought before of other kinds and targets."""
    others = {target.name: [f for f in target.files if f.kind not in kinds] for target in brought.targets}
    now = brought.with_targets(
        LockedTarget(target.name, (), tuple(sorted([*others.get(target.name, []), *target.files], key=path_of)))
        for target in lock.targets
    )
    return Lock(tuple(target for target in now.targets if target.files))


def _retire(brought: Lock, lock: Lock, out: Path, kinds: Sequence[str]) -> list[Fetched]:
    """Remove files of earlier locks: they would enter the app with the others."""
    before = {target.name: target for target in brought.only((), kinds).targets}
    return [
        Fetched(target.name, path, "removed")
        for target in lock.targets
        if target.name in before
        for path in retire(before[target.name], target, out / target.name)
    ]
