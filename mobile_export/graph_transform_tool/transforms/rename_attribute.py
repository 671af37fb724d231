"""Nodes with an attribute under another name."""

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph


def rename_attribute(graph: Graph, parameters: Parameters) -> Graph:
    """Rename `old_attribute_name` to `new_attribute_name` in the nodes of the operator `op_name`, or in all.

    A node that has both keeps the value that it has under the new name.
    """
    old, new = parameters.string("old_attribute_name"), parameters.string("new_attribute_name")
    op = parameters.string("op_name", "*")
    graph = graph.copy()
    for node in graph.nodes.values():
        if op not in ("*", node.op) or old == new:
            continue
        if "value" in (old, new) and node.name in graph.constants:
            raise parameters.error(f"{node.name!r} is a Const and needs its value; write op_name=… to leave Consts out")
        if old in node.attr:
            if new not in node.attr:
                node.attr[new].CopyFrom(node.attr[old])
            del node.attr[old]
    return graph
