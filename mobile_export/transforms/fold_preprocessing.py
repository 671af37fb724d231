"""Preprocessing goes into the graph, which takes raw values afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_export.data.preprocess import affine
from mobile_export.graphs.graph import Graph, TensorSpec, attribute, node_name, port, short
from mobile_export.graphs.ops import CONVOLUTIONS
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array, dtype_named, dtype_number_of
from mobile_export.target import Preprocessing

Vector = NDArray[np.float64]


def fold_preprocessing(graph: Graph, recipes: Mapping[str, Preprocessing]) -> Graph:
    """Do the arithmetic before public inputs, raw * a + b of channels that may be reversed, in the graph.

        x -> Conv2D(w), VALID or b = 0  =>  BiasAdd(Conv2D(x, w·a), Σ w·b)
        x -> Conv2D(w), padded          =>  Conv2D(Add(x, b/a), w·a)
        x                               =>  Add(Mul(ReverseV2(x), a), b)

    Weights take it when a convolution or a matrix product is all that reads the input, and nothing else reads them;
    their input channels are reversed too. A padded convolution surrounds what it reads with zeros, so b has to be
    added before. Names, element types and shapes of the inputs stay. Nodes come out in execution order.

    Args:
        recipes: by public input name; they fit the inputs (`data.preprocess.problem`).
    """
    graph = graph.copy()
    for spec in graph.inputs:
        if spec.name in recipes:
            _fold(graph, spec, recipes[spec.name])
    graph.nodes = {name: graph.nodes[name] for name in graph.topological_order()}
    return graph


def _fold(graph: Graph, spec: TensorSpec, how: Preprocessing) -> None:
    layer = _first_layer(graph, spec, how)
    with np.errstate(over="ignore"):  # whoever compares answers finds what overflows
        if layer is None:
            _add_nodes(graph, spec, how)
        else:
            _into_weights(graph, spec, layer, how)


@dataclass(frozen=True)
class _Layer:
    """The linear operator that alone reads an input.

    Attributes:
        node: its node.
        weights: their Const's name.
        axis: of the weights, that runs over the input's channels.
        summed: axes of the weights that one output value sums over.
    """

    node: NodeDef
    weights: str
    axis: int
    summed: tuple[int, ...]

    @property
    def padded(self) -> bool:
        """Whether it may read zeros that the input does not have."""
        return self.node.op != "MatMul" and bool(attribute(self.node, "padding").s != b"VALID")


def _first_layer(graph: Graph, spec: TensorSpec, how: Preprocessing) -> _Layer | None:
    """What reads `spec` and can take its preprocessing into the weights; None when it needs nodes of its own."""
    consumers = graph.consumers()
    readers = consumers[node_name(spec.tensor)]
    if graph.is_output(node_name(spec.tensor)) or len(readers) != 1 or not spec.shape:
        return None
    node, index = readers[0]
    if node.op not in CONVOLUTIONS or index != 0 or port(node.input[0]) != 0:
        return None
    name = node_name(node.input[1])
    weights = graph.constants.get(name)
    if weights is None or len(consumers[name]) != 1 or weights.dtype not in (np.float32, np.float64):
        return None
    if attribute(node, "transpose_a").b or attribute(node, "data_format").s not in (b"", b"NHWC"):
        return None
    if node.op == "DepthwiseConv2dNative" and how.channel_order == "bgr":
        return None  # its output channels would be reversed too
    axis = int(attribute(node, "transpose_b").b) if node.op == "MatMul" else 2
    if weights.shape[axis] != spec.shape[-1]:  # grouped
        return None
    summed = {"MatMul": (axis,), "Conv2D": (0, 1, 2), "DepthwiseConv2dNative": (0, 1)}[node.op]
    return _Layer(node, name, axis, summed)


def _into_weights(graph: Graph, spec: TensorSpec, layer: _Layer, how: Preprocessing) -> None:
    weights = graph.constants[layer.weights]
    exact = weights.astype(np.float64)
    a, b = (np.broadcast_to(values, weights.shape[layer.axis]) for values in affine(how))
    if how.channel_order == "bgr":
        exact, a, b = np.flip(exact, layer.axis), a[::-1], b[::-1]
    along = [-1 if axis == layer.axis else 1 for axis in range(weights.ndim)]
    graph.constants[layer.weights] = (exact * a.reshape(along)).astype(weights.dtype)
    if b.any() and layer.padded:
        layer.node.input[0] = _add_node(graph, "AddV2", short(spec.tensor), _constant(b / a, spec), spec)
    elif b.any():
        _add_bias(graph, layer.node, (exact * b.reshape(along)).sum(layer.summed).reshape(-1))


def _add_bias(graph: Graph, layer: NodeDef, offset: Vector) -> None:
    """Add `offset`, one value per output channel, to what `layer` answers: in its bias, or by a BiasAdd of its own."""
    consumers = graph.consumers()
    readers = consumers[layer.name]
    follower = readers[0][0] if len(readers) == 1 and not graph.is_output(layer.name) else None
    if follower is not None and follower.op == "BiasAdd":
        name = node_name(follower.input[1])
        if name in graph.constants and len(consumers[name]) == 1:
            bias = graph.constants[name]
            graph.constants[name] = (bias + offset).astype(bias.dtype)
            return
    node = NodeDef(name=graph.free_name(f"{layer.name}/preprocessing"), op="BiasAdd")
    node.attr["T"].CopyFrom(layer.attr["T"])
    graph.redirect({layer.name: node.name})
    dtype = graph.constants[node_name(layer.input[1])].dtype
    node.input.extend([layer.name, graph.add_constant(f"{node.name}/bias", offset.astype(dtype))])
    graph.nodes[node.name] = node


def _add_nodes(graph: Graph, spec: TensorSpec, how: Preprocessing) -> None:
    """Between the input and all that reads it; those that would change nothing are left out."""
    a, b = affine(how)
    steps: list[tuple[str, Array]] = []
    if how.channel_order == "bgr":
        steps.append(("ReverseV2", np.asarray([-1], np.int32)))
    if (a != 1).any():
        steps.append(("Mul", _constant(a, spec)))
    if b.any():
        steps.append(("AddV2", _constant(b, spec)))
    names, last = [], short(spec.tensor)
    for op, value in steps:
        last = _add_node(graph, op, last, value, spec)
        names.append(last)
    if names:
        graph.redirect({spec.tensor: last})
        graph.nodes[names[0]].input[0] = short(spec.tensor)


def _constant(values: Vector, spec: TensorSpec) -> Array:
    """In the input's element type; a scalar where one value does for all channels, whatever the rank."""
    return (values if values.size > 1 else values.reshape(())).astype(dtype_named(spec.dtype))


def _add_node(graph: Graph, op: str, tensor: str, value: Array, spec: TensorSpec) -> str:
    name = graph.free_name(f"{node_name(spec.tensor)}/preprocessing/{op}")
    node = NodeDef(name=name, op=op, input=[tensor, graph.add_constant(f"{name}/value", value)])
    node.attr["T"].type = dtype_number_of(spec.dtype)
    graph.nodes[name] = node
    return name
