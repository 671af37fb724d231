"""Side effects that inference does not have: assertions, prints, update operations."""

from mobile_export.graphs.graph import Graph, canonical, node_name
from mobile_export.transforms.patterns import gated_nodes

OBSERVERS = frozenset({"CheckNumerics", "CheckNumericsV2", "Print"})
"""Assertions and prints that stand in the data's way, and pass it on."""


def drop_control_edges(graph: Graph) -> Graph:
    """Remove control edges, and with them the assertions, prints and updates that only they kept alive.

        y = Relu(x, ^Assert)         =>  y = Relu(x)
        y = Relu(CheckNumerics(x))   =>  y = Relu(x)

    An edge from a node that runs inside a branch or loop stays: there it says whether the reader runs at all.
    """
    graph = graph.copy()
    gated = gated_nodes(graph)
    observers = [node for node in graph.nodes.values() if node.op in OBSERVERS]
    graph.redirect({f"{node.name}:0": canonical(node.input[0]) for node in observers})
    for node in graph.nodes.values():
        kept = [name for name in node.input if not name.startswith("^") or node_name(name) in gated]
        if len(kept) < len(node.input):
            del node.input[:]
            node.input.extend(kept)
    graph.prune()
    return graph
