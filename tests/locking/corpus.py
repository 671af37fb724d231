"""The locks in `locks/`, by which every reader is measured; its README says how they are marked."""

from pathlib import Path

LOCKS = sorted((Path(__file__).parent / "locks").glob("*.lock"))
TARGET = "app"
"""Is in every lock that is read."""
CONTENT = b"model"
"""Of every file in it."""


def refused_line(lock: Path) -> int | None:
    """The number of the line that is refused; None where the lock is read."""
    lines = [line.rstrip(b"\r") for line in lock.read_bytes().split(b"\n")]
    return lines.index(b"# refused") + 2 if b"# refused" in lines else None
