"""A dilated convolution by way of the batch becomes one with zeros between its weights."""

import math

import numpy as np

from mobile_export.graph_transform_tool.matching import ANY, Match, Pattern, find_matches
from mobile_export.graph_transform_tool.memory import memory_limit
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, attribute, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.transforms.convolutions import (
    Readers,
    are_private,
    gathered_waits,
    is_plain,
    is_read_once,
)

_SPLIT = Pattern("SpaceToBatchND", [ANY, ANY, ANY])
_PATTERN = Pattern("BatchToSpaceND", [Pattern("Conv2D|DepthwiseConv2dNative", [_SPLIT, ANY]), ANY, ANY])
_COPIED = ("T", "strides", "data_format", "use_cudnn_on_gpu")


def flatten_atrous_conv(graph: Graph, _: Parameters) -> Graph:
    """Spread the weights of a convolution between SpaceToBatchND and BatchToSpaceND, and let it run on the image.

        BatchToSpaceND(Conv2D(SpaceToBatchND(x, [r, r], …), w), [r, r], …)   =>   Conv2D(x, w with r - 1 zeros between)

    The convolution takes the last node's name, and pads as paddings and crops together do: SAME, or VALID for none.
    Where they do neither, it steps or is dilated itself, something is read elsewhere, or the zeros would fill the
    memory, all stays as it is.
    """
    graph = graph.copy()
    readers = graph.consumers()
    left = memory_limit(graph)
    for match in find_matches(graph, _PATTERN):
        padding = _padding(graph, match, left)
        if padding is not None and _is_alone(graph, readers, match):
            left -= _flatten(graph, match, padding)
    return graph


def _padding(graph: Graph, match: Match, most: int) -> str | None:
    """How a convolution on the whole image has to pad to give the same result.

    None when it cannot, or when its weights would have more than `most` bytes.
    """
    merge, conv, split = match.node, match.inputs[0].node, match.inputs[0].inputs[0].node
    values = [graph.constants.get(node_name(i)) for i in (*split.input[1:3], *merge.input[1:3], conv.input[1])]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or any(value.dtype.kind not in "iu" for value in known[:-1]):
        return None
    block, paddings, merged_block, crops, weights = known
    shapes_fit = block.shape == (2,) and paddings.shape == crops.shape == (2, 2) and weights.ndim == 4 and weights.size
    strides = set(attribute(conv, "strides").list.i)
    if not (shapes_fit and np.array_equal(block, merged_block) and is_plain(conv) and strides == {1}):
        return None
    rates, size = block.astype(np.int64), np.asarray(weights.shape[:2])
    if min(rates) < 1 or math.prod(_spread_shape(weights, rates)) * weights.itemsize > most:
        return None
    reach = size - 1  # in steps of the rate
    inner = np.stack([reach // 2, reach - reach // 2], axis=1) if attribute(conv, "padding").s == b"SAME" else 0
    around = paddings.astype(np.int64) - crops + rates[:, np.newaxis] * inner
    total = rates * reach
    if np.array_equal(around, np.stack([total // 2, total - total // 2], axis=1)):
        return "SAME"
    return "VALID" if not around.any() else None


def _is_alone(graph: Graph, readers: Readers, match: Match) -> bool:
    """Whether nothing but the last node is read elsewhere; what the first reads may be."""
    conv, split = match.inputs[0], match.inputs[0].inputs[0]
    inner = [conv.node.name, split.node.name, *_operands(match)]
    group = {match.node.name, *inner}
    return are_private(graph, readers, inner, group) and is_read_once(graph, readers, conv.inputs[1].node.name)


def _operands(match: Match) -> list[str]:
    """Names of the constants that blocks, paddings and crops are."""
    split = match.inputs[0].inputs[0]
    return [operand.node.name for operand in (*split.inputs[1:], *match.inputs[1:])]


def _flatten(graph: Graph, match: Match, padding: str) -> int:
    """Replace the nodes of `match`; returns the bytes of the new weights."""
    merge, conv, split = match.node, match.inputs[0].node, match.inputs[0].inputs[0].node
    weights = node_name(conv.input[1])
    rates = graph.constants[node_name(split.input[1])].astype(np.int64)
    spread = graph.constants[weights] = _spread(graph.constants[weights], rates)
    flat = NodeDef(name=merge.name, op=conv.op, device=conv.device, input=[split.input[0], weights])
    flat.input.extend(gathered_waits([split, conv, merge]))
    flat.attr["padding"].s = padding.encode()
    for key in conv.attr.keys() & set(_COPIED):
        flat.attr[key].CopyFrom(conv.attr[key])
    graph.remove([conv.name, split.name, *_operands(match)])
    merge.CopyFrom(flat)
    return spread.nbytes


def _spread_shape(weights: Array, rates: Array) -> tuple[int, ...]:
    height, width = ((size - 1) * int(rate) + 1 for size, rate in zip(weights.shape[:2], rates, strict=True))
    return (height, width, *weights.shape[2:])


def _spread(weights: Array, rates: Array) -> Array:
    spread = np.zeros(_spread_shape(weights, rates), weights.dtype)
    spread[:: int(rates[0]), :: int(rates[1])] = weights
    return spread
