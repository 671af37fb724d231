"""How every benchmark measures: whole processes, by turns with their peer, in one run on one machine.

`measure` runs a command and gives its seconds, its CPU seconds and the peak of its memory; `alternate` lets several
take turns, so that a machine that grows slower does so for all of them; `peaks_and_times` looks at memory and time in
runs of their own, since counting pages costs time. What is found is a `Result` (`benchmarks/result.py`).

Memory is the proportional set size (PSS) of all processes that a command starts, added up: of a page that several
processes share, as forked ones do, each has its share, so the sum is what the machine has to find for them. Linux
alone counts it. A process that lost its parent, as a server in the background does, is adopted by the one that
measures, and counted as before.
"""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import IO, TypeVar

import psutil

PYTHON = sys.executable
INTERVAL = 0.02  # seconds between two looks at the processes
SHARE = 0.1  # of a core that reading may take: PSS is counted page by page, 18 ms for a gigabyte of small pages
ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
PATIENCE = 5.0  # seconds for a server to see that whom it served has gone

Name = TypeVar("Name")
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A command that has ended well; its peak is 0 where its memory was not looked at."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str
    log: str


class CommandFailed(Exception):
    """A command ended with an error, or did not end in time."""


def measure(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 600.0,
    memory: bool = True,
) -> Run:
    """Run a command in `folder`, with `environment` added to our own.

    Args:
        timeout: seconds after which it is ended.
        memory: whether its peak is sampled, beside the command.

    Raises:
        CommandFailed: It ended with an error, or did not end in `timeout` seconds.
    """
    _adopt_orphans()
    words = [str(word) for word in command]
    own = {child.pid for child in psutil.Process().children(recursive=True)}
    spent = _cpu_of_ended()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:
        begun = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            words, cwd=folder, env=os.environ | dict(environment or {}), stdout=output, stderr=log
        )
        with _Memory(own) if memory else nullcontext() as sampled, _Alarm(timeout, own) as alarm:
            code = process.wait()
            seconds = time.perf_counter() - begun
        _end_what_is_left(own)
        run = Run(
            seconds=seconds,
            cpu_seconds=_cpu_of_ended() - spent,
            peak_bytes=sampled.peak if sampled else 0,
            output=_text(output),
            log=_text(log),
        )
    if code:
        end = f"was ended after {timeout:g} s" if alarm.rang else f"ended with code {code}"
        raise CommandFailed(f"{' '.join(words)}\n{run.output[-2000:]}\n{run.log[-4000:]}\nThe command above {end}.")
    return run


def alternate(commands: Mapping[Name, Callable[[], Run]], runs: int) -> dict[Name, tuple[Run, ...]]:
    """Let all have a turn, `runs` times, every second round in reverse order; a line of each on stderr."""
    found: dict[Name, list[Run]] = {name: [] for name in commands}
    for number in range(runs):
        for name in _there_and_back(list(commands), number):
            run = commands[name]()
            found[name].append(run)
            peak = f", {run.peak_bytes / 1e6:.0f} MB" if run.peak_bytes else ""
            print(f"{name}: {run.seconds:.2f} s{peak}", file=sys.stderr, flush=True)
    return {name: tuple(each) for name, each in found.items()}


def peaks_and_times(
    commands: Mapping[Name, Callable[[bool], Run]], runs: int
) -> tuple[dict[Name, tuple[Run, ...]], dict[Name, tuple[Run, ...]]]:
    """One run of each command with its memory sampled, to take peaks from; then `runs` without, to take times from.

    The first also fills the disk's cache and Python's. Sampling takes time from whoever uses all cores, so it has no
    part in the times; where `runs` is 0, for a quick look, the sampled runs are given for both.

    Args:
        commands: what runs each, told whether its memory is to be sampled.
    """
    peaks = alternate({name: partial(command, True) for name, command in commands.items()}, 1)
    times = alternate({name: partial(command, False) for name, command in commands.items()}, runs)
    return peaks, times if runs else peaks


def apart(function: Callable[..., T], *arguments: object) -> T:
    """What a function gives in a process of its own.

    What is done between measurements goes there: if this process had loaded TensorFlow, the commands that are measured
    would share the library's pages with it, and half of them would be missing from their memory.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _there_and_back(names: list[Name], number: int) -> Iterable[Name]:
    return reversed(names) if number % 2 else names


class _Memory:
    """The largest PSS of all processes that come from this one, sampled in a thread.

    The resident set, which costs nothing to ask, is never smaller than the PSS: where that of all processes is
    below the peak already found, none of their pages has to be counted.
    """

    def __init__(self, own: set[int]) -> None:
        self.peak = 0
        self._own = own
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            begun = time.thread_time()
            processes = _children(self._own)
            if sum(_resident(process) for process in processes) > self.peak:
                self.peak = max(self.peak, sum(_proportional(process) for process in processes))
            pause = max(INTERVAL, (time.thread_time() - begun) / SHARE)


class _Alarm:
    """Ends all processes that come from this one when their time is over."""

    def __init__(self, seconds: float, own: set[int]) -> None:
        self.rang = False
        self._own = own
        self._timer = threading.Timer(seconds, self._ring)

    def __enter__(self) -> "_Alarm":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _ring(self) -> None:
        self.rang = True
        for process in _children(self._own):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)


def _children(own: set[int]) -> list[psutil.Process]:
    """All processes that come from this one, but for those in `own`."""
    return [child for child in psutil.Process().children(recursive=True) if child.pid not in own]


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _proportional(process: psutil.Process) -> int:
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _adopt_orphans() -> None:
    """Become the parent of whatever loses its own among our descendants."""
    if sys.platform != "linux":
        raise CommandFailed("The proportional set size of processes is known on Linux alone: measure there.")
    if ctypes.CDLL(None, use_errno=True).prctl(ADOPT_ORPHANS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _end_what_is_left(own: set[int]) -> None:
    """Wait for servers to end, end those that do not, and take note of what all of them have spent."""
    _, alive = psutil.wait_procs(_children(own), timeout=PATIENCE)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=PATIENCE)


def _cpu_of_ended() -> float:
    """Seconds of CPU of all processes that came from this one and have ended."""
    import resource  # Windows has none, where the page can still be made

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
