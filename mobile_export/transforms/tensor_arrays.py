"""Tensor arrays, which loops of TensorFlow 1 read and fill, as tensor lists, which other formats know.

An array is a place, and its flow a number that says what comes after what. A list is a value. Both come to the same
where all that changes the array stands in one line, as in TensorFlow's own recurrent layers and `map_fn`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mobile_export.graphs.graph import Graph, attribute, canonical, control_inputs, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array, read_shape
from mobile_export.transforms.patterns import gated_nodes, values_where_known
from mobile_export.transforms.tensor_lists import Shape, add_element_shape

_INT32, _VARIANT = 3, 21  # TensorFlow's numbers

_HANDED_ON = frozenset({"Enter", "Exit", "Identity", "Merge", "NextIteration", "Switch"})
"""Operators that give out their first inputs."""


class _Counterpart(NamedTuple):
    """The operator on lists that does what one on arrays does.

    Attributes:
        op: its name.
        inputs: which inputs of the other it takes.
        shape_input: where the shape of elements is added to them.
        flow: which input of the other is the flow; the first is the handle.
    """

    op: str
    inputs: tuple[int, ...]
    shape_input: int | None
    flow: int


_COUNTERPARTS = {
    "TensorArrayGatherV3": _Counterpart("TensorListStack", (2,), 1, flow=2),
    "TensorArrayReadV3": _Counterpart("TensorListGetItem", (2, 1), 2, flow=2),
    "TensorArrayScatterV3": _Counterpart("TensorListFromTensor", (2,), 1, flow=3),
    "TensorArraySizeV3": _Counterpart("TensorListLength", (1,), None, flow=1),
    "TensorArrayWriteV3": _Counterpart("TensorListSetItem", (3, 1, 2), None, flow=3),
}
_ARRAY = _Counterpart("TensorListReserve", (0,), 0, flow=-1)
_WRITERS = frozenset({"TensorArrayScatterV3", "TensorArrayWriteV3"})
_INDEXED = frozenset({"TensorArrayGatherV3", "TensorArrayScatterV3"})


def replace_tensor_arrays(graph: Graph) -> Graph:
    """Make lists of arrays: the flow becomes the list, and the handle is gone.

        a, f = TensorArrayV3(n)                       l = TensorListReserve(n)
        f = TensorArrayScatterV3(a, [0…n-1], x, f)    l = TensorListFromTensor(x)
        f = TensorArrayWriteV3(a, i, x, f)        =>  l = TensorListSetItem(l, i, x)
        x = TensorArrayReadV3(a, i, f)                x = TensorListGetItem(l, i)
        y = TensorArrayGatherV3(a, [0…n-1], f)        y = TensorListStack(l)
        n = TensorArraySizeV3(a, f)                   n = TensorListLength(l)

    An array stays that may grow, that is filled or emptied otherwise than whole and in order, or that is written to on
    one of several ways that its flow takes: the other ways would see that too, and in a list they would not.
    """
    graph = graph.copy()
    gated = gated_nodes(graph)
    arrays = _replaceable(graph)
    for array in arrays:
        for tensor in array.flows:
            node = graph.nodes[node_name(tensor)]
            if node.op in _HANDED_ON:
                node.attr["T"].type = _VARIANT
        for node in array.users:
            gathers = node.op == "TensorArrayGatherV3"
            _replace(graph, node, _COUNTERPARTS[node.op], node if gathers else array.node, gated)
            if gathers and array.size is not None:
                node.attr["num_elements"].i = array.size
        _replace(graph, array.node, _ARRAY, array.node, gated)
    graph.redirect({f"{array.node.name}:1": f"{array.node.name}:0" for array in arrays})
    graph.prune()
    return graph


@dataclass(frozen=True)
class _TensorArray:
    """A TensorArrayV3, its size where that is known, the operators on it, and the tensors that carry its flow."""

    node: NodeDef
    size: int | None
    users: tuple[NodeDef, ...]
    flows: frozenset[str]


_Readers = Mapping[str, list[tuple[NodeDef, int]]]
"""By tensor: the nodes that read it, and as which input."""


def _replaceable(graph: Graph) -> list[_TensorArray]:
    readers: dict[str, list[tuple[NodeDef, int]]] = defaultdict(list)
    for node in graph.nodes.values():
        for index, tensor in enumerate(node.input):
            readers[canonical(tensor)].append((node, index))
    nodes = [node for node in graph.nodes.values() if node.op == "TensorArrayV3"]
    indices = [node.input[1] for node in graph.nodes.values() if node.op in _INDEXED]
    known = values_where_known(graph, [*indices, *(node.input[0] for node in nodes)])
    arrays = [array for node in nodes if (array := _tensor_array(node, readers, known)) is not None]
    public = [canonical(spec.tensor) for spec in graph.outputs]
    owners = Counter([*public, *(tensor for array in arrays for tensor in array.flows)])
    return [array for array in arrays if all(owners[tensor] == 1 for tensor in array.flows)]


def _tensor_array(node: NodeDef, readers: _Readers, known: Mapping[str, Array]) -> _TensorArray | None:
    """`node` with what belongs to it; None when a list would be something else."""
    handles, flows = _carrying(f"{node.name}:0", readers), _carrying(f"{node.name}:1", readers)
    ends = list(_ends(flows, readers))
    users = {user.name: user for user, _ in ends}
    holders = {user.name for user, index in _ends(handles, readers) if user.op != "TensorArrayCloseV3" or index}
    understood = all(user.op in _COUNTERPARTS and index == _COUNTERPARTS[user.op].flow for user, index in ends)
    if not understood or holders != users.keys() or attribute(node, "dynamic_size").b:
        return None
    if any(_forks(flow, readers) and _leads_to_writer(flow, readers) for flow in flows):
        return None
    size = int(known[node.input[0]]) if node.input[0] in known else None
    for user in users.values():
        if user.op in _INDEXED and not _are_all(known.get(user.input[1]), size):
            return None
        if user.op == "TensorArrayScatterV3" and canonical(user.input[3]) != f"{node.name}:1":
            return None  # something is in it already
    return _TensorArray(node, size, tuple(users.values()), frozenset(flows))


def _are_all(indices: Array | None, size: int | None) -> bool:
    """Whether `indices` are those of all elements, in their order."""
    if indices is None or size is None or indices.shape != (size,):
        return False
    return bool((indices == np.arange(size)).all())


def _carrying(start: str, readers: _Readers) -> set[str]:
    """The tensor `start`, and all that carry its array on."""
    todo, seen = [start], set[str]()
    while todo:
        tensor = todo.pop()
        if tensor not in seen:
            seen.add(tensor)
            todo += [further for node, index in readers.get(tensor, ()) for further in _carried(node, index)]
    return seen


def _carried(node: NodeDef, index: int) -> list[str]:
    """The outputs of `node` that carry on what it reads as input `index`."""
    if node.op == "Switch" and index == 0:
        return [f"{node.name}:0", f"{node.name}:1"]
    merely = node.op in _HANDED_ON and node.op != "Switch"
    return [f"{node.name}:0"] if merely or (node.op in _WRITERS and index == _COUNTERPARTS[node.op].flow) else []


def _ends(tensors: Collection[str], readers: _Readers) -> Iterator[tuple[NodeDef, int]]:
    """Who reads one of `tensors` for more than to hand it on, and as which input."""
    for tensor in sorted(tensors):
        for node, index in readers.get(tensor, ()):
            if node.op in _WRITERS or not _carried(node, index):
                yield node, index


def _forks(flow: str, readers: _Readers) -> bool:
    return sum(1 for node, index in readers.get(flow, ()) if _carried(node, index)) > 1


def _leads_to_writer(flow: str, readers: _Readers) -> bool:
    return any(node.op in _WRITERS for node, _ in _ends(_carrying(flow, readers), readers))


def _replace(graph: Graph, node: NodeDef, by: _Counterpart, declared: NodeDef, gated: Collection[str]) -> None:
    """Make `node` its counterpart on lists; `declared` says the type and the shape of elements."""
    inputs, controls = [node.input[k] for k in by.inputs], control_inputs(node)
    dtype, shape = attribute(declared, "dtype").type, _declared_shape(declared)
    node.CopyFrom(NodeDef(name=node.name, op=by.op, input=inputs))
    if by.shape_input is not None:
        node.input.insert(by.shape_input, add_element_shape(graph, node, shape, gated))
    node.input.extend(controls)
    if by.op != "TensorListLength":
        node.attr["element_dtype"].type = dtype
    if by.op in ("TensorListFromTensor", "TensorListReserve"):
        node.attr["shape_type"].type = _INT32


def _declared_shape(node: NodeDef) -> Shape | None:
    return read_shape(node.attr["element_shape"].shape) if "element_shape" in node.attr else None
