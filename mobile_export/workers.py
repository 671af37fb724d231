"""Heavy work in processes of its own.

A converter that aborts then takes a worker with it and not the build, and independent branches use all cores; which
comes when, `scheduling` decides. Workers are spoken to over pipes alone, without shared locks or queues, which build
sandboxes forbid. Where the platform has it, they are forked from a server that has imported TensorFlow once; elsewhere
each starts afresh.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from mobile_export import machine
from mobile_export.errors import ConversionError, ExportError, ModelError, OutputError
from mobile_export.scheduling import Room, Schedule, Task

__all__ = ["TIMEOUT", "Task", "Watcher", "WorkerBug", "default_jobs", "default_memory", "prepare_server", "run"]

TIMEOUT = 1800.0
"""Seconds that a task may take."""
_GLANCE = 0.5
"""Seconds between two looks at the clock, and at whether it is time to stop."""

_PRELOAD = "mobile_export.preload"
_CRASHES = frozenset({"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV"})


class WorkerBug(Exception):
    """A worker raised something that is no ExportError: a bug of ours. Carries the worker's traceback."""


@dataclass
class _Running:
    task: Task
    process: Any
    pipe: Connection
    log: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def has_ended(self) -> bool:
        """Whether it has given its result, or will give none."""
        return self.pipe.poll() or not self.process.is_alive()

    @property
    def is_late(self) -> bool:
        """Whether it has taken longer than a task may."""
        return time.monotonic() - self.started > TIMEOUT


def default_jobs() -> int:
    """As many workers as there are cores to run them."""
    return machine.cores()


def default_memory() -> int | None:
    """Bytes that workers may take: not all that there is."""
    total = machine.memory()
    return None if total is None else total * 3 // 4


def prepare_server() -> None:
    """Let the server that workers are forked from import what they need, while the caller does something else."""
    if _forks():
        from multiprocessing import forkserver

        _context()
        forkserver.ensure_running()


class Watcher(Protocol):
    """Whoever wants to know how far the work is."""

    def busy(self, names: Sequence[str]) -> None:
        """These tasks run now."""
        ...

    def done(self, name: str, seconds: float) -> None:
        """A task has ended well."""
        ...


def run(
    tasks: Sequence[Task],
    jobs: int,
    watcher: Watcher | None = None,
    stop: threading.Event | None = None,
    memory: int | None = None,
) -> list[Any]:
    """Run `tasks`, at most `jobs` at once, in whatever order is fastest; their results in their own order.

    Args:
        watcher: is told when a task starts and ends.
        stop: may be set by another thread; then all are stopped.
        memory: bytes that tasks which run at once may take together.

    Returns:
        By task its result, or the error that it tolerates.

    Raises:
        ExportError: as the first failing task raised it; the others are stopped.
        ModelError: the model made a library abort.
        ConversionError: a worker died otherwise, or ran out of time or memory.
        WorkerBug: a worker raised anything else.
        CancelledError: `stop` is set.
    """
    schedule = Schedule(tasks, Room(jobs, memory))
    running: dict[Task, _Running] = {}
    leaving: list[_Running] = []
    place = tempfile.TemporaryDirectory(prefix="mobile-export-", ignore_cleanup_errors=True)
    with place as folder, _left(leaving), _stopping(running):
        while running or not schedule.is_done:
            if stop is not None and stop.is_set():
                raise concurrent.futures.CancelledError
            while (task := schedule.take(running)) is not None:
                if watcher is not None:
                    watcher.busy([*(other.name for other in running), task.name])
                if task.alone:
                    _see_off(leaving)
                threads = machine.cores() if task.alone else max(1, machine.cores() // min(jobs, len(tasks)))
                log = Path(folder) / f"{len(schedule.results) + len(running)}.log"
                running[task] = _start(task, schedule.arguments(task), log, threads)
            _wait(running.values())
            leaving[:] = [job for job in leaving if job.process.is_alive()]
            _collect(running, leaving, schedule, watcher)
    return [schedule.results[task] for task in tasks]


def _collect(
    running: dict[Task, _Running], leaving: list[_Running], schedule: Schedule, watcher: Watcher | None
) -> None:
    """Take the results of those that have ended, or run out of time."""
    for task, job in list(running.items()):
        if not job.has_ended and not job.is_late:
            continue
        result = _finish(job)
        schedule.done(task, result)
        leaving.append(running.pop(task))
        if watcher is not None:
            if not isinstance(result, ExportError):
                watcher.done(task.name, time.monotonic() - job.started)
            watcher.busy([other.name for other in running])


@contextlib.contextmanager
def _stopping(running: dict[Task, _Running]) -> Iterator[None]:
    """Stop whatever still runs when the block is left, by an error or Ctrl-C."""
    try:
        yield
    finally:
        for job in running.values():
            job.process.kill()
            job.process.join()


@contextlib.contextmanager
def _left(leaving: Collection[_Running]) -> Iterator[None]:
    """Wait for workers that have given their results, and still free what they held, while others start."""
    try:
        yield
    finally:
        _see_off(leaving)


def _see_off(leaving: Collection[_Running]) -> None:
    for job in leaving:
        job.process.join()


def _wait(running: Collection[_Running]) -> None:
    wait([job.pipe for job in running] + [job.process.sentinel for job in running], _GLANCE)


def _start(task: Task, arguments: tuple[Any, ...], log: Path, threads: int) -> _Running:
    context = _context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, str(log), threads, task.function, arguments), daemon=True)
    process.start()
    sender.close()
    return _Running(task, process, receiver, log)


