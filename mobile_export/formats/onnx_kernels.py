"""Weights take the place of the inputs that stood for them while operators were mapped.

What rearranges a weight and nothing else is done to the array, which takes no memory, and leaves the graph:

    Conv(x, Transpose(Reshape(input, shape)))  =>  Conv(x, weight)
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mobile_export.graphs.tensors import Array
from mobile_export.quantize.onnx_graph import attribute_of, walk

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


@dataclass(frozen=True)
class _Weight:
    """An array, and the input that it was made of."""

    value: Array
    origin: str


def fill_in(graph: "GraphProto", values: Mapping[str, Array]) -> None:
    """Replace the inputs of `graph` that are called as in `values`; its nodes come after those that they read."""
    if not values:
        return
    weights = {name: _Weight(value, name) for name, value in values.items()}
    shapes = _integers(graph)
    left = []
    for node in graph.node:
        weight = weights.get(node.input[0]) if node.input else None
        made = None if weight is None else _rearranged(node, weight.value, shapes)
        if weight is None or made is None:
            left.append(type(node).FromString(node.SerializeToString()))
        else:
            weights[node.output[0]] = _Weight(made, weight.origin)
    del graph.node[:]
    graph.node.extend(left)
    read = dict.fromkeys(name for node in walk(graph) for name in node.input if name in weights)
    uses = Counter(weights[name].origin for name in read)
    called = {name: weights[name].origin if uses[weights[name].origin] == 1 else name for name in read}
    for name, new in called.items():
        _add(graph, new, weights[name].value)
    for node in walk(graph):
        for place, name in enumerate(node.input):
            node.input[place] = called.get(name, name)
    inputs = [info for info in graph.input if info.name not in values]
    del graph.input[:]
    graph.input.extend(inputs)


def _integers(graph: "GraphProto") -> dict[str, list[int]]:
    """The values of one-dimensional int64 constants."""
    from onnx import TensorProto, numpy_helper

    return {
        tensor.name: numpy_helper.to_array(tensor).tolist()
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.INT64 and len(tensor.dims) == 1
    }


def _rearranged(node: "NodeProto", value: Array, shapes: Mapping[str, list[int]]) -> Array | None:
    """What `node` makes of `value`; None where it does more than to arrange it in another way."""
    if node.op_type == "Identity":
        return value
    if node.op_type == "Transpose":
        return value.transpose(attribute_of(node, "perm", list(reversed(range(value.ndim)))))
    shape = shapes.get(node.input[1]) if node.op_type == "Reshape" else None
    return value.reshape(shape) if shape is not None and min(shape, default=0) > 0 else None


def _add(graph: "GraphProto", name: str, value: Array) -> None:
    from onnx import helper

    tensor = graph.initializer.add()
    tensor.name, tensor.data_type = name, helper.np_dtype_to_tensor_dtype(value.dtype)
    tensor.dims.extend(value.shape)
    tensor.raw_data = np.ascontiguousarray(value).tobytes()
