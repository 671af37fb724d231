"""Programs that are ended with all that they have started: in time, and when whoever waits for them is interrupted.

Each has a session of its own, where the system has such: a terminal's Ctrl-C reaches this process alone, which ends
them.
"""

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from signal import Signals
from typing import Any
from weakref import WeakSet

_OF_THREAD = threading.local()


class _Started:
    """The processes that threads of a pool have started, and may start, until they are ended."""

    def __init__(self) -> None:
        self._processes: WeakSet[subprocess.Popen[Any]] = WeakSet()
        self._lock = threading.Lock()
        self._over = False

    def join(self) -> None:
        """What this thread starts from now on is one of them."""
        _OF_THREAD.started = self

    def start(self, command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        with self._lock:
            if self._over:
                raise KeyboardInterrupt
            process = _start(command, **options)
            self._processes.add(process)
            return process

    def end(self) -> None:
        with self._lock:
            self._over = True
            for process in self._processes:
                if process.returncode is None:
                    kill(process)


@contextmanager
def threads(most: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads; where the block is left by an error, Ctrl-C above all, what they have started is killed."""
    started = _Started()
    with ThreadPoolExecutor(most, initializer=started.join) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            started.end()
            raise


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a program; whoever does so sees that it is killed.

    Raises:
        OSError: it cannot be started.
    """
    started: _Started | None = getattr(_OF_THREAD, "started", None)
    return started.start(command, **options) if started else _start(command, **options)


def run(command: Sequence[str], seconds: float, **options: Any) -> "subprocess.CompletedProcess[Any]":
    """Run a program that asks nothing, to its end.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it takes longer.
    """
    with start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            kill(process)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def kill(process: "subprocess.Popen[Any]") -> None:
    """End a program that was started here, and what it has started, if anything of it still runs."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):  # the latter of what has ended, on a Mac
            os.killpg(process.pid, Signals.SIGKILL)
    else:
        process.kill()


def _start(command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
    return subprocess.Popen(list(command), start_new_session=True, **options)  # noqa: S603
