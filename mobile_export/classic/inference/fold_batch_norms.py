"""Batch normalization goes into the weights of the convolution before it, and one bias."""

from dataclasses import dataclass

import numpy as np

from mobile_export.classic.inference.control_edges import stop_waiting
from mobile_export.graphs.graph import Graph, control_inputs, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.transforms.convolutions import (
    NORM_OPERANDS,
    Affine,
    Readers,
    data_format,
    epsilon,
    gathered_waits,
    is_read_once,
    norm_constants,
    output_channels,
    scaled,
    uses_gamma,
    uses_given_statistics,
)

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
_SUMS = ("BiasAdd", "Add", "AddV2")
_FLOATS = (np.float32, np.float64)


@dataclass(frozen=True)
class _Convolution:
    """What a batch norm reads.

    Attributes:
        weights: its second operand.
        add: the sum between it and the batch norm, if there is one.
        bias: what that adds, one number for all channels or for each.
    """

    node: NodeDef
    weights: Array
    add: NodeDef | None
    bias: Array | None


def fold_batch_norms(graph: Graph) -> Graph:
    """Fold batch norms of every version, BN below, and a bias before them:

        BN(BiasAdd(Conv2D(x, w), b))  =>  BiasAdd(Conv2D(x, Conv2D_weights), Conv2D_bn_offset)

    An Add with a constant for each channel may stand for the BiasAdd, or nothing; a DepthwiseConv2dNative for the
    Conv2D. BN stays where it is in training or gives its statistics to a reader, where another reader or an output sees
    what lies before it, and where its channels are not those of the convolution.
    """
    before, graph = graph, graph.copy()
    readers = graph.consumers()
    sums: set[str] = set()
    for norm in [node for node in graph.nodes.values() if node.op in NORM_OPERANDS]:
        conv = _convolution(graph, norm) if uses_given_statistics(graph, readers, norm) else None
        if conv is None or not _is_private(graph, readers, conv) or _is_new(before, conv):
            continue
        affine = _affine(graph, norm, conv)
        if affine is not None:
            _fold(graph, readers, norm, conv, affine)
            sums |= {conv.add.name} if conv.add is not None else set()
    stop_waiting(graph, sums)
    graph.prune()
    return graph


def _is_new(before: Graph, conv: _Convolution) -> bool:
    """Whether the sum behind `conv` was a batch norm `before`: of several in a row, the first is folded."""
    return conv.add is not None and before.nodes[conv.add.name].op in NORM_OPERANDS


def _convolution(graph: Graph, norm: NodeDef) -> _Convolution | None:
    """The convolution of constant weights before `norm`, and the constant that is added between."""
    source = graph.producer(norm.input[0])
    if source is None:
        return None
    if source.op in _CONVOLUTIONS:
        weights = _weights(graph, source)
        return None if weights is None else _Convolution(source, weights, None, None)
    tensors = data_inputs(source) if source.op in _SUMS else []
    for tensor, other in (tensors, tensors[::-1]) if tensors else ():
        conv = graph.producer(tensor)
        if conv is not None and conv.op in _CONVOLUTIONS:
            weights = _weights(graph, conv)
            bias = _per_channel(source, conv, graph.constants.get(node_name(other)))
            return None if weights is None or bias is None else _Convolution(conv, weights, source, bias)
    return None


def _weights(graph: Graph, conv: NodeDef) -> Array | None:
    """The constant weights of `conv`, if they can be scaled without losing precision."""
    weights = graph.constants.get(node_name(conv.input[1]))
    known = weights is not None and weights.dtype in _FLOATS and output_channels(conv, weights) is not None
    return weights if known else None


def _per_channel(add: NodeDef, conv: NodeDef, value: Array | None) -> Array | None:
    """What `add` adds to each channel of `conv`, in one dimension; None where it adds other things."""
    if value is None or value.ndim > 4 or (add.op == "BiasAdd" and data_format(add) != data_format(conv)):
        return None
    axis = 3 if add.op == "BiasAdd" or data_format(conv) == "NHWC" else 1
    shape = (1,) * (4 - value.ndim) + value.shape
    return value.reshape(-1) if shape[axis] == value.size or value.size == 1 else None


def _is_private(graph: Graph, readers: Readers, conv: _Convolution) -> bool:
    """Whether nobody but the batch norm uses what is before it."""
    nodes = [conv.node] if conv.add is None else [conv.node, conv.add]
    return not any(graph.is_output(node.name) or len(_data_readers(readers, node.name)) > 1 for node in nodes)


def _data_readers(readers: Readers, name: str) -> list[NodeDef]:
    return [node for node, index in readers[name] if not node.input[index].startswith("^")]


def _affine(graph: Graph, norm: NodeDef, conv: _Convolution) -> Affine | None:
    """What `norm` and the bias do to the convolution's channels, rounded as the original does; None where unknown."""
    values = norm_constants(graph, norm)
    channels = output_channels(conv.node, conv.weights)
    dtype = conv.weights.dtype
    if data_format(norm) != data_format(conv.node) or len(values) < len(NORM_OPERANDS[norm.op]):
        return None
    if any(value.shape != (channels,) or value.dtype != dtype for value in values.values()):
        return None
    mean = values["mean"]
    if conv.bias is not None:
        if conv.bias.size not in (1, channels) or conv.bias.dtype != dtype:
            return None
        mean = mean - conv.bias
    with np.errstate(all="ignore"):
        scale = 1 / np.sqrt((values["variance"] + dtype.type(epsilon(norm))).astype(np.float64))
        if uses_gamma(norm):
            scale = scale * values["gamma"]
        affine = Affine(scale, -mean * scale + values["beta"])
    return affine if affine.is_finite() else None


def _fold(graph: Graph, readers: Readers, norm: NodeDef, conv: _Convolution, affine: Affine) -> None:
    old = graph.nodes[node_name(conv.node.input[1])]
    name = f"{conv.node.name}_weights"
    if name == old.name and is_read_once(graph, readers, name):
        graph.remove([name])  # its name goes to the new weights
    weights = graph.add_constant(name, scaled(conv.node, conv.weights, affine.scale))
    offset = graph.add_constant(f"{conv.node.name}_bn_offset", affine.offset.astype(conv.weights.dtype))
    for constant in (weights, offset):
        graph.nodes[constant].input.extend(control_inputs(old))
    conv.node.input[1] = weights
    bias = NodeDef(name=norm.name, op="BiasAdd", input=[conv.node.name, offset])
    bias.input.extend(gathered_waits([conv.add, norm] if conv.add is not None else [norm]))
    bias.attr["T"].CopyFrom(conv.node.attr["T"])
    bias.attr["data_format"].s = data_format(conv.node).encode()
    graph.nodes[norm.name] = bias
