"""What does not depend on any input is computed now."""

import numpy as np

from mobile_export.graphs.graph import Graph, canonical, control_inputs, data_inputs, node_name, port, total_bytes
from mobile_export.graphs.ops import SHAPE_OPS
from mobile_export.graphs.tensors import Array
from mobile_export.session import Session
from mobile_export.transforms.patterns import cone, constant_nodes, evaluate, gated_nodes, static_bytes

MAX_GROWTH_BYTES = 1 << 20
"""A folded value may be this much larger than what it was computed from (a Fill of zeros stays a Fill)."""


def propagate_constants(graph: Graph) -> Graph:
    """Replace every subgraph of constants by its value, and the shape of what has a static shape likewise.

        Mul(Rsqrt(Add(var, eps)), gamma)  =>  Const
        Shape(x), x: float32[1,28,28,1]   =>  Const [1,28,28,1]

    A folded node keeps its name. Only pure, listed operators run, and nothing inside a loop or branch is touched.
    """
    graph = graph.copy()
    with Session(graph) as session:
        _fold_shapes(graph, session)
        wanted = _frontier(graph, constant_nodes(graph) - set(graph.constants))
        wanted = [tensor for tensor in wanted if (static_bytes(session, tensor) or 0) <= _most_bytes(graph, tensor)]
    values = evaluate(graph, wanted) if wanted else []
    for tensor, value in zip(wanted, values, strict=True):
        if value.nbytes <= _most_bytes(graph, tensor):
            _replace(graph, tensor, value, wanted)
    graph.prune()
    return graph


def _fold_shapes(graph: Graph, session: Session) -> None:
    gated = gated_nodes(graph)
    for node in list(graph.nodes.values()):
        if node.op not in SHAPE_OPS or node.name in gated or control_inputs(node):
            continue
        shape = session.shape(node.input[0])
        if shape is None or (node.op != "Rank" and min(shape, default=0) < 0):
            continue
        dtype = session.dtype(node.name)
        value = {"Shape": shape, "Rank": len(shape), "Size": int(np.prod(shape, dtype=np.int64))}[node.op]
        graph.set_constant(node.name, np.asarray(value, dtype))


def _frontier(graph: Graph, foldable: set[str]) -> list[str]:
    """The tensors of foldable nodes that others read."""
    read = [i for node in graph.nodes.values() if node.name not in foldable for i in data_inputs(node)]
    read += [spec.tensor for spec in graph.outputs]
    return list(dict.fromkeys(canonical(tensor) for tensor in read if node_name(tensor) in foldable))


def _most_bytes(graph: Graph, tensor: str) -> int:
    return total_bytes(cone(graph, [tensor]).constants) + MAX_GROWTH_BYTES


def _replace(graph: Graph, tensor: str, value: Array, wanted: list[str]) -> None:
    """Port 0 keeps the node's name, so that names in the target stay good; other ports get a Const of their own."""
    name = node_name(tensor)
    if port(tensor) == 0 and [t for t in wanted if node_name(t) == name] == [tensor]:
        graph.set_constant(name, value)
    else:
        graph.redirect({tensor: graph.add_constant(f"{name}/folded", value)})
