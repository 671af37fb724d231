"""Nodes of an operator under another name."""

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph


def rename_op(graph: Graph, parameters: Parameters) -> Graph:
    """Make nodes of the operator `old_op_name` nodes of `new_op_name`, whatever that may be."""
    old, new = parameters.string("old_op_name"), parameters.string("new_op_name")
    graph = graph.copy()
    for node in graph.nodes.values():
        if node.op == old:
            node.op = new
    if "Const" in (old, new):  # values lie beside the nodes of Consts, and in those of others
        return Graph.from_graph_def(graph.to_graph_def(), graph.inputs, graph.outputs)
    return graph
