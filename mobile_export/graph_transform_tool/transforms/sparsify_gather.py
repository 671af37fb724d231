"""Linear models whose weights are mostly zero: a hash table in place of a column."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.execution_order import execution_order
from mobile_export.graph_transform_tool.removal import remove
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, attribute, control_inputs, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array, dtype_name, dtype_number_of

_SMALLEST = np.nextafter(np.float32(1e-5), np.float32(1))  # float32 has no 1e-5; this is the first above
_VARIABLES = frozenset({"Variable", "VariableV2"})
_FLOAT32, _INT32, _INT64 = map(dtype_number_of, ("float32", "int32", "int64"))


class _Gather(NamedTuple):
    """A Gather of rows of a column.

    Attributes:
        name: of the Gather.
        read: the Identity between it and the weights.
        weights: the Const or variable.
        axis: the Const with the axis, which a Gather of the second version has.
    """

    name: str
    read: str
    weights: str
    axis: tuple[str, ...] = ()


def sparsify_gather(graph: Graph, parameters: Parameters) -> Graph:
    """Look the weights up that are not near zero, and leave out the others:

        Gather(Identity(w), ids)  =>  ExpandDims(LookupTableFind(w/HashTable, ids, 0), -1)

    w, float32 of shape [N, 1], is a Const, or a variable with a value in the checkpoint `input_checkpoint`. The tables
    are filled by running the NoOp `group_init_node`. Weights that the outputs read elsewhere as well stay; of what else
    read them, training and saving, nothing is left.

    Raises:
        TargetError: a variable is gathered, and no checkpoint is named.
        ModelError: weights are of another type or shape or not in the checkpoint, or another axis is gathered.
    """
    graph = graph.copy()
    for node in graph.nodes.values():
        node.attr.pop("_output_shapes", None)
    inputs = {node_name(spec.tensor) for spec in graph.inputs}
    gathers = [gather for name in execution_order(graph) if (gather := _gather(graph, name, inputs)) is not None]
    read = _reader(graph, parameters)
    values = {name: read(name) for name in dict.fromkeys(gather.weights for gather in gathers)}
    start = _start(graph, parameters.string("group_init_node", "group_deps"))
    tables = {name: _add_table(graph, name, value, start) for name, value in values.items()}
    for gather in gathers:
        _look_up(graph, gather.name, tables[gather.weights])
    needed = graph.reachable(spec.tensor for spec in (*graph.inputs, *graph.outputs))
    replaced = [name for gather in gathers for name in (gather.read, gather.weights)]
    unread = {name for gather in gathers for name in gather.axis} - {*needed, *graph.consumers()}
    remove(graph, [*(name for name in replaced if name not in needed), *sorted(unread)], keep=start.name)
    return graph


def _gather(graph: Graph, name: str, fed: Collection[str]) -> _Gather | None:
    """Whether the node `name` gathers rows of a Const or a variable, which may be those of a column."""
    node = graph.nodes[name]
    inputs = data_inputs(node)
    if len(inputs) != {"Gather": 2, "GatherV2": 3}.get(node.op):
        return None
    read = graph.producer(inputs[0])
    weights = graph.producer(read.input[0]) if read is not None and read.op == "Identity" and read.input else None
    if read is None or weights is None or weights.op not in _VARIABLES | {"Const"}:
        return None
    if any(control_inputs(node) or node.name in fed for node in (read, weights)):
        return None  # in a loop, or fed
    axes = tuple(map(node_name, inputs[2:]))
    if not all(axis in graph.constants for axis in axes):
        return None
    for axis in axes:
        if graph.constants[axis].any():
            raise ModelError(
                f"node {name!r} gathers along another axis than 0, the only one that sparsify_gather takes"
            )
    return _Gather(name, read.name, weights.name, axes)


def _reader(graph: Graph, parameters: Parameters) -> Callable[[str], Array]:
    """What gives the value of a Const or a variable, checked to be a column."""
    from mobile_export.sources.variables import Variables, open_checkpoint  # takes longer than other transforms run

    prefix = parameters.string("input_checkpoint", "")
    variables = Variables.of(graph, open_checkpoint(Path(prefix)), None) if prefix else None

    def read(name: str) -> Array:
        node = graph.nodes[name]
        dtype = attribute(node, "dtype").type
        if dtype != _FLOAT32:
            raise ModelError(f"{node.op} {name!r} is {dtype_name(dtype)}, and sparsify_gather takes float32 alone")
        if node.op not in _VARIABLES:
            value = graph.constants[name]
        elif variables is None:
            raise parameters.error(f"input_checkpoint is missing; name the checkpoint with the value of {name!r}")
        else:
            value = variables.read(name)
        if value.ndim != 2 or value.shape[1] != 1:
            raise ModelError(f"{node.op} {name!r} has shape {list(value.shape)}, and sparsify_gather takes [N, 1]")
        return value

    return read


def _start(graph: Graph, name: str) -> NodeDef:
    """The NoOp that starts everything; it is there afterwards even where there is nothing to start."""
    node = graph.nodes.setdefault(name, NodeDef(name=name, op="NoOp"))
    if node.op != "NoOp":
        raise ModelError(f"group_init_node: {name!r} is no NoOp, but {node.op}; choose another name")
    return node


def _add_table(graph: Graph, weights: str, value: Array, start: NodeDef) -> str:
    """Add the table of a column's rows, which `start` fills."""
    column = value.reshape(-1)
    indices = np.flatnonzero(~(np.abs(column) < _SMALLEST))
    values = column[indices]
    if not indices.size:  # a table cannot be filled with nothing
        indices, values = np.zeros(1, np.int64), np.zeros(1, np.float32)
    table = _add(graph, "HashTable", f"{weights}/HashTable", (), key_dtype=_INT64, value_dtype=_FLOAT32)
    keys = graph.add_constant(f"{weights}/indices", indices.astype(np.int64, copy=False))
    found = graph.add_constant(f"{weights}/values", values)
    filled = _add(
        graph, "InitializeTable", f"{weights}/InitializeTable", (table, keys, found), Tkey=_INT64, Tval=_FLOAT32
    )
    start.input.append(f"^{filled}")
    return table


def _look_up(graph: Graph, name: str, table: str) -> None:
    """Replace the Gather `name`."""
    gather = graph.nodes[name]
    ids = data_inputs(gather)[1]
    if attribute(gather, "Tindices").type == _INT32:
        ids = _add(graph, "Cast", f"{name}/Cast", (ids,), SrcT=_INT32, DstT=_INT64)
    zero = graph.add_constant(f"{name}/Const", np.zeros((), np.float32))
    inputs = (table, ids, zero, *control_inputs(gather))
    found = _add(graph, "LookupTableFind", f"{name}/LookupTableFind", inputs, Tin=_INT64, Tout=_FLOAT32)
    last = graph.add_constant(f"{name}/ExpandDims/Const", np.asarray(-1, np.int32))
    _become(gather, "ExpandDims", (found, last), T=_FLOAT32)


def _add(graph: Graph, op: str, name: str, inputs: tuple[str, ...], **types: int) -> str:
    """Add a node named `name`, or the first free `name_k`; returns the name taken."""
    free = graph.free_name(name)
    graph.nodes[free] = NodeDef(name=free)
    _become(graph.nodes[free], op, inputs, **types)
    return free


def _become(node: NodeDef, op: str, inputs: Iterable[str], **types: int) -> None:
    """Make `node` an `op`; of its attributes none stays."""
    node.op = op
    node.input[:] = inputs
    node.attr.clear()
    for key, number in types.items():
        node.attr[key].type = number
