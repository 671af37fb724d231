"""What several transforms ask of a graph."""

import math
from collections.abc import Mapping, Sequence

from mobile_export.graphs.graph import Graph, data_inputs, node_name
from mobile_export.graphs.ops import FOLDABLE
from mobile_export.graphs.protos import FunctionDefLibrary, NodeDef
from mobile_export.graphs.tensors import Array, dtype_named
from mobile_export.session import Session


def constant_nodes(graph: Graph, gated: bool = False) -> set[str]:
    """Nodes that depend on constants alone, through pure operators and default values that nobody feeds.

    Those that wait for a control edge run in a branch or loop, and count only when `gated`.
    """
    known = {name for name in graph.constants if gated or not graph.nodes[name].input}
    for name in graph.topological_order():
        node = graph.nodes[name]
        inputs = data_inputs(node)
        pure = node.op in FOLDABLE or (node.op == "PlaceholderWithDefault" and not graph.is_input(name))
        allowed = pure and (gated or len(inputs) == len(node.input))
        if allowed and inputs and all(node_name(i) in known for i in inputs):
            known.add(name)
    return known


def gated_nodes(graph: Graph) -> set[str]:
    """Nodes that may not run, or run many times: between a Switch and its Merge, or an Enter and its Exit."""
    depth: dict[str, int] = {}
    for name in graph.topological_order():
        node = graph.nodes[name]
        # a NextIteration comes later in the order, and is as deep as the Enter beside it
        inside = max((depth.get(node_name(i), 0) for i in node.input), default=0)
        depth[name] = max(0, inside + _deeper(graph, node))
    return {name for name, levels in depth.items() if levels}


def _deeper(graph: Graph, node: NodeDef) -> int:
    """How many branches and loops `node` opens; negative for those that it closes."""
    if node.op in ("Switch", "RefSwitch", "Enter", "RefEnter"):
        return 1
    if node.op in ("Exit", "RefExit"):
        return -2  # behind the Enter of its loop and the Switch that asks whether to go on
    sources = [graph.producer(i) for i in node.input]
    opens_loop = any(source is not None and source.op in ("Enter", "RefEnter") for source in sources)
    return -1 if node.op in ("Merge", "RefMerge") and not opens_loop else 0


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
    with Session(part, allowed=FOLDABLE | {"Const", "PlaceholderWithDefault"}) as session:
        return session.evaluate(tensors)


def static_bytes(session: Session, tensor: str) -> int | None:
    """The bytes of `tensor` before it is computed, where its shape tells them: a Fill may be larger than memory."""
    shape = session.shape(tensor)
    try:
        dtype = dtype_named(session.dtype(tensor))
    except KeyError:  # of strings and resources
        return None
    return None if shape is None or min(shape, default=0) < 0 else math.prod(shape) * dtype.itemsize


def values_where_known(graph: Graph, tensors: Sequence[str]) -> dict[str, Array]:
    """The values of those of `tensors` that depend on constants alone."""
    constant = constant_nodes(graph, gated=True) if tensors else set()
    known = sorted({tensor for tensor in tensors if node_name(tensor) in constant})
    return dict(zip(known, evaluate(graph, known), strict=True)) if known else {}


def drop_unused_functions(graph: Graph) -> None:
    """Keep the functions that the graph's nodes call."""
    graph.library = FunctionDefLibrary(function=graph.used_functions())
