"""Execution order."""

from mobile_export.graph_transform_tool.execution_order import execution_order
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph


def sort_by_execution_order(graph: Graph, _: Parameters) -> Graph:
    """Put every node behind those that it reads."""
    graph = graph.copy()
    graph.nodes = {name: graph.nodes[name] for name in execution_order(graph)}
    return graph
