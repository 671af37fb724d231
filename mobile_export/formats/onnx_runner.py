"""ONNX Runtime on the CPU: sessions, their options, and its errors in a sentence."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_export import machine
from mobile_export.errors import ConversionError
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge
from mobile_export.tools import import_tool

if TYPE_CHECKING:
    from onnx import ModelProto

MOST_BYTES = 2**31 - 1
"""What a protobuf message, and so a single .onnx file, can hold."""

_DTYPES = {"float": "float32", "double": "float64"}  # others are called as in NumPy
_NODE = re.compile(r"node with name '(.+?)'")
_NOISE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed: ?")


class OnnxRunner:
    """An .onnx or .ort file in ONNX Runtime, with the optimizations of an app's session; a `Runner`."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Load `path`, to run in so many threads; default: this process's share of the cores.

        Raises:
            ConversionError: ONNX Runtime does not load it.
        """
        self._session = load(str(path), session_options(threads), path.name)
        self.inputs = tuple(_edge(arg) for arg in self._session.get_inputs())
        self.outputs = tuple(_edge(arg) for arg in self._session.get_outputs())

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        return run(self._session, {edge.name: feeds[edge.name] for edge in self.inputs})


def run(session: Any, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """All outputs of a session, by name.

    Raises:
        ConversionError: an operator fails, or the inputs are not those of the model.
    """
    names = [output.name for output in session.get_outputs()]
    try:
        answers = session.run(names, dict(feeds))
    except runtime_errors() as error:
        raise ConversionError(f"ONNX Runtime does not run the model: {message_of(error)}") from error
    return dict(zip(names, answers, strict=True))


def session_options(threads: int | None = None, level: str = "ENABLE_ALL") -> Any:
    """Options of an app's session.

    Args:
        threads: default: this process's share of the cores.
        level: of optimization: `DISABLE_ALL`; `ENABLE_BASIC`, which stays within ONNX's own operators;
            `ENABLE_EXTENDED`, which fuses them into those of the CPU; `ENABLE_ALL`, which fits layouts to the machine.
    """
    runtime = import_tool("onnxruntime")
    options = runtime.SessionOptions()
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, f"ORT_{level}")
    options.intra_op_num_threads = threads or machine.threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what matters comes as an exception
    return options


def load(model: str | bytes, options: Any, what: str, without: tuple[str, ...] = ()) -> Any:
    """A session of a file or of a serialized model.

    Args:
        what: what the model is called in errors.
        without: optimizers of ONNX Runtime that are left out.

    Raises:
        ConversionError: ONNX Runtime does not load it.
    """
    session = import_tool("onnxruntime").InferenceSession
    left_out = {"disabled_optimizers": list(without)} if without else {}
    try:
        return session(model, options, providers=["CPUExecutionProvider"], enable_fallback=0, **left_out)
    except runtime_errors() as error:
        message = message_of(error)
        raise ConversionError(f"ONNX Runtime does not load {what}: {message}", _NODE.findall(message)) from error


def optimized(model: "ModelProto", level: str) -> "ModelProto":
    """What ONNX Runtime makes of `model` on load, with optimizations up to `level`."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "optimized.onnx"))
        options = session_options(1, level)
        options.optimized_model_filepath = path
        options.add_session_config_entry("session.disable_prepacking", "1")
        load(serialize(model), options, "the model")
        return onnx.load(path)


def serialize(model: "ModelProto") -> bytes:
    """The bytes of an .onnx file; the same for the same model.

    Raises:
        ConversionError: they are more than one file holds.
    """
    from google.protobuf.message import EncodeError

    try:
        data: bytes = model.SerializeToString(deterministic=True)
    except EncodeError:  # asking for the size beforehand takes as long as writing
        data = b""
    if not 0 < len(data) <= MOST_BYTES:
        raise ConversionError("the model takes more than 2 GiB, which is all that an .onnx file holds")
    return data


def runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises; its own classes share no base."""
    state = import_tool("onnxruntime.capi.onnxruntime_pybind11_state")
    own = [c for c in vars(state).values() if isinstance(c, type) and issubclass(c, Exception)]
    return (*own, RuntimeError, ValueError)


def message_of(error: Exception) -> str:
    """The first line of a message from onnx or ONNX Runtime, without its prefixes."""
    return _NOISE.sub("", str(error)).strip().partition("\n")[0]


def _edge(arg: Any) -> Edge:
    kind = arg.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else -1 for size in arg.shape)
    return Edge(arg.name, _DTYPES.get(kind, kind), shape)
