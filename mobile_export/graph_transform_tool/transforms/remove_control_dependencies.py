"""Data alone decides what runs."""

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, node_name
from mobile_export.transforms.patterns import gated_nodes


def remove_control_dependencies(graph: Graph, _: Parameters) -> Graph:
    """Let no node wait for another.

        y = Relu(x, ^Assert)  =>  y = Relu(x)

    A node that waits for one inside of a branch or loop still does: that says whether, and in which turn, it runs.
    """
    graph = graph.copy()
    gated = gated_nodes(graph)
    for node in graph.nodes.values():
        node.input[:] = [name for name in node.input if not name.startswith("^") or node_name(name) in gated]
    return graph
