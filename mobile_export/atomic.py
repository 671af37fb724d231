"""Files that are there whole or not at all, whoever reads them meanwhile."""

import contextlib
import os
import tempfile
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
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(PART, f".{path.name[:40]}-", aside or path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        move(temporary, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; make room, or choose another disk") from error
    finally:
        temporary.unlink(missing_ok=True)


def move(made: Path, path: Path) -> None:
    """Put the file `made`, on the same disk, in the place of `path`, where others may read it.

    Raises:
        OutputError: something holds `path`, or it is a folder.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.chmod(0o644)  # temporary files are private
        made.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be replaced: {error.strerror}; close what uses it") from error
