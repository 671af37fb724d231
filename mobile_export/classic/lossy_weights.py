"""The modes of `quantize-graph` that change weights."""

from collections.abc import Callable

import numpy as np

from mobile_export.graph_transform_tool.stored_constants import (
    LEVELS,
    QUINT8_DTYPE,
    SMALLEST_STEP,
    Stored,
    store_constants,
)
from mobile_export.graph_transform_tool.weights import (
    blocks,
    bucket_centers,
    elementwise,
    float_constants,
    value_range,
)
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Array

_HALF = np.nextafter(np.float32(0.5), np.float32(0))  # so that the number before 0.5 is rounded down


def round_constants(graph: Graph, bits: int) -> Graph:
    """Move every weight to the center of one of 2^`bits` buckets that divide its constant's range.

    Constants of one value stay, and so do those whose range float32 cannot divide so.
    """
    graph = graph.copy()
    for name, array in float_constants(graph).items():
        graph.constants[name] = _rounded(array, 1 << bits)
    return graph


def _rounded(array: Array, buckets: int) -> Array:
    low, high, _ = value_range(array)
    with np.errstate(over="ignore"):
        width = (high - low) / np.float32(buckets)
    if not 0 < width < np.inf:
        return array
    return elementwise(lambda values: bucket_centers(values, low, width, last=buckets - 1), array)


def store_weights(graph: Graph) -> Graph:
    """Store every float constant in eight bits:

        w = Const  =>  w = Dequantize(w_quint8_const, w_min, w_max)

    The range begins at 0 where all values are positive. It is the same on both ways: TensorFlow's operator, with which
    the tool quantized, widens ranges below 0.01 and those below zero, and Dequantize knows nothing of that. Constants
    with values that eight bits cannot hold, infinity or NaN, stay.
    """
    quantized = {name: _quantized(array) for name, array in float_constants(graph).items()}
    stored = {name: found for name, found in quantized.items() if found is not None}
    return store_constants(graph, stored, ("_quint8_const", "_min", "_max"), "MIN_COMBINED")


def _quantized(array: Array) -> Stored | None:
    low, high, finite = value_range(array)
    low = min(low, np.float32(0))
    with np.errstate(over="ignore"):
        span = high - low
    if not (finite and np.isfinite(span)):
        return None
    if span / LEVELS < SMALLEST_STEP:  # one value, or so small that kernels take it for 0
        high, span = low + np.float32(1), np.float32(1)
    scale = np.float32(LEVELS / float(span))
    return Stored(elementwise(_min_combined(low, scale), array), low, high)


def _min_combined(low: np.float32, scale: np.float32) -> Callable[[Array], Array]:
    """(v - low) · scale, rounded half up, in the arithmetic of TensorFlow's operator."""

    def quantize(values: Array) -> Array:
        quantized = np.empty(values.shape, np.uint8)
        for place in blocks(values.size):
            scaled = values[place] - low
            scaled *= scale
            scaled += _HALF
            np.copyto(quantized[place], scaled, casting="unsafe")  # truncates
        return quantized.view(QUINT8_DTYPE)

    return quantize
