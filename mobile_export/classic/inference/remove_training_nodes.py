"""Nodes that matter in training alone, and pass on what they read."""

from mobile_export.classic.inference.control_edges import stop_waiting
from mobile_export.graphs.graph import Graph, attribute, control_inputs, data_inputs, node_name

_CHECKS = frozenset({"CheckNumerics"})
_SPLICED = frozenset({"Identity", "StopGradient"})
_COLOCATED = b"loc:@"


def remove_training_nodes(graph: Graph) -> Graph:
    """Let readers of a node that passes its input on read that input instead:

        Relu(CheckNumerics(StopGradient(Identity(x))))  =>  Relu(x)

    Outputs stay, and so do nodes with control edges in or out, which may decide what runs. Waiting for a check is no
    such edge: it goes with the check. Nor is waiting for a constant to be read, as the outputs of graphs do, for every
    weight, that TensorFlow 2 froze. An Identity beside which another node is to be placed stays, too.
    """
    graph = graph.copy()
    checks = {name for name, node in graph.nodes.items() if node.op in _CHECKS}
    stop_waiting(graph, checks | _reads(graph))
    stop_waiting(graph, {name for name, node in graph.nodes.items() if node.op == "NoOp" and not node.input})
    waited_for = {node_name(name) for node in graph.nodes.values() for name in control_inputs(node)}
    hosts = {
        host.removeprefix(_COLOCATED).decode(errors="replace")
        for node in graph.nodes.values()
        if node.op not in _CHECKS
        for host in attribute(node, "_class").list.s
    }
    passed = {}
    for name, node in graph.nodes.items():
        removable = data_inputs(node) and (node.op in _CHECKS or (node.op in _SPLICED and name not in hosts))
        if removable and name not in waited_for and not control_inputs(node) and not graph.is_output(name):
            passed[f"{name}:0"] = node.input[0]
    graph.redirect(passed)
    graph.prune()
    return graph


def _reads(graph: Graph) -> set[str]:
    """Nodes that pass a constant on, which is always there."""
    found: set[str] = set()
    for name in graph.topological_order():
        node = graph.nodes[name]
        source = graph.producer(node.input[0]) if node.op in _SPLICED and node.input else None
        if source is None or control_inputs(node):
            continue
        if source.name in found or (source.op == "Const" and not source.input):
            found.add(name)
    return found
