"""One file over HTTP, as far as it comes: broken off, it goes on from there; never more than what was asked for.

Whether it is the right file is not known here: its hash decides that.
"""

import contextlib
import re
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

import requests
from requests import exceptions

from mobile_export import __version__
from mobile_export.errors import ModelError, OutputError

TRIES = 5
"""How often in a row a source may fail without bringing much."""
PATIENCE = (10.0, 30.0)
"""Seconds until a server has to be there, and between two pieces of its answer."""
PAUSE = 1.0
"""Seconds before the second try; twice as many before each that follows."""

_MUCH = 1 << 20
_CHUNK = 1 << 16
_LONGEST_PAUSE = 30.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _Passing(Exception):
    """What may be over at the next try; `pause` is what the server asks for, in seconds."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


class Downloads:
    """Downloads one after another; what does not answer for one file is not asked for the next.

    Proxies, certificates and passwords are those of the environment and of ~/.netrc, as `requests` takes them.
    """

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": f"mobile-export/{__version__}", "Accept-Encoding": "identity"})
        self._dead: dict[str, str] = {}

    def close(self) -> None:
        """Let go of all connections."""
        self._session.close()

    def get(self, url: str, path: Path, size: int) -> bool:
        """Bring `path`, which may hold the beginning, to `size` bytes; whether they came in one piece.

        Raises:
            ModelError: the server has no such file, or one of another size, or does not answer.
            OutputError: `path` cannot be written.
        """
        host = "://".join(urllib.parse.urlsplit(url)[:2])
        if host in self._dead:
            raise ModelError(f"{url}: {self._dead[host]}")
        whole, failed, reached = False, 0, _size(path)
        while not path.exists() or _size(path) != size:
            try:
                whole = self._go_on(url, path, size)
            except _Passing as error:
                failed = 1 if _size(path) >= reached + _MUCH else failed + 1
                reached = max(reached, _size(path))
                if failed == TRIES:
                    self._dead[host] = str(error)
                    raise ModelError(f"{url}: {error}; tried {TRIES} times") from error
                time.sleep(min(max(PAUSE * 2 ** (failed - 1), error.pause), _LONGEST_PAUSE))
        return whole

    def _go_on(self, url: str, path: Path, size: int) -> bool:
        """One request, for what is missing; whether it was answered from the first byte on."""
        have = _size(path)
        asked = {"Range": f"bytes={have}-"} if have else {}
        with _as_ours(url), self._session.get(url, headers=asked, stream=True, timeout=PATIENCE) as answer:
            start = _start(answer, url, path, have, size)
            got = _write(answer.iter_content(_CHUNK), path, start, size)
        if got < size:
            raise _Passing(f"ended after {got} of {size} bytes")
        return start == 0


def _start(answer: requests.Response, url: str, path: Path, have: int, size: int) -> int:
    """At which byte an answer begins."""
    status = answer.status_code
    if status in _PASSING:
        raise _Passing(f"answers {status} {answer.reason}", _retry_after(answer))
    partial, elsewhere = requests.codes.partial_content, requests.codes.requested_range_not_satisfiable
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", "")) if status == partial else None
    goes_on = found is not None and int(found[1]) == have
    if have and not goes_on and status in (partial, elsewhere):
        path.unlink()
        raise _Passing("does not go on where it was broken off")
    if status != requests.codes.ok and not goes_on:
        raise ModelError(f"{url}: answers {status} {answer.reason}")
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity":  # nobody asked for that, and what is small encoded may have no end
        raise ModelError(f"{url}: comes encoded ({encoding}); have the server send files as they are")
    _check_size(url, found[2] if found else answer.headers.get("Content-Length", "*"), size)
    return have if found else 0


def _check_size(url: str, said: str, size: int) -> None:
    if said.isdecimal() and int(said) != size:
        raise ModelError(f"{url}: has {int(said)} bytes, where the lock says {size}")


def _write(chunks: Iterable[bytes], path: Path, start: int, size: int) -> int:
    """Write from `start` on, up to `size`; gives where it ended."""
    at = start
    try:
        with path.open("r+b" if start else "wb") as file:
            file.seek(start)
            for chunk in chunks:
                at += file.write(chunk[: size - at])
                if at == size:
                    break
    except exceptions.RequestException:  # an OSError, too, and none of the disk's
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; make room, or choose another disk") from error
    return at


@contextlib.contextmanager
def _as_ours(url: str) -> Iterator[None]:
    """What the library raises, as what may pass and what will not."""
    try:
        yield
    except exceptions.SSLError as error:
        raise ModelError(f"{url}: no secure connection: {_cause(error)}") from error
    except exceptions.ChunkedEncodingError as error:
        raise _Passing("broke off") from error
    except (exceptions.ConnectionError, exceptions.Timeout) as error:
        raise _Passing(f"cannot be reached: {_cause(error)}") from error
    except (exceptions.RequestException, ValueError) as error:  # urllib's word for a URL, or a number, that is none
        raise ModelError(f"{url}: cannot be read: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """What was first, as the system says it."""
    while error.__context__ is not None:
        error = error.__context__
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _retry_after(answer: requests.Response) -> float:
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else 0.0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
