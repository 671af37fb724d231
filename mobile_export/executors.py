"""Where many independent calls run: in worker processes here, or on the workers of a Dask cluster.

Both are `concurrent.futures` executors. A cluster's workers share no disk with us: what calls read is sent to each of
them once, and what they return is plain data.
"""

import atexit
import concurrent.futures
import contextlib
import functools
import hashlib
import logging
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_export import workers
from mobile_export.errors import ConversionError, MissingToolError, TargetError
from mobile_export.planning.keys import versions
from mobile_export.published.artifact_files import files_of
from mobile_export.report.terminal import format_bytes

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer, and to have a worker."""
LARGEST_PARCEL = 1_000_000_000
"""Bytes that are sent to each worker of a cluster, which holds them in memory and once more on disk."""
KEPT_FOLDERS = 2
"""Unpacked folders that a process of a cluster keeps: those of the search that runs, and of one beside it."""
_DASK = re.compile(r"dask://([\w.\-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")


@dataclass(frozen=True)
class Parcel:
    """The files of a folder, for a worker that cannot read it.

    Attributes:
        files: content by path below the folder, with forward slashes.
        digest: of all that.
    """

    files: Mapping[str, bytes]
    digest: str

    @classmethod
    def of(cls, folder: Path, names: Sequence[str]) -> "Parcel":
        """The files and folders of these names, as far as they are there.

        Raises:
            TargetError: they are too large to be sent.
        """
        roots = {name: files_of(folder / name) for name in names if (folder / name).exists()}
        sizes = {name: sum(path.stat().st_size for path in paths) for name, paths in roots.items()}
        if sum(sizes.values()) > LARGEST_PARCEL:
            largest = max(sizes, key=lambda name: sizes[name])
            raise TargetError(
                f"--executor: the model and the samples take {format_bytes(sum(sizes.values()))}, most of "
                f"it {largest} ({format_bytes(sizes[largest])}), more than the {format_bytes(LARGEST_PARCEL)} that "
                "are sent to a cluster; draw fewer with samples, or leave --executor out"
            )
        paths = sorted(path for found in roots.values() for path in found)
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        digest = hashlib.sha256()
        for name, content in files.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + hashlib.sha256(content).digest())
        return cls(files, digest.hexdigest())


Place = Path | Parcel
"""A folder, or what makes one."""


@dataclass(frozen=True)
class Crew:
    """Who runs calls.

    Attributes:
        executor: takes functions that can be imported by name, with picklable arguments.
        share: what to pass to calls that read files of those names in a folder; they call `opened` on it.
        deaths: what a future raises when the process that ran its call is gone, or has no memory left.
        remote: whether it runs on other machines, as far as we know.
    """

    executor: concurrent.futures.Executor
    share: Callable[[Path, Sequence[str]], Any]
    deaths: tuple[type[Exception], ...] = (ConversionError,)
    remote: bool = False


@contextlib.contextmanager
def open_crew(address: str | None, jobs: int, tools: Sequence[str] = ()) -> Iterator[Crew]:
    """Whoever is at `address`, such as `dask://10.0.0.7:8786`; by default worker processes here, `jobs` at once.

    Args:
        tools: packages that must have the same versions there as here.

    Raises:
        TargetError: the address cannot be understood.
        MissingToolError: Dask is not installed, nobody answers there, or the workers there have other tools.
    """
    if address is None:
        with _local(jobs) as executor:
            yield Crew(executor, lambda folder, _: folder)
        return
    with _dask(scheduler(address), tools) as crew:
        yield crew


def scheduler(address: str) -> str:
    """`HOST:PORT` of what `--executor` says.

    Raises:
        TargetError: it cannot be understood.
    """
    found = _DASK.fullmatch(address)
    if found is None or not 0 < int(found[2]) < 1 << 16:
        raise TargetError(f"--executor {address}: not understood; write dask://HOST:PORT")
    return f"{found[1]}:{found[2]}"


def opened(place: Place) -> Path:
    """The folder that a call was given; unpacked once a process, for as long as not many others are."""
    return place if isinstance(place, Path) else _unpacked(place)


_unpacking = threading.Lock()
_folders: dict[str, Path] = {}
"""Unpacked parcels by their digests, the one that was used last at the end."""


def _unpacked(parcel: Parcel) -> Path:
    with _unpacking:
        folder = _folders.pop(parcel.digest, None) or _unpack(parcel)
        _folders[parcel.digest] = folder
        while len(_folders) > KEPT_FOLDERS:
            shutil.rmtree(_folders.pop(next(iter(_folders))), ignore_errors=True)
        return folder


def _unpack(parcel: Parcel) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mobile-export-"))
    try:
        for name, content in parcel.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError:  # such as a full disk, which should not stay full
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


@atexit.register
def _remove_folders() -> None:
    for folder in _folders.values():
        shutil.rmtree(folder, ignore_errors=True)


class WorkerExecutor(concurrent.futures.Executor):
    """Runs each call in a worker process of its own; a call that takes its process along fails alone."""

    def __init__(self, jobs: int) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(jobs)
        self._stop = threading.Event()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "concurrent.futures.Future[Any]":
        """As soon as a worker is free."""
        name = fn.__name__.replace("_", " ")
        return self._threads.submit(self._run, workers.Task(name, functools.partial(fn, **kwargs), args))

    def _run(self, task: workers.Task) -> Any:
        (result,) = workers.run([task], jobs=1, stop=self._stop)
        return result

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the calls end that have begun."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)

    def abandon(self) -> None:
        """End whatever runs."""
        self._stop.set()
        self._threads.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _local(jobs: int) -> Iterator[WorkerExecutor]:
    executor = WorkerExecutor(jobs)
    try:
        yield executor
    except BaseException:  # Ctrl-C above all: nobody waits for what is not wanted any more
        executor.abandon()
        raise
    executor.shutdown()


@contextlib.contextmanager
def _dask(address: str, tools: Sequence[str]) -> Iterator[Crew]:
    try:
        import distributed
    except ImportError as error:
        raise MissingToolError(
            f"--executor dask://{address}: Dask cannot be imported ({error}); run: pip install "
            '"mobile-export[distributed]"'
        ) from error
    with _silenced("distributed", "distributed.client"):  # what goes wrong comes as an exception
        try:
            client = distributed.Client(f"tcp://{address}", timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise MissingToolError(
                f"--executor dask://{address}: no Dask scheduler answers there; start one with: dask scheduler"
            ) from error
        with client:
            _check_workers(client, address, tools)
            yield Crew(
                client.get_executor(pure=False),
                lambda folder, names: client.scatter(Parcel.of(folder, names), broadcast=True),
                (ConversionError, MemoryError, distributed.KilledWorker),
                remote=True,
            )


@contextlib.contextmanager
def _silenced(*names: str) -> Iterator[None]:
    """Loggers of these names say nothing that is not critical, until the block is left."""
    before = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    try:
        for logger in before:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)


def _check_workers(client: Any, address: str, tools: Sequence[str]) -> None:
    """Workers with other tools would make other files."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        theirs: Mapping[str, Any] = client.run(versions, list(tools), on_error="return")
    except TimeoutError as error:
        raise MissingToolError(
            f"--executor dask://{address}: the scheduler has no workers; start some with: dask worker {address}"
        ) from error
    ours = versions(tools)
    for worker, found in theirs.items():
        if isinstance(found, Exception):
            raise MissingToolError(
                f"--executor dask://{address}: {worker} says: {found}; install there what is installed here"
            )
        other = [name for name in ours if found.get(name) != ours[name]]
        if other:
            raise MissingToolError(
                f"--executor dask://{address}: {other[0]} is {ours[other[0]]} here and "
                f"{found.get(other[0], 'missing')} on {worker}; install the same on all"
            )
