"""Weights that zip well."""

import numpy as np

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graph_transform_tool.weights import bucket_centers, elementwise, float_constants, value_range
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Array

_FEWEST = 16  # elements of a constant that is worth it
_TINY = np.finfo(np.float32).tiny
_NEAR_ZERO = np.float32(1e-6)


def round_weights(graph: Graph, parameters: Parameters) -> Graph:
    """Move every weight to the center of one of `num_steps` buckets that divide its constant's range.

    The tool has these peculiarities: the range reaches up to the smallest normal number at least; the largest value has
    a bucket of its own above the range; a constant that repeats a positive value c has the range [c, 2c].
    """
    steps = parameters.integer("num_steps", 256)
    if not 1 <= steps < 1 << 31:
        raise parameters.error(f"num_steps: {steps} is no number of steps; write 1 or more, such as 256")
    graph = graph.copy()
    for name, array in float_constants(graph, _FEWEST).items():
        graph.constants[name] = _rounded(array, steps)
    return graph


def _rounded(array: Array, steps: int) -> Array:
    """Rounded, unless steps near zero would be larger than the values, or float32 cannot hold their width."""
    low, highest, _ = value_range(array)
    high = max(highest, _TINY)
    if low == highest and 0 <= low < _NEAR_ZERO:
        return array
    with np.errstate(over="ignore"):
        width = ((2 * low if low == high else high) - low) / np.float32(steps)
    if not 0 < width < np.inf:
        return array
    return elementwise(lambda values: bucket_centers(values, low, width), array)
