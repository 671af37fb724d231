"""What the tests of `workers` run in workers: functions that end in every way a worker can end."""

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from mobile_export.errors import MissingToolError, ModelError


def add(first: int, second: int) -> int:
    return first + second


def sleep(seconds: float, result: str) -> str:
    time.sleep(seconds)
    return result


def meet(folder: Path, name: str, expected: int) -> int:
    """Wait a moment, and longer for as many others as are `expected`; returns how many were at work at once."""
    (folder / name).touch()
    seen, started = 0, time.monotonic()
    while time.monotonic() < started + (0.1 if seen >= expected else 5):
        seen = max(seen, len(list(folder.iterdir())))
        time.sleep(0.01)
    (folder / name).unlink()
    return seen


def leave_files() -> None:
    """Die with files in a temporary folder."""
    Path(tempfile.mkdtemp(), "left").touch()
    os.kill(os.getpid(), signal.SIGTERM)


def process_id() -> int:
    return os.getpid()


def answer_and_stay(seconds: float) -> int:
    """Give a result long before this process ends; which it is."""
    threading.Thread(target=time.sleep, args=(seconds,)).start()
    return os.getpid()


def is_at_work(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def refuse(message: str) -> None:
    raise ModelError(message)


def refuse_because() -> None:
    """With a cause that cannot be pickled."""
    try:
        raise ValueError(lambda: None)
    except ValueError as error:
        raise ModelError("model.ckpt: is gone") from error


def refuse_for_want_of_a_tool() -> None:
    raise MissingToolError("no such tool")


def stumble() -> None:
    raise KeyError("a mistake of ours")


def abort(*lines: str) -> None:
    """As C++ does after `LLVM ERROR`: a last word on stderr, past Python, and SIGABRT."""
    for line in lines:
        os.write(2, line.encode())
    os.abort()


def abort_on_a_model(*_: object) -> None:
    """In the place of what reads or runs a model: TensorFlow's CHECKs that fail are refused before, where known."""
    abort("F0000 executor.cc:1] Check failed: frame != nullptr\n")


def kill_myself() -> None:
    """As the system does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def leave(code: int, last_words: str = "") -> None:
    os.write(2, last_words.encode())
    os._exit(code)


def leave_politely(code: int) -> None:
    sys.exit(code)


def run_out_of_memory() -> int:
    return len(bytearray(1 << 50))


def bytes_of(count: int) -> bytes:
    return b"x" * count


def unpicklable() -> object:
    return lambda: None


def chatter() -> str:
    """Write on both streams, through Python and past it."""
    print("noise through Python")
    print("noise through Python", file=sys.stderr)
    os.write(1, b"noise past Python\n")
    os.write(2, b"noise past Python\n")
    os.system("echo noise of a child; echo noise of a child >&2")
    return "done"


def touch(path: Path) -> None:
    path.touch()


def is_there(path: Path) -> bool:
    return path.exists()
