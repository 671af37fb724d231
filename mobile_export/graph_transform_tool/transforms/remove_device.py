"""Nodes without a place."""

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph


def remove_device(graph: Graph, _: Parameters) -> Graph:
    """Let nodes forget the device that they were placed on."""
    graph = graph.copy()
    for node in graph.nodes.values():
        node.device = ""
    return graph
