"""One at a time: whoever works on the same thing waits, on this machine or on one that shares the disk."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mobile_export.errors import OutputError

_LOCK = ".lock-"


@contextlib.contextmanager
def alone(folder: Path, name: str, waiting: Callable[[], object] = bool, timeout: float = -1) -> Iterator[float]:
    """Nobody else works on `folder / name` meanwhile; who was killed holds nothing.

    Args:
        waiting: is called once, if there is somebody to wait for.
        timeout: seconds to wait at most; negative: as long as it takes.

    Yields:
        Seconds that were waited.

    Raises:
        OutputError: nothing can be written there, or somebody else does not end.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / f"{_LOCK}{name}")
    begun = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waiting()
            lock.acquire(timeout)
    except Timeout as error:
        raise OutputError(
            f"{folder / name}: another process has been at work there for {timeout:.0f} s; end it, and try again"
        ) from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}; choose another folder with --out") from error
    try:
        yield time.monotonic() - begun
    finally:
        if os.name == "posix":  # whoever waits for a file that is gone makes another; Windows removes no open file
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
