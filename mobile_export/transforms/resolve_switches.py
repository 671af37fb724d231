"""Branches whose condition is known: `is_training` switches, above all."""

from collections.abc import Mapping

import numpy as np

from mobile_export.graphs.graph import Graph, canonical, control_inputs, data_inputs, node_name
from mobile_export.transforms.patterns import values_where_known


def resolve_switches(graph: Graph) -> Graph:
    """Keep the branch that inference takes.

    A default value that nobody feeds becomes what it is. Then, wherever the condition depends on constants alone:

        Merge(f(Switch(x, False):0), g(Switch(x, False):1))  =>  f(x)

    Branches on anything else stay.
    """
    graph = graph.copy()
    _fix_defaults(graph)
    while known := _known_switches(graph):
        _take_branches(graph, known)
        graph.prune()
    return graph


def _fix_defaults(graph: Graph) -> None:
    for name, node in graph.nodes.items():
        if node.op == "PlaceholderWithDefault" and not graph.is_input(name):
            dtype = node.attr["dtype"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = dtype


def _known_switches(graph: Graph) -> dict[str, bool]:
    """Switch nodes whose condition depends on constants alone, with the condition's value."""
    switches = {n.name: n.input[1] for n in graph.nodes.values() if n.op in ("Switch", "RefSwitch")}
    values = values_where_known(graph, list(switches.values()))
    return {name: bool(values[condition]) for name, condition in switches.items() if condition in values}


def _take_branches(graph: Graph, known: Mapping[str, bool]) -> None:
    redirected = {}
    dead = set()
    for name, taken in known.items():
        redirected[f"{name}:{int(taken)}"] = canonical(graph.nodes[name].input[0])
        dead.add(f"{name}:{int(not taken)}")
    dead_nodes = _dead_nodes(graph, dead)
    for node in list(graph.nodes.values()):
        if node.op in ("Merge", "RefMerge") and node.name not in dead_nodes:
            live = [i for i in data_inputs(node) if canonical(i) not in dead and node_name(i) not in dead_nodes]
            if len(live) == 1 and len(data_inputs(node)) > 1:
                index = data_inputs(node).index(live[0])
                redirected[f"{node.name}:0"] = canonical(live[0])
                redirected[f"{node.name}:1"] = graph.add_constant(f"{node.name}/index", np.asarray(index, np.int32))
    graph.redirect(redirected)
    _forget(graph, dead_nodes | set(known))


def _dead_nodes(graph: Graph, dead: set[str]) -> set[str]:
    """Nodes that never run because something that they read, or wait for, never does. A Merge needs one live input."""
    nodes: set[str] = set()
    readers = graph.consumers()
    todo = [node_name(tensor) for tensor in dead]
    while todo:
        for reader, index in readers[todo.pop()]:
            gone = [
                canonical(i) in dead or node_name(i) in nodes
                for i in (data_inputs(reader) if reader.op in ("Merge", "RefMerge") else [reader.input[index]])
            ]
            if reader.name not in nodes and all(gone):
                nodes.add(reader.name)
                todo.append(reader.name)
    return nodes


def _forget(graph: Graph, names: set[str]) -> None:
    """Remove resolved nodes; a control edge on one has said its word."""
    for node in graph.nodes.values():
        if any(node_name(i) in names for i in control_inputs(node)):
            kept = [i for i in node.input if not (i.startswith("^") and node_name(i) in names)]
            del node.input[:]
            node.input.extend(kept)
    graph.remove(names)
