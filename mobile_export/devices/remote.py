"""The runner, a C program that runs files in a phone's runtime, as a process: started, spoken to, and ended."""

import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import PurePath
from signal import Signals
from typing import IO, cast

from mobile_export.devices import processes, wire
from mobile_export.devices.wire import Edged
from mobile_export.errors import MissingToolError
from mobile_export.graphs.tensors import Array

_RUNTIMES = {"tflite": "litert", "onnx": "onnxruntime", "ort": "onnxruntime"}
_LINES = 30
_LINE = 2**12
_LEAVE_SECONDS = 5.0
"""What a runner that has said its last may take to end."""


def runner_arguments(
    kind: str, library: PurePath | str, model: PurePath | str, threads: int = 1, kernels: str = "default"
) -> list[str]:
    """What follows the runner's own path on its command line.

    Args:
        kind: the format of the file `model`.
        library: the shared library of its runtime.
        kernels: `default`, or `builtin` for LiteRT's own, without XNNPACK.
    """
    return [_RUNTIMES[kind], str(library), str(model), str(threads), kernels]


@contextmanager
def open_remote(command: Sequence[str], host: Edged, what: str, seconds: float) -> Iterator["RemoteRunner"]:
    """Start a runner, which lives as long as the context, and no longer than this process.

    Args:
        command: the runner with its arguments, and before it what runs it.
        host: the file's edges, as this computer has them.
        what: the file and where it runs, for errors.
        seconds: what loading and all answers may take together.

    Raises:
        ConversionError: the file does not load there, or has other edges; calls raise it where it does not run.
        NotRunnableError: the runner cannot carry what the file has, such as strings; calls raise it, too.
        MissingToolError: the command cannot be started.
    """
    try:
        process = processes.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise MissingToolError(f"{command[0]}: cannot be started: {error.strerror or error}") from error
    child = _Child(process, seconds)
    try:
        yield RemoteRunner(child, host, what)
    finally:
        child.end()


class RemoteRunner:
    """A file that is loaded in a runner; a `Runner`."""

    def __init__(self, child: "_Child", host: Edged, what: str) -> None:
        """Wait until the file is loaded.

        Raises:
            ConversionError: it does not load, has other edges, or takes too long.
            NotRunnableError: the runner cannot carry its edges.
        """
        self.inputs, self.outputs = host.inputs, host.outputs
        self._child, self._what, self._answered = child, what, 0
        with self._judged():
            self._there = wire.receive_edges(child.answers, host)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run one batch. After an error there are no more answers.

        Raises:
            ModelError: an input has another element type than the file.
            ConversionError: it does not run, takes too long, or the answer makes no sense.
            NotRunnableError: the runner cannot carry its outputs.
        """
        request = b"".join(wire.request(self._there, feeds, self._what))
        with self._judged():
            self._child.send(request)
            answers = wire.receive_answer(self._child.answers, self._there)
        self._answered += 1
        return {edge.name: answers[edge.name] for edge in self.outputs}

    def _judged(self) -> AbstractContextManager[None]:
        return wire.judged(self._what, lambda error: self._child.reason(error, self._answered))


class _Child:
    """A process that is spoken to over pipes.

    Time is kept by killing it, with all that it has started, which on any system ends whatever waits for it. What it
    prints is read all the while, lest it waits for that. Should this process be killed, its pipes close, and the runner
    ends by itself.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.answers, self._requests = cast(IO[bytes], process.stdout), cast(IO[bytes], process.stdin)
        self._process, self._seconds, self._late, self._stopped = process, seconds, False, False
        self._printed: deque[bytes] = deque(maxlen=_LINES)
        self._listener = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        self._listener.start()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def send(self, request: bytes) -> None:
        """Write all of it; where the process has ended, what it has said before will tell why."""
        with suppress(OSError):
            self._requests.write(request)
            self._requests.flush()

    def reason(self, error: wire.WireError, answered: int) -> str:
        """What went wrong after so many answers, as far as the process, which ends now, has said."""
        self._stop(_LEAVE_SECONDS if isinstance(error, wire.ToldError | wire.CutError) else 0)
        if self._late and not answered:
            return f"no answer within {self._seconds:g} seconds"
        if self._late:
            return (
                f"only {answered} answers came within {self._seconds:g} seconds; run fewer samples: in a target, lower "
                "samples in [device]"
            )
        if isinstance(error, wire.ToldError):  # LiteRT prints what it does not hand out
            return "; ".join([str(error), *[line for line in self._lines() if line.startswith("ERROR")][-1:]])
        if isinstance(error, wire.CutError):
            return ": ".join([f"it ended with {_ending(self._process.returncode)}", *self._lines()[-1:]])
        return str(error)

    def _lines(self) -> list[str]:
        """What it has printed last, without what the emulator makes of its end."""
        lines = (wire.printable(raw.decode(errors="replace")) for raw in list(self._printed))
        return [line for line in lines if line and not line.startswith("qemu: uncaught target signal")]

    def end(self) -> None:
        """See that nothing is left of the process."""
        self._stop()
        for stream in (self._requests, self.answers):
            with suppress(OSError):  # what was not read there is of no use any more
                stream.close()

    def _stop(self, patience: float = 0) -> None:
        if self._stopped:  # its number may be another's by now
            return
        self._timer.cancel()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        processes.kill(self._process)
        self._process.wait()
        self._listener.join(_LEAVE_SECONDS)
        self._stopped = True

    def _expire(self) -> None:
        self._late = True
        processes.kill(self._process)

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(_LINE):
                self._printed.append(line)


def _ending(code: int) -> str:
    """What a process's code says; negative: a signal."""
    if code >= 0:
        return f"code {code}"
    try:
        return f"signal {Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
