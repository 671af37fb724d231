"""Files of class names: text, one name a line.

A line ends at a line feed, before which one carriage return is dropped, and at nothing else, as in readers of such
files on phones: a name may hold any other character, and classes would be shifted otherwise.
"""

from pathlib import Path

from mobile_export.errors import ModelError

LARGEST = 1 << 24
"""Bytes of a file of names; what is larger is something else."""


def read_labels(path: Path) -> tuple[str, ...]:
    """The names, in the order of the classes.

    Raises:
        ModelError: the file cannot be read, or is no text.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ModelError(f"{path}: too large for class names; name a text file with one a line")
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8, one class name a line") from error
    lines = text.removesuffix("\n").split("\n") if text else []
    return tuple(line.removesuffix("\r") for line in lines)
