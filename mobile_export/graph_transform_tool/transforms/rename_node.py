"""A node under another name."""

from mobile_export.graph_transform_tool.naming import rename_nodes
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, node_name


def rename_node(graph: Graph, parameters: Parameters) -> Graph:
    """Rename the node `old_node_name` to `new_node_name`, for its readers too; nothing when there is none.

    An input or output that it is stays one, under the node's new name.
    """
    old, new = parameters.string("old_node_name"), parameters.string("new_node_name")
    if new in graph.nodes:
        raise parameters.error(f"there is a node {new!r} already; choose another name")
    if not new or node_name(new) != new:
        raise parameters.error(f"no node can be named {new!r}; choose a name without ':' and '^'")
    return rename_nodes(graph, {old: new})
