"""Files that hold one protobuf message."""

from pathlib import Path

from mobile_export.errors import ModelError

LARGEST = (1 << 31) - 1
"""Bytes of the largest message that protobuf reads."""


def check_size(path: Path) -> None:
    """Refuse a file that is larger than any message, before it is hashed or read; a file of any size costs nothing.

    Raises:
        ModelError: it is, or it cannot be looked at.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; name the file that holds the graph") from error
    if size > LARGEST:
        raise ModelError(
            f"{path}: has {size} bytes, and protobuf reads no message above 2 GB; bring the graph without its weights, "
            "and these as a checkpoint"
        )
