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
import multiprocessing
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
from mobile_export.keys import versions

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer, and to have a worker."""
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
        """The files and folders of these names, as far as they are there."""
        roots = [folder / name for name in names]
        paths = sorted(p for root in roots for p in (root.rglob("*") if root.is_dir() else [root]) if p.is_file())
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
        deaths: what a future raises when the process that ran its call is gone.
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
    found = _DASK.fullmatch(address)
    if found is None:
        raise TargetError(f"--executor {address}: not understood; write dask://HOST:PORT")
    with _dask(f"{found[1]}:{found[2]}", tools) as crew:
        yield crew


def opened(place: Place) -> Path:
    """The folder that a call was given; unpacked once a process, whatever the number of calls."""
    return place if isinstance(place, Path) else _unpacked(place)


_unpacking = threading.Lock()
_folders: dict[str, Path] = {}


def _unpacked(parcel: Parcel) -> Path:
    with _unpacking:
        if parcel.digest not in _folders:
            folder = Path(tempfile.mkdtemp(prefix="mobile-export-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            for name, content in parcel.files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            _folders[parcel.digest] = folder
        return _folders[parcel.digest]


class WorkerExecutor(concurrent.futures.Executor):
    """Runs each call in a worker process of its own; a call that takes its process along fails alone."""

    def __init__(self, jobs: int) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(jobs)
        self._others = {*multiprocessing.active_children()}

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "concurrent.futures.Future[Any]":
        """As soon as a worker is free."""
        name = fn.__name__.replace("_", " ")
        return self._threads.submit(_in_worker, workers.Task(name, functools.partial(fn, **kwargs), args))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the calls end that have begun."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)

    def abandon(self) -> None:
        """End whatever runs."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        ended = threading.Thread(target=self._threads.shutdown)
        ended.start()
        while ended.is_alive():
            for process in {*multiprocessing.active_children()} - self._others:
                process.kill()
            ended.join(timeout=0.1)


def _in_worker(task: workers.Task) -> Any:
    (result,) = workers.run([task], jobs=1)
    return result


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
    for name in ("distributed", "distributed.client"):  # what goes wrong comes as an exception
        logging.getLogger(name).setLevel(logging.CRITICAL)
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
            (ConversionError, distributed.KilledWorker),
            remote=True,
        )


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
