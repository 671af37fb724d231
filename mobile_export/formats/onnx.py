"""ONNX, for ONNX Runtime on the phone.

tf2onnx maps the operators; what it leaves behind (layout transposes, identities, unfused batch norms) ONNX Runtime's
own basic optimizations take away, in a fraction of the time that tf2onnx's would need. The model is made canonical
before that, so that ONNX Runtime sees the same bytes each time, and again after it.
"""

import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mobile_export.errors import ConversionError
from mobile_export.formats.format import Request
from mobile_export.formats.onnx_canonical import canonicalize
from mobile_export.formats.onnx_mapping import import_tool, map_operators
from mobile_export.graph import Graph, TensorSpec, total_bytes
from mobile_export.runner import Edge
from mobile_export.samples import Samples

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Array = NDArray[np.generic]

IR_VERSION = 8
"""The lowest that opset 17 allows: a runtime refuses a later IR than its own, whatever the file holds."""

MOST_BYTES = 2**31 - 1
"""What a protobuf message, and so a single .onnx file, can hold."""

_THREADS = 2
_ORT_DTYPES = {"float": "float32", "double": "float64"}  # others are called as in NumPy
_NODE = re.compile(r"node with name '(.+?)'")
_NOISE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed: ?")


class ONNX:
    """Float models in one .onnx file; layouts at the edges are TensorFlow's."""

    suffix = ".onnx"
    folder = False
    runtime = "ONNX Runtime"
    tools = ("onnx", "onnxruntime", "tensorflow", "tf2onnx")
    precisions: Mapping[str, Sequence[str]] = {"float32": ("float32",)}
    calibrated: Collection[str] = ()

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> None:
        """Convert once; all requested files have the same bytes."""
        try:
            data = _serialize(convert(graph))
            for request in requests:
                _write_checked(request.path, data)
        except ConversionError as error:
            raise ConversionError(f"artifact {requests[0].artifact!r}: {error}", error.nodes) from error

    def open(self, path: Path) -> "OnnxRunner":
        """Load `path` in ONNX Runtime, with the optimizations of an app's session."""
        return OnnxRunner(path)


class OnnxRunner:
    """An .onnx file in ONNX Runtime on the CPU; a `Runner`."""

    def __init__(self, path: Path) -> None:
        """Load `path`.

        Raises:
            ConversionError: ONNX Runtime does not load it.
        """
        self._session = _load(str(path), _options(_THREADS), path.name)
        self.inputs = tuple(_edge(arg) for arg in self._session.get_inputs())
        self.outputs = tuple(_edge(arg) for arg in self._session.get_outputs())

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        names = [edge.name for edge in self.outputs]
        try:
            answers = self._session.run(names, {edge.name: feeds[edge.name] for edge in self.inputs})
        except _runtime_errors() as error:
            raise ConversionError(f"ONNX Runtime does not run the model: {_message(error)}") from error
        return dict(zip(names, answers, strict=True))


def convert(graph: Graph) -> "ModelProto":
    """`graph` as an ONNX model, canonical and optimized, with the graph's own inputs and outputs.

    Raises:
        ConversionError: something in the graph has no counterpart in ONNX.
    """
    _refuse(graph)
    model, public = map_operators(graph)
    canonicalize(model, public, graph.nodes)
    _declare(model, graph)
    optimized = _optimize(model)
    canonicalize(optimized, {name: name for name in public.values()}, graph.nodes)
    _declare(optimized, graph)
    return optimized


def _refuse(graph: Graph) -> None:
    if total_bytes(graph.constants) > MOST_BYTES:
        raise ConversionError(
            f"the weights take {total_bytes(graph.constants) / 2**30:.1f} GiB, and an .onnx file holds less than 2"
        )
    names = [spec.name for spec in (*graph.inputs, *graph.outputs)]
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise ConversionError(f"two inputs or outputs are called {twice[0]!r}, and ONNX wants different names")
    for spec in graph.inputs:
        if spec.shape is None:
            raise ConversionError(f"the rank of input {spec.name!r} is unknown, and ONNX needs it; declare its shape")


