"""Batch normalization that is spelled out as arithmetic becomes one operator again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobile_export.classic.inference.control_edges import stop_waiting
from mobile_export.graphs.graph import Graph, control_inputs, data_inputs, node_name, port
from mobile_export.graphs.protos import NodeDef
from mobile_export.transforms.convolutions import data_format, gathered_waits, output_channels

_ADD = ("Add", "AddV2")
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
_KEEPING_CHANNELS = frozenset(
    """
    Add AddV2 AvgPool BatchToSpaceND BiasAdd Elu FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Identity LeakyRelu
    MaxPool Maximum Minimum Mul Relu Relu6 ResizeBilinear ResizeNearestNeighbor Selu Sigmoid Softplus Softsign Sub Tanh
    """.split()
)
"""Operators between a convolution and the arithmetic, whose result has the convolution's rank and channels."""


@dataclass(frozen=True)
class _Spelled:
    """Batch normalization of `x` in arithmetic, by names.

    Attributes:
        scale: what `x` is multiplied by.
        gamma: None where it is 1.
        inner: the nodes that compute it, all but the last.
    """

    x: str
    scale: str
    gamma: str | None
    beta: str
    mean: str
    variance: str
    epsilon: float
    inner: tuple[NodeDef, ...]


def fuse_decomposed_batch_norm(graph: Graph) -> Graph:
    """Find what tf.nn.batch_normalization makes after a convolution:

        scale = Mul(Rsqrt(Add(variance, epsilon)), gamma)
        y = Add(Mul(x, scale), Sub(beta, Mul(mean, scale)))  =>  y = FusedBatchNorm(x, gamma, beta, mean, variance)

    `x` is a convolution, channels last, or an operator over one that keeps its channels; gamma may be left out. Of the
    nodes in between, those that are read elsewhere, too, stay.
    """
    graph = graph.copy()
    replaced: set[str] = set()
    for name in [name for name, node in graph.nodes.items() if node.op in _ADD]:
        spelled = _spelled(graph, graph.nodes[name])
        if spelled is not None and _is_fusible(graph, spelled):
            graph.nodes[name] = _fused(graph, graph.nodes[name], spelled)
            replaced |= {node.name for node in spelled.inner}
    stop_waiting(graph, replaced)
    graph.prune()
    return graph


def _spelled(graph: Graph, add: NodeDef) -> _Spelled | None:
    """What `add` computes, if that is batch normalization."""
    for product, offset in (data_inputs(add), data_inputs(add)[::-1]):
        mul, sub = _operands(graph, product, "Mul"), _operands(graph, offset, "Sub")
        scaled_mean = _operands(graph, sub[1], "Mul") if sub else ()
        if not (mul and sub and scaled_mean) or node_name(mul[1]) != node_name(scaled_mean[1]):
            continue
        scale = _operands(graph, mul[1], "Mul")
        rsqrt = _operands(graph, scale[0] if scale else mul[1], "Rsqrt")
        shifted = _operands(graph, rsqrt[0], *_ADD) if rsqrt else ()
        if shifted and _number(graph, shifted[1]) is not None:
            inner = [product, offset, sub[1], mul[1], scale[0] if scale else mul[1], rsqrt[0]]
            return _Spelled(
                x=mul[0],
                scale=mul[1],
                gamma=scale[1] if scale else None,
                beta=sub[0],
                mean=scaled_mean[0],
                variance=shifted[0],
                epsilon=_number(graph, shifted[1]) or 0.0,
                inner=tuple(graph.nodes[name] for name in dict.fromkeys(map(node_name, inner))),
            )
    return None


def _operands(graph: Graph, tensor: str, *ops: str) -> Sequence[str]:
    """What the node behind `tensor` reads, if it is one of `ops`; nothing otherwise."""
    node = graph.producer(tensor)
    return data_inputs(node) if node is not None and node.op in ops else ()


def _number(graph: Graph, tensor: str) -> float | None:
    """The value of a constant without dimensions."""
    value = graph.constants.get(node_name(tensor))
    return None if value is None or value.ndim else float(value)


def _is_fusible(graph: Graph, spelled: _Spelled) -> bool:
    """Whether FusedBatchNorm can do it: in float32, with a number of each kind for every channel of an image."""
    names = [spelled.beta, spelled.mean, spelled.variance, *([spelled.gamma] if spelled.gamma else [])]
    values = [graph.constants.get(node_name(name)) for name in names]
    shapes = {None if value is None or value.dtype != np.float32 else value.shape for value in values}
    return len(shapes) == 1 and shapes <= _possible_shapes(graph, spelled.x)


def _possible_shapes(graph: Graph, x: str) -> set[tuple[int, ...]]:
    """What a constant with a number for each channel of `x` looks like, if `x` is known to be an image."""
    node = graph.producer(x)
    if node is None or port(x) or node.op not in (*_CONVOLUTIONS, *_KEEPING_CHANNELS):
        return set()
    sources = [node] if node.op in _CONVOLUTIONS else [graph.producer(tensor) for tensor in data_inputs(node)]
    conv = next((source for source in sources if source is not None and source.op in _CONVOLUTIONS), None)
    weights = None if conv is None else graph.constants.get(node_name(conv.input[1]))
    if conv is None or weights is None or data_format(conv) != "NHWC":
        return set()
    channels = output_channels(conv, weights)
    if channels is None or (channels == 1 and conv is not node):  # what is between may make many channels of one
        return set()
    return {(channels,)}


def _fused(graph: Graph, add: NodeDef, spelled: _Spelled) -> NodeDef:
    gamma = spelled.gamma or _ones(graph, spelled)
    node = NodeDef(name=add.name, op="FusedBatchNorm")
    node.input.extend([spelled.x, gamma, spelled.beta, spelled.mean, spelled.variance])
    node.input.extend(gathered_waits([*spelled.inner, add]))
    node.attr["T"].CopyFrom(add.attr["T"])
    node.attr["is_training"].b = False
    node.attr["epsilon"].f = spelled.epsilon
    node.attr["data_format"].s = b"NHWC"
    return node


def _ones(graph: Graph, spelled: _Spelled) -> str:
    """A new Const for the gamma that was left out, in the scope of the scale."""
    beta = node_name(spelled.beta)
    scope = node_name(spelled.scale)
    name = graph.add_constant(
        f"{scope.rpartition('/')[0] or scope}/gamma", np.broadcast_to(np.float32(1), graph.constants[beta].shape)
    )
    graph.nodes[name].input.extend(control_inputs(graph.nodes[beta]))
    return name
