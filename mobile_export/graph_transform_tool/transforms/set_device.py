"""Nodes in a place."""

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph


def set_device(graph: Graph, parameters: Parameters) -> Graph:
    """Place nodes on `device`; with `if_default`, only those that have no place."""
    device = parameters.string("device", "")
    if_default = parameters.boolean("if_default", False)
    graph = graph.copy()
    for node in graph.nodes.values():
        if not (if_default and node.device):
            node.device = device
    return graph
