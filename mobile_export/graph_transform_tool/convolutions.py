"""What the transforms of convolutions ask."""

from collections.abc import Collection, Sequence

import numpy as np

from mobile_export.graph import Graph, attribute, control_inputs, node_name
from mobile_export.protos import NodeDef
from mobile_export.tensors import Array

Readers = dict[str, list[tuple[NodeDef, int]]]


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
    """`weights` with each output column multiplied by its own factor."""
    if conv.op == "DepthwiseConv2dNative":  # column = input channel · multipliers + multiplier
        scale = scale.reshape(weights.shape[2:])
    elif _is_transposed(conv):
        scale = scale[:, np.newaxis]
    with np.errstate(over="ignore", invalid="ignore"):
        product: Array = weights * scale
    return product


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


def _is_transposed(conv: NodeDef) -> bool:
    return conv.op == "MatMul" and bool(attribute(conv, "transpose_b").b)
