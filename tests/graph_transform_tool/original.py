"""TensorFlow's own Graph Transform Tool, whose C++ its wheel still holds, run in a process of its own: it may abort.

original(graph_def, ["x"], ["y"], "fold_batch_norms")
"""

import atexit
import functools
import subprocess
import sys
import threading

from mobile_export.graphs.protos import GraphDef

SECONDS = 60
"""How long one call may take; the original has loops that never end."""

_PROGRAM = """
import os, struct, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow
from tensorflow.python.util import _pywrap_transform_graph as tool
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)

def read():
    size = sys.stdin.buffer.read(8)
    return sys.stdin.buffer.read(struct.unpack("<Q", size)[0]) if size else sys.exit()

while True:
    arguments = [read() for _ in range(4)]
    try:
        kind, result = b"+", tool.TransformGraphWithStringInputs(*arguments)
    except Exception as error:
        kind, result = b"-", str(error).encode()
    answers.write(kind + struct.pack("<Q", len(result)) + result)
    answers.flush()
"""


class OriginalError(Exception):
    """The original refused."""


class OriginalAborted(Exception):
    """The original ended its process, or came to no end."""


def original(graph_def: GraphDef, inputs: list[str], outputs: list[str], transforms: str) -> GraphDef:
    """What the original makes of `graph_def`.

    Raises:
        OriginalError: it refused; the text is its own.
        OriginalAborted: its process died or had to be ended.
    """
    process = _process()
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    try:
        for argument in (
            graph_def.SerializeToString(),
            ",".join(inputs).encode(),
            ",".join(outputs).encode(),
            transforms.encode(),
        ):
            process.stdin.write(len(argument).to_bytes(8, "little") + argument)
        process.stdin.flush()
        kind = process.stdout.read(1)
        result = process.stdout.read(int.from_bytes(process.stdout.read(8), "little"))
    except BrokenPipeError:
        kind = b""
    finally:
        timer.cancel()
    if not kind:
        _process.cache_clear()
        raise OriginalAborted(f"exit code {process.wait()}")
    if kind == b"-":
        raise OriginalError(result.decode())
    return GraphDef.FromString(result)


@functools.cache
def _process() -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    atexit.register(process.kill)
    return process
