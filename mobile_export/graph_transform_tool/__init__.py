"""The transforms of TensorFlow's Graph Transform Tool: their names, parameters and results, without their defects.

Each is a file with a function `(graph, parameters) -> graph`, and a line below. `docs/classic.md` says for each in what
it is better than the original.
"""

from mobile_export.graph_transform_tool.sort_by_execution_order import sort_by_execution_order
from mobile_export.graph_transform_tool.transform import GraphTransform

__all__ = ["GRAPH_TRANSFORMS", "GraphTransform"]

GRAPH_TRANSFORMS: dict[str, GraphTransform] = {
    "sort_by_execution_order": GraphTransform(sort_by_execution_order),
}
"""By name."""
