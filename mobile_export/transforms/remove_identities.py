"""Nodes that pass their first input through."""

from mobile_export.graphs.graph import Graph, canonical, control_inputs, node_name

PASS_THROUGH = frozenset(["Identity", "StopGradient", "CheckNumerics", "PreventGradient", "Snapshot"])


def remove_identities(graph: Graph) -> Graph:
    """Let readers of a pass-through node read what it passes on.

        Relu(CheckNumerics(StopGradient(Identity(x))))  =>  Relu(x)

    A node with control edges in or out stays: in branches and loops those decide what runs. So does one whose input
    is a Switch or another node with dead outputs, for the same reason.
    """
    graph = graph.copy()
    controls = {node_name(name) for node in graph.nodes.values() for name in control_inputs(node)}
    sources: dict[str, str] = {}
    for name, node in graph.nodes.items():
        if node.op in PASS_THROUGH and name not in controls and not control_inputs(node):
            producer = graph.producer(node.input[0])
            if producer is not None and producer.op not in ("Switch", "RefSwitch", "Enter", "RefEnter"):
                sources[f"{name}:0"] = canonical(node.input[0])
    graph.redirect(sources)
    graph.prune()
    return graph