def _forks() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods() and sys.platform == "linux"


def _context() -> Any:
    if _forks():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_PRELOAD])
        return context
    return multiprocessing.get_context("spawn")


def _finish(job: _Running) -> Any:
    """The result of a task that has ended, or the error that it tolerates."""
    try:
        return _result(job)
    except job.task.tolerated as error:
        return error


def _result(job: _Running) -> Any:
    if not job.has_ended:
        job.process.kill()
        raise ConversionError(f"{job.task.name}: stopped after {TIMEOUT:.0f} s")
    try:
        kind, value = job.pipe.recv()
    except EOFError:
        job.process.join()
        raise _death(job) from None
    if kind == "result":
        return value
    if kind == "memory":
        raise ConversionError(f"{job.task.name}: ran out of memory{_tail(job.log)}")
    if kind == "error":
        raise value
    raise WorkerBug(f"{job.task.name}:\n{value}")


def _death(job: _Running) -> ExportError:
    """The error for a worker that is gone."""
    code = job.process.exitcode or 0
    name = signal.Signals(-code).name if code < 0 else ""
    how = f"the worker was ended by {name}" if name else f"the worker ended with code {code}"
    said = f"{job.task.name}: {how}{_tail(job.log)}"
    if job.task.model is not None and name in _CRASHES:
        return ModelError(f"{job.task.model}: TensorFlow does not survive this model; export it again ({said})")
    return ConversionError(said)


def _tail(log: Path) -> str:
    """The last telling line that the worker's libraries wrote."""
    written = log.read_text(errors="replace") if log.exists() else ""  # it may have died before that
    lines = [line.strip() for line in written.splitlines() if line.strip()]
    return f"; it wrote last: {lines[-1][:300]}" if lines else ""


def _work(pipe: Connection, log: str, threads: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """The worker's main: everything that libraries print goes to the log."""
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except FileNotFoundError:
        return  # the build was interrupted while this worker was being started, and has cleaned up
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    tempfile.tempdir = str(Path(log).parent)  # what a worker leaves that is killed goes with the folder
    _limit_memory()
    machine.take(threads)
    try:
        pipe.send(("result", function(*arguments)))
    except ExportError as error:
        # without its causes: where tblib is installed, TensorFlow has them pickled along, and theirs cannot be
        error.__cause__ = error.__context__ = None
        pipe.send(("error", error.with_traceback(None)))
    except MemoryError:
        pipe.send(("memory", None))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        pipe.send(("error", OutputError(f"{place}{error.strerror or error}; is there room, and leave to write?")))
    except Exception:  # noqa: BLE001  the parent raises it again, with this traceback
        pipe.send(("bug", traceback.format_exc()))
    finally:
        pipe.close()


def _limit_memory() -> None:
    """No worker may take the whole machine; where the platform cannot limit it, nothing is limited."""
    try:
        import resource
    except ImportError:
        return
    limit = default_memory()
    if sys.platform == "linux" and limit is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
