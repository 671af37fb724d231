"""TensorFlow's V2 checkpoints (tensor bundles), read in place without TensorFlow.

A checkpoint with the prefix `model.ckpt` is `model.ckpt.index`, a sorted table from names to (type, shape, place), and
shards `model.ckpt.data-00000-of-00001`, … with the raw little-endian bytes. A partitioned variable's entry lists its
slices; each slice's bytes have an entry of their own, under an encoded key that begins with a zero byte.
"""

import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from mobile_export.checkpoints.prefix import checkpoint_file
from mobile_export.checkpoints.slices import (
    NOT_THE_SUM,
    Extents,
    UnfitSlices,
    assemble,
    place_of,
    read_extents,
    slice_key,
)
from mobile_export.checkpoints.table import checksum, hint, read_index
from mobile_export.checkpoints.weights import no_such_variable, not_numeric
from mobile_export.errors import ModelError
from mobile_export.graphs.protos import BundleEntryProto, BundleHeaderProto, DecodeError
from mobile_export.graphs.tensors import MOST_DIMENSIONS, Array, dtype_name, dtype_number, numpy_dtype, read_shape

_HEADER = b""
_SLICE_MARK = b"\0"
_VERSION = 1  # the newest bundle layout there is
_STRING = 7  # TensorFlow's number
_CHECKSUM = 4  # bytes


@dataclass(frozen=True)
class Entry:
    """Where a variable lies.

    Attributes:
        dtype: TensorFlow's DataType number.
        shape: sizes; None where the index gives none.
        shard, offset, size: place of the bytes; meaningless when there are slices.
        crc: masked CRC-32C of the bytes.
        slices: the parts of a partitioned variable, in any order.
    """

    dtype: int
    shape: tuple[int, ...] | None
    shard: int
    offset: int
    size: int
    crc: int
    slices: tuple[Extents, ...]


@dataclass(frozen=True)
class Bundle:
    """An open checkpoint: the index is read and every shard is mapped; weights are read when they are asked for.

    Attributes:
        index: the index file.
        entries: each variable's place, by name.
    """

    index: Path
    entries: Mapping[str, Entry]
    _slices: Mapping[bytes, Entry] = field(repr=False)
    _shards: Mapping[int, tuple[Path, Array]] = field(repr=False)

    @classmethod
    def open(cls, prefix: Path) -> "Bundle":
        """Read the index of the checkpoint `prefix` and map its shards.

        Raises:
            ModelError: a file is missing, damaged or shorter than it must be, or the checkpoint is big-endian.
        """
        index = checkpoint_file(prefix, ".index")
        table = read_index(index)
        count = _shard_count(index, table.pop(_HEADER, b""))
        entries = {key: _entry(index, key, value, count) for key, value in table.items()}
        shards = {}
        for number, size in sorted(_shard_sizes(entries.values()).items()):
            path = checkpoint_file(prefix, f".data-{number:05d}-of-{count:05d}")
            shards[number] = path, _map(path, size)
        return cls(
            index,
            {_text(key): entry for key, entry in entries.items() if not key.startswith(_SLICE_MARK)},
            {key: entry for key, entry in entries.items() if key.startswith(_SLICE_MARK)},
            shards,
        )

    @property
    def files(self) -> list[Path]:
        """The index and every shard that it refers to."""
        return [self.index, *(path for path, _ in self._shards.values())]

    @property
    def names(self) -> Collection[str]:
        """Of its variables."""
        return self.entries.keys()

    def read(self, name: str) -> Array:
        """The value of the variable `name`, checked: a read-only view of the file where that is possible.

        Copied are partitioned variables, and those whose place in the file does not suit their type.

        Raises:
            ModelError: there is no such variable, it is not numeric, or its bytes are damaged.
        """
        if name not in self.entries:
            raise no_such_variable(self.index, name, self.names)
        entry = self.entries[name]
        array = self._assembled(name, entry) if entry.slices else self._stored(name, entry)
        array.flags.writeable = False
        return array

    def check_shapes(self) -> None:
        """Make sure that TensorFlow's own reader can have this: it ends the process over an impossible shape.

        Raises:
            ModelError: a type or shape is impossible, or a slice lies outside of its whole.
        """
        parts = {_text(key): entry for key, entry in self._slices.items()}
        for name, entry in [*self.entries.items(), *parts.items()]:
            dtype = numpy_dtype(entry.dtype)
            if entry.dtype != _STRING and (dtype is None or entry.dtype != dtype_number(dtype)):
                raise not_numeric(self.index, name, entry.dtype)
            shape = self._shape(name, entry, 1 if dtype is None else dtype.itemsize)
            try:
                for extents in entry.slices:
                    place_of(extents, shape)
            except UnfitSlices as error:
                raise self._damaged(name, str(error)) from None

    def read_string(self, name: str) -> bytes:
        """The one string that the entry `name` holds, checked.

        Its length, as a varint and as a checksum, comes first.

        Raises:
            ModelError: there is no such entry, it holds something else, or its bytes are damaged.
        """
        entry = self.entries.get(name)
        if entry is None or (entry.dtype, entry.shape, entry.slices) != (_STRING, (), ()):
            raise self._damaged(name, "is no string")
        data = self._shards[entry.shard][1][entry.offset : entry.offset + entry.size].tobytes()
        end = next((index + 1 for index, byte in enumerate(data) if byte < 0x80), 0)
        value = data[end + _CHECKSUM :]
        length = struct.pack("<I", len(value)) if len(value) < 1 << 32 else b""
        if checksum(length + data[end : end + _CHECKSUM] + value) != entry.crc:
            raise self._damaged(name, "has the wrong checksum")
        return value

    def _stored(self, name: str, entry: Entry) -> Array:
        dtype, shape = self._form(name, entry)
        if prod(shape) * dtype.itemsize != entry.size:
            raise self._damaged(name, f"is {dtype_name(entry.dtype)}{list(shape)} and has {entry.size} bytes")
        path, shard = self._shards[entry.shard]
        data = shard[entry.offset : entry.offset + entry.size]
        if checksum(data) != entry.crc:
            raise ModelError(f"{path}: the bytes of {name!r} are damaged (wrong checksum); copy the checkpoint again")
        array = data.view(dtype).reshape(shape)
        return array if array.flags.aligned else array.copy()

    def _assembled(self, name: str, entry: Entry) -> Array:
        dtype, shape = self._form(name, entry)
        try:
            for extents in entry.slices:
                place_of(extents, shape)
            parts = {extents: self._part(name, entry, extents) for extents in entry.slices}
            size, stored = prod(shape) * dtype.itemsize, sum(shard.size for _, shard in self._shards.values())
            if sum(part.size for part in parts.values()) != size or size > stored:  # before anything is read
                raise UnfitSlices(NOT_THE_SUM)
            return assemble(shape, {extents: self._stored(name, part) for extents, part in parts.items()})
        except UnfitSlices as error:
            raise self._damaged(name, str(error)) from None

    def _part(self, name: str, whole: Entry, extents: Extents) -> Entry:
        part = self._slices.get(slice_key(name, extents))
        if part is None or part.slices or part.dtype != whole.dtype:
            raise self._damaged(name, f"lacks its slice {list(extents)}")
        return part

    def _form(self, name: str, entry: Entry) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
        dtype = numpy_dtype(entry.dtype)
        if dtype is None:
            raise not_numeric(self.index, name, entry.dtype)
        return dtype, self._shape(name, entry, dtype.itemsize)

    def _shape(self, name: str, entry: Entry, itemsize: int) -> tuple[int, ...]:
        shape = entry.shape
        possible = shape is not None and len(shape) <= MOST_DIMENSIONS and min(shape, default=0) >= 0
        if shape is None or not possible or prod(size or 1 for size in shape) * itemsize >= 1 << 63:
            raise self._damaged(name, f"has the impossible shape {shape}")
        return shape

    def _damaged(self, name: str, what: str) -> ModelError:
        return ModelError(f"{self.index}: {name!r} {what}; copy the checkpoint again")


