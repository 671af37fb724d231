"""What the transforms of convolutions, and of the batch norms behind them, ask and do."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mobile_export.graphs.graph import Graph, attribute, control_inputs, data_inputs, node_name, port
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array

Readers = dict[str, list[tuple[NodeDef, int]]]

OLD_NORM = "BatchNormWithGlobalNormalization"
"""The batch norm of 2015."""
_FUSED = ("gamma", "beta", "mean", "variance")
NORM_OPERANDS = {
    OLD_NORM: ("mean", "variance", "beta", "gamma"),
    "FusedBatchNorm": _FUSED,
    "FusedBatchNormV2": _FUSED,
    "FusedBatchNormV3": _FUSED,
}
"""What follows the normalized tensor, by operator."""

MOST_CHANNELS = 1 << 24
"""Where something is folded: a few bytes of a file can say that one value repeats for more, and fill the memory."""

_DEFAULT_EPSILON = 1e-4  # of the fused operators


@dataclass(frozen=True)
class Affine:
    """y = x · scale + offset, a number of each for every channel."""

    scale: Array
    offset: Array

    def then(self, other: "Affine") -> "Affine":
        """First this, then `other`."""
        return Affine(self.scale * other.scale, self.offset * other.scale + other.offset)

    def part(self, channels: slice) -> "Affine":
        """That of some of the channels."""
        return Affine(self.scale[channels], self.offset[channels])

    def is_finite(self) -> bool:
        """Whether none of the numbers is infinite or NaN."""
        return bool(np.isfinite(self.scale).all() and np.isfinite(self.offset).all())


def data_format(node: NodeDef) -> str:
    """NHWC or NCHW."""
    return str(attribute(node, "data_format").s.decode(errors="replace")) or "NHWC"


def is_plain(conv: NodeDef) -> bool:
    """Whether `conv` has its channels last, and neither dilations nor padding of its own."""
    dilations = attribute(conv, "dilations").list.i
    return data_format(conv) == "NHWC" and set(dilations) <= {1} and attribute(conv, "padding").s in (b"SAME", b"VALID")


def output_channels(conv: NodeDef, weights: Array) -> int | None:
    """Columns of the result of a Conv2D, DepthwiseConv2dNative or MatMul; None for weights of another rank."""
    if weights.ndim != (2 if conv.op == "MatMul" else 4):
        return None
    if conv.op == "DepthwiseConv2dNative":
        return int(weights.shape[2] * weights.shape[3])
    return int(weights.shape[0 if _is_transposed(conv) else -1])


def scaled(conv: NodeDef, weights: Array, scale: Array) -> Array:
    """`weights` with each output column multiplied by its own factor, in the wider type of the two, and rounded once.

    What repeats along a dimension does so afterwards, and takes no memory.
    """
    if conv.op == "DepthwiseConv2dNative":  # column = input channel · multipliers + multiplier
        scale = scale.reshape(weights.shape[2:])
    elif _is_transposed(conv):
        scale = scale[:, np.newaxis]
    once, scale = distinct(weights), distinct(scale)
    product = np.empty(np.broadcast_shapes(once.shape, scale.shape), weights.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        np.multiply(once, scale, out=product, casting="same_kind")
    return np.broadcast_to(product, weights.shape)


def distinct(array: Array) -> Array:
    """`array` with one element, or one row, for all that lie in the same place in memory."""
    return array[tuple(slice(None) if stride else slice(1) for stride in array.strides)]


def are_private(graph: Graph, readers: Readers, names: Sequence[str], group: Collection[str]) -> bool:
    """Whether nodes of `group` alone read the nodes `names` or wait for them, and none of these is an output."""
    return not any(graph.is_output(name) for name in names) and all(
        reader.name in group for name in names for reader, _ in readers[name]
    )


def is_read_once(graph: Graph, readers: Readers, name: str) -> bool:
    """Whether one node reads the node `name`, by one input, and it is no output."""
    return len(readers[name]) == 1 and not graph.is_output(name)


def gathered_waits(nodes: Sequence[NodeDef]) -> list[str]:
    """The control inputs that one node in the place of `nodes` has, but for those among themselves."""
    names = {node.name for node in nodes}
    waits = dict.fromkeys(name for node in nodes for name in control_inputs(node))
    return [name for name in waits if node_name(name) not in names]


def drop_unread(graph: Graph, names: Collection[str]) -> None:
    """Remove those of `names` that nobody reads, and that are no inputs or outputs."""
    readers = graph.consumers()
    graph.remove([n for n in names if not (readers[n] or graph.is_output(n) or graph.is_input(n))])


def uses_given_statistics(graph: Graph, readers: Readers, norm: NodeDef) -> bool:
    """Whether `norm` is for inference, and nobody asks for its statistics. By default it is for training."""
    training = norm.op != OLD_NORM and (attribute(norm, "is_training").b or "is_training" not in norm.attr)
    read = [reader.input[index] for reader, index in readers[norm.name]]
    read += [spec.tensor for spec in graph.outputs if node_name(spec.tensor) == norm.name]
    return not training and all(port(tensor) <= 0 for tensor in read)


def norm_constants(graph: Graph, norm: NodeDef) -> dict[str, Array]:
    """Those operands of `norm` that are constants of up to MOST_CHANNELS, by the names in NORM_OPERANDS."""
    names = map(node_name, data_inputs(norm)[1:])
    found = {key: graph.constants.get(name) for key, name in zip(NORM_OPERANDS[norm.op], names, strict=False)}
    return {key: value for key, value in found.items() if value is not None and value.size <= MOST_CHANNELS}


def epsilon(norm: NodeDef) -> float:
    """What `norm` adds to the variance."""
    key = "variance_epsilon" if norm.op == OLD_NORM else "epsilon"
    return float(norm.attr[key].f) if key in norm.attr else _DEFAULT_EPSILON


def uses_gamma(norm: NodeDef) -> bool:
    """Whether `norm` multiplies by its gamma."""
    return norm.op != OLD_NORM or bool(attribute(norm, "scale_after_normalization").b)


def _is_transposed(conv: NodeDef) -> bool:
    return conv.op == "MatMul" and bool(attribute(conv, "transpose_b").b)
