"""What several transforms ask of a graph."""

from collections.abc import Mapping, Sequence

from mobile_export.graph import Graph, data_inputs, node_name
from mobile_export.ops import CONTROL_FLOW, FOLDABLE
from mobile_export.session import Session
from mobile_export.tensors import Array


def constant_nodes(graph: Graph, gated: bool = False) -> set[str]:
    """Nodes that depend on constants alone, through pure operators.

    Those that wait for a control edge run in a branch or loop, and count only when `gated`.
    """
    known = {name for name in graph.constants if gated or not graph.nodes[name].input}
    for name in graph.topological_order():
        node = graph.nodes[name]
        inputs = data_inputs(node)
        allowed = node.op in FOLDABLE and (gated or len(inputs) == len(node.input))
        if allowed and inputs and all(node_name(i) in known for i in inputs):
            known.add(name)
    return known


def gated_nodes(graph: Graph) -> set[str]:
    """Nodes that may not run, or run many times: downstream of a branch or loop."""
    readers = graph.consumers()
    todo = [name for name, node in graph.nodes.items() if node.op in CONTROL_FLOW and data_inputs(node)]
    gated: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in gated:
            gated.add(name)
            todo += [reader.name for reader, _ in readers[name]]
    return gated


def cone(graph: Graph, tensors: Sequence[str], stop: Sequence[str] = ()) -> Graph:
    """The subgraph that computes `tensors`, without control edges, not looking behind the nodes `stop`."""
    part = Graph(versions=graph.versions)
    todo = [node_name(tensor) for tensor in tensors]
    while todo:
        name = todo.pop()
        if name in part.nodes:
            continue
        node = type(graph.nodes[name])()
        node.CopyFrom(graph.nodes[name])
        del node.input[:]
        if name not in stop:
            node.input.extend(data_inputs(graph.nodes[name]))
        part.nodes[name] = node
        if name in graph.constants:
            part.constants[name] = graph.constants[name]
        todo += [node_name(i) for i in node.input]
    return part


def evaluate(graph: Graph, tensors: Sequence[str], substitutes: Mapping[str, Array] | None = None) -> list[Array]:
    """Values of tensors that depend on constants, and on the nodes that `substitutes` gives a value, alone."""
    given = substitutes or {}
    part = cone(graph, tensors, stop=list(given))
    for name, value in given.items():
        if name in part.nodes:
            part.set_constant(name, value)
    with Session(part, allowed=FOLDABLE | {"Const"}) as session:
        return session.evaluate(tensors)
