"""A factor per channel goes into the weights before it."""

import numpy as np

from mobile_export.graph_transform_tool.matching import ANY, Match, Pattern, find_matches
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph
from mobile_export.transforms.convolutions import (
    Readers,
    data_format,
    gathered_waits,
    is_read_once,
    output_channels,
    scaled,
)

_CONST = Pattern("Const")
_PATTERN = Pattern("Mul", [Pattern("Conv2D|MatMul|DepthwiseConv2dNative", [ANY, _CONST]), _CONST])
_FOLDED_TYPES = (np.dtype(np.float32), np.dtype(np.float64))


def fold_batch_norms(graph: Graph, _: Parameters) -> Graph:
    """Multiply weights by the constant that the result is multiplied by, the second operand of a Mul.

        Mul(Conv2D(x, w), s)   =>   Conv2D(x, w·s), named like the Mul

    After Conv2D, DepthwiseConv2dNative or MatMul, also a transposed one. It stays where the convolution, the weights or
    the factors are read elsewhere or are outputs, where channels are not the last dimension, and where there is not one
    factor for each channel: that is no batch norm.
    """
    graph = graph.copy()
    readers = graph.consumers()
    for match in find_matches(graph, _PATTERN):
        if _is_foldable(graph, readers, match):
            _fold(graph, match)
    return graph


def _is_foldable(graph: Graph, readers: Readers, match: Match) -> bool:
    conv, weights, factors = match.inputs[0], match.inputs[0].inputs[1].node.name, match.inputs[1].node.name
    if not all(is_read_once(graph, readers, name) for name in (conv.node.name, weights, factors)):
        return False
    if not all(name in graph.constants and graph.constants[name].dtype in _FOLDED_TYPES for name in (weights, factors)):
        return False
    if graph.constants[factors].shape != (output_channels(conv.node, graph.constants[weights]),):
        return False
    return conv.node.op == "MatMul" or data_format(conv.node) == "NHWC"


def _fold(graph: Graph, match: Match) -> None:
    mul, conv = match.node, match.inputs[0].node
    weights, factors = match.inputs[0].inputs[1].node.name, match.inputs[1].node.name
    waits = gathered_waits([mul, conv])
    graph.constants[weights] = scaled(conv, graph.constants[weights], graph.constants[factors])
    name = mul.name
    mul.CopyFrom(conv)
    mul.name = name
    mul.input[:] = [*conv.input[:2], *waits]
    graph.remove([conv.name, factors])
