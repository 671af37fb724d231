"""Nodes without an attribute."""

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph


def remove_attribute(graph: Graph, parameters: Parameters) -> Graph:
    """Remove `attribute_name` from the nodes of the operator `op_name`, or from all."""
    attribute, op = parameters.string("attribute_name"), parameters.string("op_name", "*")
    graph = graph.copy()
    for node in graph.nodes.values():
        if op not in ("*", node.op):
            continue
        if attribute == "value" and node.name in graph.constants:
            raise parameters.error(f"{node.name!r} is a Const and needs its value; write op_name=… to leave Consts out")
        node.attr.pop(attribute, None)
    return graph
