"""Tensor arrays, which loops of TensorFlow 1 read and fill, as tensor lists, which other formats know.

An array is a place, and its flow a number that only says what comes after what. A list is a value. Both come to the same
where all that changes the array stands in one line, which is how TensorFlow's own layers are built.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mobile_export.graph import Graph, attribute, canonical, node_name
from mobile_export.protos import AttrValue, NodeDef
from mobile_export.tensors import Array, read_shape
from mobile_export.transforms.patterns import gated_nodes, values_where_known
from mobile_export.transforms.tensor_lists import add_element_shape

_INT32, _VARIANT = 3, 21  # TensorFlow's numbers
_HANDED_ON = frozenset({"Enter", "Exit", "Identity", "Merge", "NextIteration", "Switch"})
"""Operators that give out what they are given."""
_FLOW_INPUT = {
    "TensorArrayGatherV3": 2,
    "TensorArrayReadV3": 2,
    "TensorArrayScatterV3": 3,
    "TensorArraySizeV3": 1,
    "TensorArrayWriteV3": 3,
}
"""Operators on arrays that have a counterpart on lists, and which of their inputs is the flow; the handle is the first."""
_WRITERS = frozenset({"TensorArrayScatterV3", "TensorArrayWriteV3"})


def replace_tensor_arrays(graph: Graph) -> Graph:
    """Make lists of arrays: the flow becomes the list, and the handle is gone.

        a, f = TensorArrayV3(n)                       l = TensorListReserve(n)
        f = TensorArrayScatterV3(a, [0…n-1], x, f)    l = TensorListFromTensor(x)
        f = TensorArrayWriteV3(a, i, x, f)        =>  l = TensorListSetItem(l, i, x)
        x = TensorArrayReadV3(a, i, f)                x = TensorListGetItem(l, i)
        y = TensorArrayGatherV3(a, [0…n-1], f)        y = TensorListStack(l)
        n = TensorArraySizeV3(a, f)                   n = TensorListLength(l)

    An array stays as it is when it may grow, when it is filled or emptied otherwise than whole and in order, or when it
    is written to on one of several ways that its flow takes: the others would see that, and not so in a list.
    """
    graph = graph.copy()
    arrays = _exact(graph)
    gated = gated_nodes(graph)
    for array in arrays:
        for node in array.users:
            _replace_user(graph, node, array, node.name in gated)
        for tensor in array.flows:
            node = graph.nodes[node_name(tensor)]
            if node.op in _HANDED_ON:
                node.attr["T"].type = _VARIANT
    for array in arrays:
        _replace_array(graph, array.node, array.node.name in gated)
    graph.redirect({f"{array.node.name}:1": f"{array.node.name}:0" for array in arrays})
    graph.prune()
    return graph


@dataclass(frozen=True)
class _Array:
    """A tensor array that a list can stand for; `flows` are all tensors that become the list."""

    node: NodeDef
    flows: frozenset[str]
    users: tuple[NodeDef, ...]


_Readers = Mapping[str, list[tuple[NodeDef, int]]]


def _exact(graph: Graph) -> list[_Array]:
    """The arrays of `graph` that can be replaced."""
    by_node = graph.consumers()
    readers: dict[str, list[tuple[NodeDef, int]]] = {}
    for places in by_node.values():
        for node, index in places:
            readers.setdefault(canonical(node.input[index]), []).append((node, index))
    outputs = {canonical(spec.tensor) for spec in graph.outputs}
    numbers = [
        node.input[1 if node.op in ("TensorArrayGatherV3", "TensorArrayScatterV3") else 0]
        for node in graph.nodes.values()
        if node.op in ("TensorArrayGatherV3", "TensorArrayScatterV3", "TensorArrayV3")
    ]
    known = values_where_known(graph, numbers)
    found = [_array(node, readers, known) for node in graph.nodes.values() if node.op == "TensorArrayV3"]
    whole = [array for array in found if array is not None and not array.flows & outputs]
    owners = [tensor for array in whole for tensor in array.flows]
    return [array for array in whole if all(owners.count(tensor) == 1 for tensor in array.flows)]


def _array(node: NodeDef, readers: _Readers, known: Mapping[str, Array]) -> _Array | None:
    """`node` with all that reads it, where a list can stand for it."""
    handles, flows = _reached(f"{node.name}:0", readers), _reached(f"{node.name}:1", readers)
    users = {user.name: user for user, _ in _ends(flows, readers)}
    of_flow = all(index == _FLOW_INPUT.get(user.op) for user, index in _ends(flows, readers))
    of_handle = {user.name for user, index in _ends(handles, readers) if index == 0}
    closed = {user.name for user, _ in _ends(handles, readers) if user.op == "TensorArrayCloseV3"}
    in_line = not any(_forks(tensor, readers) and _written(tensor, readers) for tensor in flows)
    if not (of_flow and in_line and of_handle - closed == users.keys()) or attribute(node, "dynamic_size").b:
        return None
    size = known.get(node.input[0])
    for user in users.values():
        if user.op in ("TensorArrayGatherV3", "TensorArrayScatterV3"):
            indices = known.get(user.input[1])
            if size is None or indices is None or not np.array_equal(indices, np.arange(int(size))):
                return None
        if user.op == "TensorArrayScatterV3" and canonical(user.input[3]) != f"{node.name}:1":
            return None
    return _Array(node, frozenset(flows), tuple(users.values()))


def _reached(start: str, readers: _Readers) -> set[str]:
    """The tensors that carry on the handle or flow `start`, itself among them."""
    todo, seen = [start], set[str]()
    while todo:
        tensor = todo.pop()
        if tensor not in seen:
            seen.add(tensor)
            todo += [carried for node, index in readers.get(tensor, ()) for carried in _carried(node, index)]
    return seen


def _carried(node: NodeDef, index: int) -> Iterator[str]:
    """Outputs of `node` that carry on what it reads as input `index`."""
    if node.op in _HANDED_ON and not (node.op == "Switch" and index == 1):
        yield f"{node.name}:0"
        if node.op == "Switch":
            yield f"{node.name}:1"
    elif node.op in _WRITERS and index == _FLOW_INPUT[node.op]:
        yield f"{node.name}:0"


def _ends(tensors: set[str], readers: _Readers) -> Iterator[tuple[NodeDef, int]]:
    """Who reads `tensors` for more than to hand them on."""
    for tensor in sorted(tensors):
        for node, index in readers.get(tensor, ()):
            if node.op not in _HANDED_ON or (node.op == "Switch" and index == 1):
                yield node, index


def _forks(flow: str, readers: _Readers) -> bool:
    return sum(1 for node, index in readers.get(flow, ()) if any(_carried(node, index))) > 1


def _written(flow: str, readers: _Readers) -> bool:
    """Whether the array is written to behind `flow`."""
    return any(node.op in _WRITERS for node, _ in _ends(_reached(flow, readers), readers))


def _replace_array(graph: Graph, node: NodeDef, gated: bool) -> None:
    sizes = _declared(node)
    size = node.input[0]
    shape = add_element_shape(graph, node, sizes, graph.nodes[node_name(size)] if gated else None)
    dtype = attribute(node, "dtype").type
    _become(node, "TensorListReserve", [shape, size], element_dtype=dtype, shape_type=_INT32)


def _replace_user(graph: Graph, node: NodeDef, array: _Array, gated: bool) -> None:
    """Make `node` the operator on lists that does the same."""
    dtype = attribute(array.node, "dtype").type
    flow = node.input[_FLOW_INPUT[node.op]]
    frame = graph.nodes[node_name(flow)] if gated else None
    if node.op == "TensorArraySizeV3":
        _become(node, "TensorListLength", [flow])
    elif node.op == "TensorArrayWriteV3":
        _become(node, "TensorListSetItem", [flow, node.input[1], node.input[2]], element_dtype=dtype)
    elif node.op == "TensorArrayReadV3":
        shape = add_element_shape(graph, node, _declared(array.node), frame)
        _become(node, "TensorListGetItem", [flow, node.input[1], shape], element_dtype=dtype)
    elif node.op == "TensorArrayScatterV3":
        shape = add_element_shape(graph, node, _declared(array.node), frame)
        _become(node, "TensorListFromTensor", [node.input[2], shape], element_dtype=dtype, shape_type=_INT32)
    else:
        shape = add_element_shape(graph, node, _declared(node), frame)
        _become(node, "TensorListStack", [flow, shape], element_dtype=dtype)
        node.attr["num_elements"].i = -1


def _declared(node: NodeDef) -> tuple[int, ...] | None:
    """The shape of elements that an operator on arrays declares, which says nothing where it is left out."""
    return read_shape(node.attr["element_shape"].shape) if "element_shape" in node.attr else None


def _become(node: NodeDef, op: str, inputs: list[str], **types: int) -> None:
    controls = [name for name in node.input if name.startswith("^")]
    node.CopyFrom(NodeDef(name=node.name, op=op, input=[*inputs, *controls]))
    for key, number in types.items():
        node.attr[key].CopyFrom(AttrValue(type=number))
