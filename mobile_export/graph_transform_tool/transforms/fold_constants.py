"""What depends on no input is computed once, here."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graph_transform_tool.memory import memory_limit
from mobile_export.graph_transform_tool.removal import require_outputs
from mobile_export.graph_transform_tool.static_shapes import inferred
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graph_transform_tool.waits import Waits
from mobile_export.graphs.graph import Graph, attribute, canonical, data_inputs, node_name, port
from mobile_export.graphs.ops import FOLDABLE, SHAPE_OPS
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array, dtype_named, dtype_number
from mobile_export.session import Session
from mobile_export.transforms.patterns import evaluate, static_bytes

LARGEST_VALUE = 10 << 20
"""Bytes that a folded value may have, unless `max_constant_size_in_bytes` says otherwise."""

_PASS_THROUGH = frozenset({"Identity", "PlaceholderWithDefault", "PreventGradient", "Snapshot", "StopGradient"})
"""What needs no kernel. The `read` nodes of TensorFlow 1 are most of what there is to fold."""
_SHAPE_OPS = SHAPE_OPS | {"ShapeN"}
_STATEFUL = frozenset({"CheckNumerics"})
"""What is pure but may refuse, so that TensorFlow calls it stateful."""


def fold_constants(graph: Graph, parameters: Parameters) -> Graph:
    """Put a Const in the place of each tensor that depends on constants alone, and drop what no output needs.

        Mul(x, Identity(w))         =>  Mul(x, w/read/_0__cf__0)
        Shape(y), y: float32[3,4]   =>  Const(^y): 3 4

    What is an output keeps its name, and stays. So does what is stateful or control flow, is excluded by `exclude_op`
    or `exclude_node`, has a result above `max_constant_size_in_bytes`, or one whose size only its kernel knows. Kernels
    run for listed operators alone; without any to run, TensorFlow is not needed.

    Raises:
        ModelError: an input is no placeholder, a kernel refuses, or the constants would fill the memory.
    """
    require_outputs(graph, parameters)
    graph = graph.copy()
    clear = parameters.boolean("clear_output_shapes", True)
    inputs = {node_name(spec.tensor) for spec in graph.inputs}
    for node in graph.nodes.values():
        if clear:
            node.attr.pop("_output_shapes", None)
        if node.name in inputs:
            _make_placeholder(node)
    graph.prune()
    folded, shapes = _foldable(graph, parameters)
    _replace(graph, folded, shapes)
    graph.prune()
    for spec in reversed(graph.inputs):  # the tool's order, on which overlapping matches of later transforms hang
        name = node_name(spec.tensor)
        graph.nodes[name] = graph.nodes.pop(name)
    for node in graph.nodes.values():  # `x:0`, after which later transforms name what they add
        node.input[:] = [canonical(tensor) if node_name(tensor) in inputs else tensor for tensor in node.input]
    update_colocations(graph)
    return graph


def _make_placeholder(node: NodeDef) -> None:
    """Make an input that has a default value one that has none."""
    if node.op not in ("Placeholder", "PlaceholderWithDefault"):
        raise ModelError(
            f"input {node.name!r} was expected to be a Placeholder or PlaceholderWithDefault op, but was {node.op}; "
            "run strip_unused_nodes before fold_constants"
        )
    node.op = "Placeholder"
    del node.input[:]


def _foldable(graph: Graph, parameters: Parameters) -> tuple[Waits, dict[str, Array]]:
    """The nodes to fold, and the values of those tensors among theirs that are shapes."""
    most = parameters.integer("max_constant_size_in_bytes", LARGEST_VALUE)
    excluded_ops, excluded_nodes = set(parameters.all("exclude_op")), set(parameters.all("exclude_node"))

    def pure(node: NodeDef) -> bool:
        listed = node.op in FOLDABLE - _STATEFUL or node.op == "PlaceholderWithDefault"
        return listed and node.op not in excluded_ops and node.name not in excluded_nodes

    constant = _constant(graph, pure)
    sizes, shapes = _passed_sizes(graph, constant), dict[str, Array]()
    if _kernels(graph, constant) or any(node.op in _SHAPE_OPS for node in graph.nodes.values()):
        static, shapes = _infer(graph)
        sizes = {**static, **sizes}
    ports = _read_ports(graph)

    def small(node: NodeDef) -> bool:
        return pure(node) and all(sizes.get(tensor, most + 1) <= most for tensor in ports.get(node.name, ()))

    folded = _constant(graph, small, {node_name(tensor) for tensor in shapes})
    kernels = _kernels(graph, folded)
    touched = {canonical(i) for name in kernels for i in data_inputs(graph.nodes[name])}
    needed = sum(sizes.get(tensor, 0) for tensor in touched.union(*(ports.get(name, ()) for name in kernels)))
    if needed > memory_limit(graph):
        raise ModelError(
            f"folding its constants would take {needed} bytes; give fold_constants a smaller max_constant_size_in_bytes"
        )
    return folded, shapes


def _constant(graph: Graph, foldable: Callable[[NodeDef], bool], shapes: Collection[str] = ()) -> Waits:
    """The constant nodes: Consts, those in `shapes`, and the `foldable` ones that read nothing else.

    In a branch or loop a Const waits for a node in there, and what is made of it does the same.
    """
    waits = Waits("fold_constants")
    for name in graph.topological_order():
        node = graph.nodes[name]
        read = data_inputs(node)
        computed = bool(read) and all(node_name(i) in waits for i in read) and foldable(node)
        if node.op == "Const" or name in shapes or computed:
            sources = dict.fromkeys(map(node_name, node.input))
            behind = [source for source in sources if source in waits]
            waits.add(name, [source for source in sources if source not in waits], behind)
    return waits


def _kernels(graph: Graph, constant: Iterable[str]) -> list[str]:
    """Those of the nodes that take more than passing an array on."""
    return [name for name in constant if graph.nodes[name].op not in _PASS_THROUGH | _SHAPE_OPS | {"Const"}]


def _read_ports(graph: Graph) -> dict[str, set[str]]:
    """By node name, those of its tensors that other nodes or outputs read."""
    ports: dict[str, set[str]] = {}
    read = [i for node in graph.nodes.values() for i in data_inputs(node)]
    for tensor in [*read, *(spec.tensor for spec in graph.outputs)]:
        ports.setdefault(node_name(tensor), set()).add(canonical(tensor))
    return ports


def _origins(graph: Graph, constant: Iterable[str]) -> dict[str, NodeDef]:
    """By node name, the Const whose value it passes on, of those nodes that do nothing else."""
    origins: dict[str, NodeDef] = {}
    for name in constant:  # in the order of computation
        node = graph.nodes[name]
        if node.op == "Const":
            origins[name] = node
        elif node.op in _PASS_THROUGH and node_name(data_inputs(node)[0]) in origins:
            origins[name] = origins[node_name(data_inputs(node)[0])]
    return origins


def _passed_sizes(graph: Graph, constant: Iterable[str]) -> dict[str, int]:
    """Bytes of the tensors that pass a Const on; those of strings count nothing."""
    return {
        f"{name}:0": graph.constants[origin.name].nbytes if origin.name in graph.constants else 0
        for name, origin in _origins(graph, constant).items()
    }


def _infer(graph: Graph) -> tuple[dict[str, int], dict[str, Array]]:
    """Bytes of all tensors that have a static size, and the values of those that are static shapes."""
    shapes: dict[str, Array] = {}
    with inferred(graph) as (session, part):
        tensors = {tensor for name, read in _read_ports(graph).items() if name in part.nodes for tensor in read}
        sizes = {tensor: static_bytes(session, tensor) for tensor in tensors}
        for node in part.nodes.values():
            if node.op in _SHAPE_OPS:
                shapes |= _shape_values(session, node)
    return {tensor: size for tensor, size in sizes.items() if size is not None}, shapes


def _shape_values(session: Session, node: NodeDef) -> dict[str, Array]:
    """What `node` says of the shapes of its inputs, as far as they are static; by tensor."""
    values: dict[str, Array] = {}
    dtype = dtype_named(session.dtype(node.name))
    for index, read in enumerate(data_inputs(node)):
        shape = session.shape(read)
        if shape is None or (node.op != "Rank" and min(shape, default=0) < 0):
            return {}
        size = {"Rank": len(shape), "Size": int(np.prod(shape, dtype=np.int64))}.get(node.op)
        value = np.asarray(shape if size is None else size, np.int64)
        fitting = value.astype(dtype)
        if not np.array_equal(fitting, value):
            return {}
        values[f"{node.name}:{index}"] = fitting
    return values


def _replace(graph: Graph, folded: Waits, shapes: Mapping[str, Array]) -> None:
    """Let every reader of a folded tensor read a Const instead; the outputs themselves stay."""
    tensors = _frontier(graph, folded)
    origins = _origins(graph, folded)
    values = _values(graph, [t for t in tensors if node_name(t) not in origins], shapes)
    names = {}
    for k, tensor in enumerate(tensors):
        node = NodeDef(op="Const", input=[f"^{name}" for name in sorted(folded.collect([node_name(tensor)]))])
        node.name = names[tensor] = graph.free_name(f"{node_name(tensor)}/_{k}__cf__{k}")
        graph.nodes[node.name] = node
        origin = origins.get(node_name(tensor))
        if origin is None:
            node.attr["dtype"].type = dtype_number(values[tensor].dtype)
            graph.constants[node.name] = values[tensor]
            continue
        for key in origin.attr.keys() & {"dtype", "value"}:
            node.attr[key].CopyFrom(attribute(origin, key))
        if origin.name in graph.constants:
            graph.constants[node.name] = graph.constants[origin.name]
    outputs = graph.outputs
    graph.redirect(names)
    graph.outputs = outputs


def _frontier(graph: Graph, folded: Waits) -> list[str]:
    """The folded tensors, Consts aside, that are read, and not by folded nodes alone; by node name and port."""
    read = {canonical(i) for node in graph.nodes.values() for i in data_inputs(node)}
    needed = {canonical(i) for node in graph.nodes.values() if node.name not in folded for i in data_inputs(node)}
    needed |= {canonical(spec.tensor) for spec in graph.outputs} & read
    found = [t for t in needed if node_name(t) in folded and graph.nodes[node_name(t)].op != "Const"]
    return sorted(found, key=lambda tensor: (node_name(tensor), port(tensor)))


def _values(graph: Graph, tensors: Sequence[str], shapes: Mapping[str, Array]) -> dict[str, Array]:
    """What kernels make of `tensors`, and static shapes."""
    computed = [tensor for tensor in tensors if tensor not in shapes]
    if not computed:
        return dict(shapes)
    part = graph.copy()
    part.redirect(
        {tensor: part.add_constant(f"{node_name(tensor)}/{port(tensor)}", value) for tensor, value in shapes.items()}
    )
    return {**shapes, **dict(zip(computed, evaluate(part, computed), strict=True))}
