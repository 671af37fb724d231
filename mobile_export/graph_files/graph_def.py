"""GraphDef files without copies of the weights: read as views of the mapped file, written array by array.

Protobuf's own parser and serializer would hold three copies of everything. Here the file's nodes are walked by hand, as
far as needed to find where large values lie; what is not in the form that every writer uses is left to protobuf.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from mobile_export.graphs.graph import Graph, attribute, region_bytes
from mobile_export.graphs.protos import GraphDef, NodeDef, TensorProto
from mobile_export.graphs.tensors import (
    Array,
    array_to_tensor,
    dtype_number,
    fits_numpy,
    numpy_dtype,
    read_shape,
    write_shape,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

LARGE = 4096
"""Bytes of a node from which its value is kept apart."""

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5

# Field numbers of the messages on the way to a value.
_GRAPH_NODE = 1
_NODE_ATTR = 5
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_ATTR_TENSOR = 8
_TENSOR_CONTENT = 4


Part = bytes | memoryview
"""Of a message that is written piece by piece."""


class _UnusualError(Exception):
    """A message that is not as its writers write it; protobuf decides what it means."""


class _Field(NamedTuple):
    """A field of a message: its number, and where it begins, where its contents do, and where it ends."""

    number: int
    begin: int
    start: int
    end: int


def parse_graph_def(data: memoryview) -> tuple[GraphDef, dict[str, Array]]:
    """The message in `data`, and by name the values of its large constants, which are views of `data`.

    Raises:
        DecodeError: it is no GraphDef.
    """
    values: dict[str, Array] = {}
    rest, nodes = bytearray(), []
    try:
        for field in _fields(data, 0, len(data)):
            if field.number == _GRAPH_NODE:
                nodes.append(_node(data, field.start, field.end, values))
            else:
                rest += data[field.begin : field.end]
    except _UnusualError:
        return GraphDef.FromString(bytes(data)), {}
    graph_def = GraphDef.FromString(bytes(rest))
    graph_def.node.extend(nodes)
    return graph_def, values


def _node(data: memoryview, start: int, end: int, values: dict[str, Array]) -> NodeDef:
    """The node that lies there; its value goes to `values` when it is a large one."""
    entry = _value_entry(data, start, end) if end - start > LARGE else None
    if entry is None:
        return NodeDef.FromString(bytes(data[start:end]))
    parts = {field.number: field for field in _fields(data, entry.start, entry.end)}
    if _ENTRY_VALUE not in parts:
        raise _UnusualError
    message = _only(data, parts[_ENTRY_VALUE], _ATTR_TENSOR)
    content = _only(data, message, _TENSOR_CONTENT)
    tensor = TensorProto.FromString(bytes(data[message.start : content.begin]) + bytes(data[content.end : message.end]))
    node = NodeDef.FromString(bytes(data[start : entry.begin]) + bytes(data[entry.end : end]))
    dtype, shape = numpy_dtype(tensor.dtype), read_shape(tensor.tensor_shape)
    if node.op != "Const" or node.name in values or attribute(node, "dtype").type != tensor.dtype or _lists(tensor):
        raise _UnusualError
    if dtype is None or shape is None or not fits_numpy(shape, dtype):
        raise _UnusualError
    if math.prod(shape) * dtype.itemsize != content.end - content.start:
        raise _UnusualError
    values[node.name] = np.frombuffer(data[content.start : content.end], dtype).reshape(shape)
    return node


def _value_entry(data: memoryview, start: int, end: int) -> _Field | None:
    """Where a node's attribute `value` lies; None when it has none."""
    found = []
    for field in _fields(data, start, end):
        if field.number == _NODE_ATTR and field.end - field.begin > LARGE // 2:
            keys = [part for part in _fields(data, field.start, field.end) if part.number == _ENTRY_KEY]
            if [bytes(data[key.start : key.end]) for key in keys] == [b"value"]:
                found.append(field)
    if len(found) > 1:
        raise _UnusualError
    return found[0] if found else None


def _only(data: memoryview, message: _Field, number: int) -> _Field:
    """The one field `number` of `message`."""
    found = [field for field in _fields(data, message.start, message.end) if field.number == number]
    if len(found) != 1:
        raise _UnusualError
    return found[0]


def _lists(tensor: TensorProto) -> bool:
    return any(field.name.endswith("_val") for field, _ in tensor.ListFields())


def _fields(data: memoryview, start: int, end: int) -> Iterator[_Field]:
    """The fields of the message between `start` and `end`."""
    at = start
    while at < end:
        key, after = _varint(data, at, end)
        kind = key & 7
        if kind == _LENGTH_DELIMITED:
            length, after = _varint(data, after, end)
            stop = after + length
        elif kind == _VARINT:
            stop = _varint(data, after, end)[1]
        elif kind in (_FIXED32, _FIXED64):
            stop = after + (4 if kind == _FIXED32 else 8)
        else:
            raise _UnusualError
        if stop > end or not key >> 3:
            raise _UnusualError
        yield _Field(key >> 3, at, after, stop)
        at = stop


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """The number that begins at `at`, and where what follows begins."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise _UnusualError


def graph_def_size(graph: Graph) -> int:
    """Bytes of `graph` as a GraphDef."""
    return sum(len(part) for part in _parts(graph))


def write_graph_def(file: BinaryIO, graph: Graph) -> None:
    """Write what `graph.to_graph_def()` serializes to, deterministically, without ever holding it."""
    for part in _parts(graph):
        file.write(part)


def _parts(graph: Graph) -> Iterator[Part]:
    """The message, cut where the values of large constants lie."""
    for name, node in graph.nodes.items():
        array = graph.constants.get(name)
        yield from _message(_GRAPH_NODE, [_serialized(node)] if array is None else _const(node, array))
    yield _serialized(GraphDef(library=graph.library, versions=graph.versions))


def _const(node: NodeDef, array: Array) -> list[Part]:
    """A Const with its value, in the order of the keys of its attributes."""
    tensor = TensorProto()
    if array.size > 1 and not any(array.strides):
        array_to_tensor(array, tensor)
        content: list[Part] = []
    else:
        tensor.dtype = dtype_number(array.dtype)
        write_shape(tensor.tensor_shape, array.shape)
        content = _message(_TENSOR_CONTENT, [region_bytes(array)]) if array.nbytes else []
    value = [_serialized(tensor), *content]
    entry = [*_message(_ENTRY_KEY, [b"value"]), *_message(_ENTRY_VALUE, _message(_ATTR_TENSOR, value))]
    before, after = NodeDef(name=node.name, op=node.op, input=node.input, device=node.device), NodeDef()
    after.CopyFrom(node)
    for known in ("name", "op", "input", "device"):
        after.ClearField(known)
    for key in node.attr:
        if key < "value":
            before.attr[key].CopyFrom(node.attr[key])
            del after.attr[key]
    return [
        _serialized(before),
        *_message(_NODE_ATTR, entry),
        _serialized(after),
    ]


def _message(number: int, parts: list[Part]) -> list[Part]:
    """The field `number`, whose contents are `parts`."""
    return [field_header(number, sum(map(len, parts))), *parts]


def field_header(number: int, size: int) -> bytes:
    """What stands before a message of `size` bytes that is the field `number` of another."""
    return _encoded(number << 3 | _LENGTH_DELIMITED) + _encoded(size)


def _encoded(value: int) -> bytes:
    """A varint."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def _serialized(message: "Message") -> bytes:
    data: bytes = message.SerializeToString(deterministic=True)
    return data
