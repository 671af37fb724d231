"""A graph as a float32 ONNX model.

tf2onnx maps the operators; what it leaves behind (layout transposes, identities, unfused batch norms) ONNX Runtime's
own basic optimizations take away, in a fraction of the time that tf2onnx's would need. The model is made canonical
before that, so that ONNX Runtime sees the same bytes each time, and again after it.
"""

from typing import TYPE_CHECKING

import numpy as np

from mobile_export.errors import ConversionError
from mobile_export.formats.onnx_canonical import canonicalize
from mobile_export.formats.onnx_mapping import map_operators
from mobile_export.formats.onnx_rewrites import ease_quantization
from mobile_export.formats.onnx_runner import MOST_BYTES, optimized
from mobile_export.graphs.graph import Graph, TensorSpec, total_bytes

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

IR_VERSION = 8
"""The lowest that opset 17 allows: a runtime refuses a later IR than its own, whatever the file holds."""


def convert(graph: Graph) -> "ModelProto":
    """`graph` as an ONNX model, canonical and optimized, with the graph's own inputs and outputs.

    Raises:
        ConversionError: something in the graph has no counterpart in ONNX.
    """
    _refuse(graph)
    model, public = map_operators(graph)
    canonicalize(model, public, graph.nodes)
    _declare(model, graph)
    fused = optimized(model, "ENABLE_BASIC")
    ease_quantization(fused.graph)
    canonicalize(fused, {name: name for name in public.values()}, graph.nodes)
    _declare(fused, graph)
    return fused


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
