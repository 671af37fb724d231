"""Writing a small flatbuffer from plain values, where no generated classes of its schema are to be had."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Union

Value = Union[str, int, tuple[float, ...], list["Table"], "Table"]
"""Of a field: a text, an enumeration or the kind of a union (one byte), numbers (float32), tables, or a table."""


@dataclass(frozen=True)
class Table:
    """A table of a flatbuffer.

    Attributes:
        fields: names of the fields of its kind, in the schema's order.
        values: of some of them.
    """

    fields: tuple[str, ...]
    values: Mapping[str, Value]


def kind(*fields: str) -> Callable[..., Table]:
    """What makes tables with these fields, in the schema's order, from values by name; empty ones are left out."""
    return partial(_make, fields)


def _make(fields: tuple[str, ...], **values: Value) -> Table:
    return Table(fields, {name: value for name, value in values.items() if value or isinstance(value, Table)})


def serialize(root: Table, identifier: bytes) -> bytes:
    """The flatbuffer with that root and file identifier; equal tables give equal bytes."""
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(_write_table(builder, root), identifier)
    return bytes(builder.Output())


def _write_table(builder: Any, table: Table) -> int:
    places = {table.fields.index(name): value for name, value in table.values.items()}
    offsets = {place: _write(builder, value) for place, value in places.items() if not isinstance(value, int)}
    builder.StartObject(len(table.fields))
    for place, value in places.items():
        if isinstance(value, int):
            builder.PrependUint8Slot(place, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(place, offsets[place], 0)
    return int(builder.EndObject())


def _write(builder: Any, value: str | tuple[float, ...] | list[Table] | Table) -> int:
    """What a field refers to, written before the table that has the field."""
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, Table):
        return _write_table(builder, value)
    if isinstance(value, tuple):
        prepend, parts = builder.PrependFloat32, list(value)
    else:
        prepend, parts = builder.PrependUOffsetTRelative, [_write_table(builder, table) for table in value]
    builder.StartVector(4, len(parts), 4)  # bytes of a float32, and of an offset
    for part in reversed(parts):
        prepend(part)
    return int(builder.EndVector())
