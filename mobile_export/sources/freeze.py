"""Variables become constants."""

from collections.abc import Callable, Mapping

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph import Graph, attribute, data_inputs, node_name, port
from mobile_export.ops import VARIABLES
from mobile_export.protos import NodeDef
from mobile_export.tensors import Array, dtype_name, read_shape


def freeze(graph: Graph, read: Callable[[str], Array]) -> Graph:
    """Give every variable that the graph reads its trained value.

        Conv2D(x, Identity(VariableV2))           =>  Conv2D(x, Identity(Const))
        Conv2D(x, ReadVariableOp(VarHandleOp))    =>  Conv2D(x, Identity(Const))
        ResourceGather(VarHandleOp, i)            =>  GatherV2(Const, i, 0)

    Args:
        graph: stripped to what the outputs need.
        read: the value of a variable by its node's name.

    Raises:
        ModelError: the value's shape or type is not the variable's, or the forward graph writes to a variable.
    """
    graph = graph.copy()
    for name, node in list(graph.nodes.items()):
        if node.op in VARIABLES:
            graph.set_constant(name, _checked(node, read(name)))
    for node in list(graph.nodes.values()):
        _read_constant(graph, node)
    return graph


def _checked(node: NodeDef, value: Array) -> Array:
    shape = read_shape(attribute(node, "shape").shape)
    declared = dtype_name(attribute(node, "dtype").type)
    if value.dtype.name != declared:
        raise ModelError(f"variable {node.name!r} is {declared} in the graph and {value.dtype} in the checkpoint")
    fits = shape is None or (
        len(shape) == value.ndim and all(s in (-1, v) for s, v in zip(shape, value.shape, strict=True))
    )
    if not fits and shape != ():  # an old graph may leave the shape out, which reads as a scalar
        raise ModelError(
            f"variable {node.name!r} has shape {list(shape or ())} in the graph and {list(value.shape)} in the "
            "checkpoint: graph and checkpoint are not of the same training run"
        )
    return value


def _read_constant(graph: Graph, node: NodeDef) -> None:
    """Make a reader of a resource variable read the constant that has taken its place."""
    if node.op == "ReadVariableOp":
        node.op = "Identity"
        dtype = node.attr["dtype"].type
        node.attr.clear()
        node.attr["T"].type = dtype
    elif node.op == "ResourceGather":
        axis = graph.add_constant(f"{node.name}/axis", np.asarray(0, np.int32))
        node.op = "GatherV2"
        attributes = {
            "Tparams": attribute(node, "dtype").type,
            "Tindices": attribute(node, "Tindices").type,
            "Taxis": 3,
        }
        batch_dims = attribute(node, "batch_dims").i
        node.attr.clear()
        for key, dtype in attributes.items():
            node.attr[key].type = dtype
        node.attr["batch_dims"].i = batch_dims
        node.input.insert(2, axis)
    elif any(op in node.op for op in ("Assign", "Scatter", "Apply")) and _touches_constant(graph, node):
        raise ModelError(f"node {node.name!r} ({node.op}) changes a variable inside the forward graph; cut it off")


def _touches_constant(graph: Graph, node: NodeDef) -> bool:
    return bool(node.input) and node_name(node.input[0]) in graph.constants and node.op != "ScatterNd"


def checkpoint_keys(graph: Graph) -> Mapping[str, str]:
    """Variable node → its key in the checkpoint, as the graph's own restore operators pair them.

    A variable that nothing restores is missing here; its key is its name then.
    """
    keys: dict[str, str] = {}
    readers = graph.consumers()
    for restore in [node for node in graph.nodes.values() if node.op == "RestoreV2"]:
        names = graph.nodes.get(node_name(restore.input[1]))
        if names is None or names.op != "Const":
            continue
        tensor_names = names.attr["value"].tensor.string_val
        for reader, index in readers[restore.name]:
            variable = _assigned(reader, readers)
            place = port(reader.input[index])
            if variable is not None and 0 <= place < len(tensor_names):
                keys[variable] = tensor_names[place].decode()
    return keys


def _assigned(node: NodeDef, readers: Mapping[str, list[tuple[NodeDef, int]]]) -> str | None:
    """The variable that `node`, or the Identity chain it starts, assigns to."""
    while node.op == "Identity" and len(readers[node.name]) == 1:
        node = readers[node.name][0][0]
    if node.op in ("Assign", "AssignVariableOp"):
        return node_name(data_inputs(node)[0])
    return None
