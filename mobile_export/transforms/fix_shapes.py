"""The shapes that the target asks for, in place of those that training left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, attribute, data_inputs, format_shape, node_name
from mobile_export.graphs.ops import SHAPE_OPS
from mobile_export.graphs.tensors import write_shape
from mobile_export.session import Session
from mobile_export.transforms.patterns import constant_nodes, evaluate

Shape = tuple[int, ...]

# Operators that say their output's shape in a constant, and which input that is.
_SHAPE_INPUT = {"Reshape": 1, "BroadcastTo": 1, "Fill": 0}
# The same for the elements of lists, which loops fill.
_ELEMENT_SHAPE_INPUT = {"EmptyTensorList": 0, "TensorListFromTensor": 1, "TensorListReserve": 0, "TensorListStack": 1}
_RESHAPING_MASKS = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")

_WITHOUT_OUTPUT = frozenset({"NoOp", "TensorArrayCloseV3"})

_Rows = dict[str, int | None]
"""The first dimension of each node's first output, -1 where dynamic; None when it has none, or its rank is unknown."""


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
        rows = _rows(graph, session)
    if len({before for before, _ in batches}) > 1 or len({after for _, after in batches}) > 1:
        raise ModelError("the inputs have different baked-in batch sizes; give each its own shape in the target")
    for spec in graph.inputs:
        if spec.name in shapes:
            write_shape(graph.nodes[node_name(spec.tensor)].attr["shape"].shape, shapes[spec.name])
    for before, after in batches:
        for place in baked:
            _rewrite(graph, place, before, after)
        _slice_all(graph, rows, before)
        _fix_elements(graph, before, after)
    graph.inputs = tuple(replace(spec, shape=shapes.get(spec.name, spec.shape)) for spec in graph.inputs)
    return _with_output_shapes(graph, dict(batches), rows)


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


def _slice_all(graph: Graph, rows: _Rows, before: int) -> None:
    """What took as many rows as the batch had, and all of them, takes all there are."""
    for node in list(graph.nodes.values()):
        if node.op not in ("Slice", "StridedSlice") or {rows[node_name(node.input[0])], rows[node.name]} != {before}:
            continue
        if node.op == "StridedSlice" and not any(attribute(node, key).i & 1 for key in _RESHAPING_MASKS):
            node.attr["end_mask"].i |= 1
        elif node.op == "Slice" and node_name(node.input[2]) in graph.constants:
            size = graph.constants[node_name(node.input[2])]
            node.input[2] = graph.add_constant(f"{node.name}/size", np.asarray([-1, *size[1:]], size.dtype))


def _fix_elements(graph: Graph, before: int, after: int) -> None:
    """Give the elements of lists the new batch: loops run over lists of one batch an element.

    TensorFlow checks every element against the shape, so that a list of something else shows when the graph is run.
    """
    constant = constant_nodes(graph)
    for node in list(graph.nodes.values()):
        index = _ELEMENT_SHAPE_INPUT.get(node.op)
        if index is not None and node_name(node.input[index]) in constant:
            (written,) = evaluate(graph, [node.input[index]])
            if written.ndim == 1 and written.size and written[0] == before:
                shape = np.asarray([after, *written[1:]], written.dtype)
                node.input[index] = graph.add_constant(f"{node.name}/element_shape", shape)


def _rows(graph: Graph, session: Session) -> _Rows:
    shapes = {name: session.shape(name) for name, node in graph.nodes.items() if node.op not in _WITHOUT_OUTPUT}
    return {name: shape[0] if (shape := shapes.get(name)) else None for name in graph.nodes}


def _with_output_shapes(graph: Graph, batches: Mapping[int, int], before: _Rows) -> Graph:
    """Infer the outputs' shapes anew; whatever contradicts the new batch shows here."""
    try:
        with Session(graph) as session:
            outputs = tuple(replace(spec, shape=session.shape(spec.tensor)) for spec in graph.outputs)
            after = _rows(graph, session)
    except ModelError as error:
        raise ModelError(f"the model does not take the shapes of the target: {error}") from error
    for old, new in zip(graph.outputs, outputs, strict=True):
        batch = batches.get(old.shape[0]) if old.shape else None
        if batch is not None and new.shape and new.shape[0] not in (-1, batch):
            raise ModelError(
                f"output {old.name!r} is {format_shape(new.shape)} for a batch of {format_shape((batch,))[1:-1]}: "
                f"{_culprit(graph, before, after)} the batch that the model was saved with; keep that batch, or name "
                "outputs before it"
            )
    return replace(graph, outputs=outputs)


def _culprit(graph: Graph, before: _Rows, after: _Rows) -> str:
    """The first node that gives out as many rows as before, though it reads a tensor that has other ones now."""
    changed = {name for name, rows in after.items() if rows != before.get(name, rows)}
    for name in graph.topological_order():
        node = graph.nodes[name]
        if name not in changed and node.op not in SHAPE_OPS and any(node_name(i) in changed for i in data_inputs(node)):
            return f"node {name!r} ({node.op}) holds on to"
    return "something on the way holds on to"
