"""Control edges from nodes that are about to go."""

from collections.abc import Collection

from mobile_export.graphs.graph import Graph, node_name
from mobile_export.transforms.patterns import gated_nodes


def stop_waiting(graph: Graph, names: Collection[str]) -> None:
    """Let no node of `graph` wait for the nodes `names`.

    One in a branch or loop that has no other input still waits: that is what tells it when to run.
    """
    left = {
        node.name: [name for name in node.input if not (name.startswith("^") and node_name(name) in names)]
        for node in graph.nodes.values()
        if any(name.startswith("^") for name in node.input)
    }
    gated = gated_nodes(graph) if not all(left.values()) else set()
    for name, inputs in left.items():
        if inputs or name not in gated:
            graph.nodes[name].input[:] = inputs
