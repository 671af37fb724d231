"""Nodes that only pass on what they read."""

from collections.abc import Mapping

from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graph_transform_tool.waits import Waits
from mobile_export.graphs.graph import Graph, control_inputs, data_inputs, node_name, port
from mobile_export.graphs.ops import MERGES
from mobile_export.graphs.protos import NodeDef

_SWITCHES = frozenset({"Switch", "RefSwitch", "_SwitchN"})


def remove_nodes(graph: Graph, parameters: Parameters) -> Graph:
    """Let readers of nodes of the operators `op` read their first input instead, and wait for what they waited for.

        y = Relu(Identity(x, ^c))  =>  y = Relu(x, ^c)

    Only nodes with at most `max_inputs` data inputs are removed, and with them other inputs that nobody reads then.
    Inputs and outputs stay. So do nodes that decide what runs in a branch or loop: one behind a Switch that others wait
    for, since the Switch itself runs in either case; and one that waits itself and is read by a Merge, which cannot.
    """
    ops = parameters.all("op")
    if not ops:
        raise parameters.error("op is missing; write remove_nodes(op=Identity)")
    most = parameters.integer("max_inputs", 1)
    graph = graph.copy()
    renamed: dict[str, str] = {}
    waits = Waits(parameters.transform)
    for op in ops:
        counts = {len(data_inputs(node)) for node in graph.nodes.values() if _is_of(node, op)}
        for count in sorted(count for count in counts if 1 <= count <= most):
            removed = _remove(graph, op, count, waits)
            renamed = {old: removed.get(new, new) for old, new in renamed.items()} | removed
    update_colocations(graph, renamed)
    return graph


def _is_of(node: NodeDef, op: str) -> bool:
    """Whether `node` is of one of the operators that `op` lists with `|` between them; `*` is any."""
    return op == "*" or node.op in op.split("|")


def _remove(graph: Graph, op: str, count: int, waits: Waits) -> dict[str, str]:
    """Remove the nodes with `count` data inputs; returns their names, and whom their readers read now."""
    kept = {node_name(spec.tensor) for spec in (*graph.inputs, *graph.outputs)}
    waited_for = {node_name(tensor) for node in graph.nodes.values() for tensor in control_inputs(node)}
    merged = {node_name(t) for node in graph.nodes.values() if node.op in MERGES for t in node.input}
    removed: dict[str, NodeDef] = {}
    for name in graph.topological_order():
        node = graph.nodes[name]
        gone = _rewire(node, removed)
        data, controls = data_inputs(node), control_inputs(node)
        if len(data) == count and _is_of(node, op) and name not in kept:
            source = graph.producer(data[0])
            gates = source is not None and source.op in _SWITCHES and name in waited_for
            if not gates and not (name in merged and (controls or waits.any(gone))):
                removed[name] = node
                waits.add(name, controls, gone)
                continue
        read = set(node.input)
        node.input.extend(control for control in waits.collect(gone) if control not in read)
    graph.remove(removed)
    graph.remove(_unread_operands(graph, removed) - kept)
    return {name: node_name(node.input[0]) for name, node in removed.items()}


def _rewire(node: NodeDef, removed: Mapping[str, NodeDef]) -> list[str]:
    """Let `node` read what `removed` nodes read; returns the names of those, which may have waited for others."""
    gone = []
    for index, tensor in enumerate(node.input):
        source = removed.get(node_name(tensor))
        if source is not None and port(tensor) <= 0:
            node.input[index] = f"^{node_name(source.input[0])}" if tensor.startswith("^") else source.input[0]
            gone.append(source.name)
    return gone


def _unread_operands(graph: Graph, removed: Mapping[str, NodeDef]) -> set[str]:
    """What `removed` nodes read besides their first input, and nobody else does."""
    first = {node_name(node.input[0]) for node in removed.values()}
    others = {node_name(tensor) for node in removed.values() for tensor in data_inputs(node)[1:]} - first
    read = {node_name(tensor) for node in graph.nodes.values() for tensor in node.input} if others else set()
    return others - read
