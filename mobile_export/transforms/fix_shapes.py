"""The shapes that the target asks for, in place of those that training left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph import Graph, canonical, format_shape, node_name
from mobile_export.session import Session
from mobile_export.tensors import write_shape
from mobile_export.transforms.patterns import constant_nodes, evaluate

Shape = tuple[int, ...]

# Operators that say their output's shape in a constant, and which input that is.
_SHAPE_INPUT = {"Reshape": 1, "BroadcastTo": 1, "Fill": 0}


def fix_shapes(graph: Graph, shapes: Mapping[str, Shape]) -> Graph:
    """Give public inputs new shapes; a batch that is baked into the graph is rewritten with them.

        x: [256,12,12,3] -> Reshape(x, [256,432])   =>   x: [1,12,12,3] -> Reshape(x, [1,432])

    Args:
        shapes: by public input name; -1 keeps a dimension dynamic.

    Raises:
        ModelError: the old batch is fixed in a place that cannot be rewritten; names the node.
    """
    graph = graph.copy()
    with Session(graph) as session:
        old = {spec.name: session.shape(spec.tensor) for spec in graph.inputs}
        batches = {(o[0], n[0]) for name, n in shapes.items() if (o := old[name]) and n and o[0] > 1 and o[0] != n[0]}
        baked = _baked(graph, session, {before for before, _ in batches})
    if len({before for before, _ in batches}) > 1 or len({after for _, after in batches}) > 1:
        raise ModelError("the inputs have different baked-in batch sizes; give each its own shape in the target")
    for spec in graph.inputs:
        if spec.name in shapes:
            write_shape(graph.nodes[node_name(spec.tensor)].attr["shape"].shape, shapes[spec.name])
    for before, after in batches:
        for place in baked:
            _rewrite(graph, place, before, after)
    graph.inputs = tuple(replace(spec, shape=shapes.get(spec.name, spec.shape)) for spec in graph.inputs)
    return _with_output_shapes(graph, dict(batches))


@dataclass(frozen=True)
class _Place:
    """Input `index` of `node` is a constant shape, and the node's output had `shape` before anything changed."""

    node: str
    index: int
    shape: Shape


def _baked(graph: Graph, session: Session, sizes: set[int]) -> list[_Place]:
    """Constant shapes that start with a baked-in batch, of nodes that read something of that batch."""
    if not sizes:
        return []
    fed, constant = graph.downstream(node_name(spec.tensor) for spec in graph.inputs), constant_nodes(graph)
    found = []
    for node in graph.nodes.values():
        index = _SHAPE_INPUT.get(node.op)
        if index is None or node_name(node.input[index]) not in constant:
            continue
        shape = session.shape(f"{node.name}:0")
        (written,) = evaluate(graph, [node.input[index]])
        reads_input = node.op == "Fill" or node_name(node.input[0]) in fed
        if shape and shape[0] in sizes and reads_input and written.ndim == 1 and written[0] == shape[0]:
            found.append(_Place(node.name, index, shape))
    return found


def _rewrite(graph: Graph, place: _Place, before: int, after: int) -> None:
    """Replace the batch in a constant shape; other readers of the constant keep theirs."""
    node = graph.nodes[place.node]
    if place.shape[0] != before:
        return
    if after == -1 and (node.op != "Reshape" or -1 in place.shape):
        raise ModelError(
            f"node {node.name!r} ({node.op}) has the batch of {before} baked in and cannot be dynamic; "
            "give the inputs a fixed batch, such as 1, in the target"
        )
    (written,) = evaluate(graph, [node.input[place.index]])
    shape = np.asarray((after, *place.shape[1:]), written.dtype)
    node.input[place.index] = graph.add_constant(f"{node.name}/shape", shape)


def _with_output_shapes(graph: Graph, batches: Mapping[int, int]) -> Graph:
    """Infer the outputs' shapes anew; whatever contradicts the new batch shows here."""
    try:
        with Session(graph) as session:
            outputs = tuple(replace(spec, shape=session.shape(spec.tensor)) for spec in graph.outputs)
    except ModelError as error:
        raise ModelError(f"the model does not take the shapes of the target: {error}") from error
    for old, new in zip(graph.outputs, outputs, strict=True):
        if old.shape and old.shape[0] in batches and new.shape and new.shape[0] == old.shape[0]:
            raise ModelError(
                f"output {old.name!r} is still {format_shape(new.shape)}: the batch of {old.shape[0]} is baked in "
                f"between the inputs and {canonical(old.tensor)!r}; keep that batch, or name outputs before it"
            )
    return replace(graph, outputs=outputs)