def _declare(model: "ModelProto", graph: Graph) -> None:
    """Write down who made the model, and the edges as the graph has them."""
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "mobile-export", _own_version()
    shapes = {info.name: _shape(info) for info in model.graph.output}
    inputs = [_value_info(spec, spec.shape) for spec in graph.inputs]
    outputs = [_value_info(spec, shapes[spec.name] if spec.shape is None else spec.shape) for spec in graph.outputs]
    del model.graph.input[:], model.graph.output[:]
    model.graph.input.extend(inputs)
    model.graph.output.extend(outputs)


def _own_version() -> str:
    from importlib import metadata

    try:
        return metadata.version("mobile-export")
    except metadata.PackageNotFoundError:  # run from a source tree
        return ""


def _value_info(spec: TensorSpec, shape: tuple[int, ...] | None) -> "ValueInfoProto":
    from onnx import TensorProto, helper

    is_string = spec.dtype == "string"
    number = TensorProto.STRING if is_string else helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    dims = None if shape is None else [size if size >= 0 else _symbol(spec.name, k) for k, size in enumerate(shape)]
    return helper.make_tensor_value_info(spec.name, number, dims)


def _symbol(name: str, axis: int) -> str:
    """What a dynamic size is called: sizes of one name are equal, and the first axis is the batch."""
    return f"{name}_dim_{axis}" if axis else "batch"


def _shape(info: "ValueInfoProto") -> tuple[int, ...] | None:
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)


def _optimize(model: "ModelProto") -> "ModelProto":
    """What ONNX Runtime makes of `model` on load, limited to rewrites within ONNX's own operators."""
    import onnx

    runtime = import_tool("onnxruntime")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "optimized.onnx"))
        options = _options(threads=1)
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = path
        options.add_session_config_entry("session.disable_prepacking", "1")
        _load(_serialize(model), options, "the model")
        return onnx.load(path)


def _options(threads: int) -> Any:
    options = import_tool("onnxruntime").SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what matters comes as an exception
    return options


def _load(model: str | bytes, options: Any, what: str) -> Any:
    session = import_tool("onnxruntime").InferenceSession
    try:
        return session(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except _runtime_errors() as error:
        message = _message(error)
        raise ConversionError(f"ONNX Runtime does not load {what}: {message}", _NODE.findall(message)) from error


def _runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises; its own classes share no base."""
    state = import_tool("onnxruntime.capi.onnxruntime_pybind11_state")
    own = [c for c in vars(state).values() if isinstance(c, type) and issubclass(c, Exception)]
    return (*own, RuntimeError, ValueError)


def _message(error: Exception) -> str:
    """The first line of a message from onnx or ONNX Runtime, without its prefixes."""
    return _NOISE.sub("", str(error)).strip().partition("\n")[0]


def _serialize(model: "ModelProto") -> bytes:
    size = model.ByteSize()
    if size > MOST_BYTES:
        raise ConversionError(f"the model takes {size / 2**30:.1f} GiB, and an .onnx file holds less than 2")
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _write_checked(path: Path, data: bytes) -> None:
    """Put `data` at `path` once ONNX's checker and ONNX Runtime accept it; until then it lies beside it."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        unchecked = Path(folder, path.name)
        unchecked.write_bytes(data)
        _check(unchecked)
        OnnxRunner(unchecked)
        unchecked.replace(path)


def _check(path: Path) -> None:
    from onnx import checker, shape_inference

    try:
        checker.check_model(str(path), full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise ConversionError(f"{path.name} is not valid ONNX: {_message(error)}") from error


def _edge(arg: Any) -> Edge:
    kind = arg.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else -1 for size in arg.shape)
    return Edge(arg.name, _ORT_DTYPES.get(kind, kind), shape)