def _shard_count(index: Path, value: bytes) -> int:
    """How many shards there are, from the header."""
    try:
        header = BundleHeaderProto.FromString(value)
    except DecodeError:
        header = BundleHeaderProto()
    if header.num_shards < 1 or header.version.min_consumer > _VERSION:
        raise ModelError(f"{index}: its header is not that of a V2 checkpoint; save it again as one")
    if header.endianness != BundleHeaderProto.LITTLE:
        raise ModelError(f"{index}: written on a big-endian machine; save it again on a little-endian one")
    count: int = header.num_shards
    return count


def _shard_sizes(entries: Iterable[Entry]) -> dict[int, int]:
    """How long each shard has to be."""
    sizes: dict[int, int] = {}
    for entry in entries:
        if not entry.slices:
            sizes[entry.shard] = max(sizes.get(entry.shard, 0), entry.offset + entry.size)
    return sizes


def _entry(index: Path, key: bytes, value: bytes, shards: int) -> Entry:
    try:
        proto = BundleEntryProto.FromString(value)
    except DecodeError:
        proto = BundleEntryProto(offset=-1)
    if min(proto.offset, proto.size) < 0 or not 0 <= proto.shard_id < shards:
        raise ModelError(f"{index}: the entry of {_text(key)!r} makes no sense; copy the checkpoint again")
    slices = tuple(map(read_extents, proto.slices))
    shape = read_shape(proto.shape)
    return Entry(proto.dtype, shape, proto.shard_id, proto.offset, proto.size, proto.crc32c, slices)


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")


def _map(path: Path, size: int) -> Array:
    """The bytes of a shard that must have `size` of them."""
    try:
        shard = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    except FileNotFoundError:
        raise ModelError(f"{path}: missing; the checkpoint's index needs it, so copy it beside the index") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; copy the checkpoint again") from error
    if shard.size < size:
        todo = hint(shard[:64].tobytes())
        raise ModelError(f"{path}: shorter than the index says (expected {size} bytes, found {shard.size}){todo}")
    return shard.view(np.ndarray)
