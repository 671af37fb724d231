"""The output folder: built by one at a time, aside, then put in place whole."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mobile_export.errors import OutputError

_STAGING = ".staging-"
_RETIRED = ".retired-"


@contextlib.contextmanager
def staging(out: Path, name: str) -> Iterator[Path]:
    """An empty folder on the same disk as `out / name`; removed afterwards unless it was published.

    To be used while `alone`: what other builds of that name left is finished or removed.

    Raises:
        OutputError: nothing can be written there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _recover(out, name)
        for stale in out.glob(f"{_STAGING}{name}-*"):
            clear(stale)
        folder = out / f"{_STAGING}{name}-{os.urandom(16).hex()}"
        folder.mkdir()
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}; choose another folder with --out") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(staged: Path, out: Path, name: str) -> Path:
    """Put the staged folder in the place of `out / name`; on any error what was there before stays.

    Raises:
        OutputError: the folder cannot be replaced.
    """
    final = out / name
    retired = out / f"{_RETIRED}{name}"
    try:
        if final.exists():
            final.rename(retired)
        try:
            staged.rename(final)
        except OSError:
            if retired.exists():
                retired.rename(final)
            raise
    except OSError as error:
        raise OutputError(
            f"{final}: cannot be replaced: {error.strerror}; close what uses it and build again"
        ) from error
    clear(retired)
    return final


def clear(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _recover(out: Path, name: str) -> None:
    """Finish what a build that was killed between the two renames left."""
    retired = out / f"{_RETIRED}{name}"
    if retired.exists():
        if (out / name).exists():
            clear(retired)
        else:
            retired.rename(out / name)
