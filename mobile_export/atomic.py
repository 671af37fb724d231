"""Files that are there whole or not at all, whoever reads them meanwhile."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mobile_export.errors import OutputError

PART = ".part"
"""How the name of a file ends that is not whole yet."""


@contextlib.contextmanager
def replacing(path: Path, aside: Path | None = None) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` when all went well; folders are made as needed.

    Args:
        aside: where it is written, a folder on the same disk; default: that of `path`.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with drafting(path, aside) as file:
            yield file
    except OSError as error:
        if error.filename2 is not None:  # of a rename
            raise _held(path, error) from error
        raise OutputError(
            f"{path}: cannot be written: {error.strerror}; make room there, or choose another folder"
        ) from error


@contextlib.contextmanager
def drafting(path: Path, aside: Path | None = None) -> Iterator[IO[bytes]]:
    """As `replacing`, for those who know what an OSError means to them.

    The name of the draft is like no other, also on machines and in containers that share the disk; who may read it is
    for the umask and the folder to say, as with any file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = (aside or path.parent) / f".{path.name[:40]}-{os.urandom(16).hex()}{PART}"
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def move(made: Path, path: Path) -> None:
    """Put the file `made`, on the same disk, in the place of `path`.

    Raises:
        OutputError: something holds `path`, or it is a folder.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.replace(path)
    except OSError as error:
        raise _held(path, error) from error


def _held(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be replaced: {error.strerror}; close what uses it")
