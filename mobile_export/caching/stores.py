"""Where a cache keeps its files: a folder, of one user or shared, or any place that fsspec reaches.

A store may lose any of its files at any time, and hands out what it has without a look at it: `artifact_cache`
verifies.
"""

import contextlib
import importlib
import os
import re
import shutil
from pathlib import Path
from typing import Any, Protocol

from mobile_export.atomic import drafting
from mobile_export.caching.places import make_folder
from mobile_export.errors import MissingToolError, TargetError

_URL = re.compile(r"[a-z][a-z0-9+.-]+:(//|:)", re.IGNORECASE)  # two letters at least: C:\ is a folder


class Store(Protocol):
    """Files by name; names have slashes. Every method raises OSError where the place cannot be reached."""

    def fetch(self, name: str, to: Path) -> bool:
        """Write the file to `to`; whether there is one."""
        ...

    def put(self, name: str, path: Path) -> None:
        """Keep the file at `path`; one of that name and size that is there stays."""
        ...

    def discard(self, name: str) -> None:
        """Remove a file that turned out to be damaged."""
        ...


class FolderStore:
    """A folder. Its files bear the time of their last use, by which `pruning` goes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, name: str, to: Path) -> bool:
        path = self._folder / name
        try:
            shutil.copyfile(path, to)
        except FileNotFoundError:
            return False
        with contextlib.suppress(OSError):  # such as in a folder that may only be read
            os.utime(path)
        return True

    def put(self, name: str, path: Path) -> None:
        kept = self._folder / name
        try:
            if kept.stat().st_size == path.stat().st_size:
                os.utime(kept)
                return
        except FileNotFoundError:
            pass
        make_folder(str(self._folder), *Path(name).parent.parts)
        with contextlib.suppress(FileNotFoundError), drafting(kept) as draft, path.open("rb") as file:
            shutil.copyfileobj(file, draft)  # gone means pruned already, where next to nothing may be kept

    def discard(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


class RemoteStore:
    """A place that fsspec reaches. What an interrupted upload leaves is shorter, so that the next one replaces it."""

    def __init__(self, url: str) -> None:
        """Know how to reach `url`, without trying.

        Raises:
            TargetError: nothing reaches such places.
            MissingToolError: the package that does is not installed.
        """
        try:
            fsspec = importlib.import_module("fsspec.core")
            self._files, root = fsspec.url_to_fs(url)
        except ImportError as error:
            raise MissingToolError(
                f'--cache {url}: {error}; run: pip install "mobile-export[remote-cache]", and what that names'
            ) from error
        except ValueError as error:
            raise TargetError(f"--cache {url}: {error}; name a folder, or a URL that fsspec knows") from error
        self._root = str(root).rstrip("/")

    def fetch(self, name: str, to: Path) -> bool:
        try:
            self._call("get_file", f"{self._root}/{name}", str(to))
        except FileNotFoundError:
            return False
        return True

    def put(self, name: str, path: Path) -> None:
        remote = f"{self._root}/{name}"
        try:
            if self._call("size", remote) == path.stat().st_size:
                return
        except FileNotFoundError:
            pass
        self._call("makedirs", remote.rpartition("/")[0], exist_ok=True)
        self._call("put_file", str(path), remote)

    def discard(self, name: str) -> None:
        self._call("rm_file", f"{self._root}/{name}")

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self._files, method)(*arguments, **options)
        except OSError:
            raise
        except Exception as error:  # every client has errors of its own
            raise OSError(0, f"{type(error).__name__}: {error}") from error


def is_url(address: str) -> bool:
    """Whether a cache is reached by fsspec; other addresses are folders."""
    return _URL.match(address) is not None


def open_store(address: str) -> Store:
    """The store at `address`, a folder or a URL.

    Raises:
        TargetError: nothing reaches such places.
        MissingToolError: the package that does is not installed.
    """
    return RemoteStore(address) if is_url(address) else FolderStore(Path(address))
