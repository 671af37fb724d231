"""How much memory a transform may fill with values that it makes."""

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import LARGEST_FILL


def memory_limit(graph: Graph) -> int:
    """Bytes that all new values of one transform of `graph` may have together: a small file fills no memory."""
    stored = sum(value.nbytes for value in graph.constants.values() if any(value.strides))  # not a repeated element
    return max(LARGEST_FILL, 4 * stored)
