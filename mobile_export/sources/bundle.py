"""TensorFlow's V2 checkpoints (tensor bundles), read in place without TensorFlow.

A checkpoint with the prefix `model.ckpt` is `model.ckpt.index`, a sorted table from names to (type, shape, place), and
shards `model.ckpt.data-00000-of-00001`, … with the raw little-endian bytes. A partitioned variable's entry lists its
slices; each slice's bytes have an entry of their own, under an encoded key that begins with a zero byte.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
from google.protobuf import text_encoding
from google.protobuf.message import DecodeError

from mobile_export.errors import ModelError
from mobile_export.protos import BundleEntryProto, BundleHeaderProto
from mobile_export.sources.table import checksum, hint, read_table
from mobile_export.tensors import Array, dtype_name, numpy_dtype, read_shape

Extents = tuple[tuple[int, int], ...]
"""A slice: (start, length) for each dimension, length -1 for all of it."""

_HEADER = b""
_SLICE_MARK = b"\0"
_VERSION = 1  # the newest bundle layout there is
_MOST_DIMENSIONS = 64  # NumPy's limit
_FILE = re.compile(r"(?P<prefix>.*)\.(index|meta|data-\d{5}-of-\d{5})", re.DOTALL)
_STATE = re.compile(r'^\s*model_checkpoint_path:\s*"((?:[^"\\\n]|\\.)*)"', re.MULTILINE)
_LISTED = 5


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
        table = read_table(index)
        count = _shard_count(index, table.pop(_HEADER, b""))
        entries = {key: _entry(index, key, value, count) for key, value in table.items()}
        shards = {}
        for number in sorted({entry.shard for entry in entries.values()}):
            path = checkpoint_file(prefix, f".data-{number:05d}-of-{count:05d}")
            places = [e.offset + e.size for e in entries.values() if e.shard == number and not e.slices]
            shards[number] = path, _map(path, max(places, default=0))
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

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def read(self, name: str) -> Array:
        """The value of the variable `name`, checked: a read-only view of the file where that is possible.

        Copied are partitioned variables, and those whose place in the file does not suit their type.

        Raises:
            ModelError: there is no such variable, it is not numeric, or its bytes are damaged.
        """
        if name not in self.entries:
            near = difflib.get_close_matches(name, self.entries, n=3, cutoff=0.5) or list(self.entries)[:3]
            raise ModelError(
                f"{self.index}: has no variable {name!r}; near it are {', '.join(map(repr, near))}; take a checkpoint "
                "and a graph of the same training run"
            )
        entry = self.entries[name]
        array = self._assembled(name, entry) if entry.slices else self._stored(name, entry)
        array.flags.writeable = False
        return array

    def _stored(self, name: str, entry: Entry) -> Array:
        dtype, shape = self._form(name, entry)
        if prod(shape) * dtype.itemsize != entry.size:
            raise self._damaged(name, f"is {dtype}{list(shape)} and has {entry.size} bytes")
        path, shard = self._shards[entry.shard]
        data = shard[entry.offset : entry.offset + entry.size]
        if checksum(data) != entry.crc:
            raise ModelError(f"{path}: the bytes of {name!r} are damaged (wrong checksum); copy the checkpoint again")
        array = data.view(dtype).reshape(shape)
        return array if array.flags.aligned else array.copy()

    def _assembled(self, name: str, entry: Entry) -> Array:
        """All slices in their places, once it is sure that together they are exactly the whole."""
        dtype, shape = self._form(name, entry)
        parts = [(self._place(name, extents, shape), self._part(name, entry, extents)) for extents in entry.slices]
        size = prod(shape) * dtype.itemsize
        if sum(part.size for _, part in parts) != size or size > sum(shard.size for _, shard in self._shards.values()):
            raise self._damaged(name, "is not the sum of its slices")
        whole, covered = np.empty(shape, dtype), np.zeros(shape, np.bool_)
        for place, part in parts:
            if part.shape != tuple(extent.stop - extent.start for extent in place):
                raise self._damaged(name, "has a slice that does not fit its place")
            whole[place], covered[place] = self._stored(name, part), True
        if not covered.all():
            raise self._damaged(name, "has slices that overlap")
        return whole

    def _part(self, name: str, whole: Entry, extents: Extents) -> Entry:
        part = self._slices.get(slice_key(name, extents))
        if part is None or part.dtype != whole.dtype:
            raise self._damaged(name, f"lacks its slice {list(extents)}")
        return part

    def _place(self, name: str, extents: Extents, shape: tuple[int, ...]) -> tuple[slice, ...]:
        place = tuple(
            slice(start, size if length < 0 else start + length)
            for (start, length), size in zip(extents, shape, strict=False)
        )
        inside = all(0 <= one.start <= one.stop <= size for one, size in zip(place, shape, strict=False))
        if len(extents) != len(shape) or not inside:
            raise self._damaged(name, f"has a slice outside of its shape: {list(extents)}")
        return place

    def _form(self, name: str, entry: Entry) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
        dtype, shape = numpy_dtype(entry.dtype), entry.shape
        if dtype is None:
            raise ModelError(
                f"{self.index}: {name!r} is {dtype_name(entry.dtype)}, and only numbers and booleans can be read; "
                "take an output that does not need it"
            )
        possible = shape is not None and len(shape) <= _MOST_DIMENSIONS and min(shape, default=0) >= 0
        if shape is None or not possible or prod(size or 1 for size in shape) * dtype.itemsize >= 1 << 63:
            raise self._damaged(name, f"has the impossible shape {shape}")
        return dtype, shape

    def _damaged(self, name: str, what: str) -> ModelError:
        return ModelError(f"{self.index}: {name!r} {what}; copy the checkpoint again")


def checkpoint_file(prefix: Path, suffix: str) -> Path:
    """The file `prefix` + `suffix`; a folder with an `.index` in it is a prefix whose base name is empty."""
    if (prefix / ".index").is_file() and not Path(f"{prefix}.index").is_file():
        return prefix / suffix
    return Path(f"{prefix}{suffix}")


def find_checkpoint(path: Path) -> Path:
    """The prefix of the checkpoint that `path` means.

    Args:
        path: a prefix, one of the checkpoint's files, or a folder with one checkpoint or a `checkpoint` file. Of the
            path in that file only the base name counts: folders move, and nothing outside of them is read.

    Raises:
        ModelError: there is no checkpoint, or there are several.
    """
    if path.is_dir() and not checkpoint_file(path, ".index").is_file():
        return _in_folder(path)
    named = _FILE.fullmatch(path.name)
    prefix = _join(path.parent, named["prefix"]) if named else path
    if checkpoint_file(prefix, ".index").is_file():
        return prefix
    if prefix.is_file():
        raise ModelError(f"{prefix}: not a V2 checkpoint, which has a {prefix.name}.index; save it again as one")
    raise ModelError(f"{prefix}.index: missing; {_found(_prefixes(prefix.parent))}")


def _in_folder(folder: Path) -> Path:
    """The checkpoint that the folder's `checkpoint` file names, or the only one."""
    state = folder / "checkpoint"
    prefixes = _prefixes(folder)
    latest = _latest(state) if state.is_file() else None
    if latest is not None:
        prefix = _join(folder, latest)
        if not checkpoint_file(prefix, ".index").is_file():
            raise ModelError(f"{state}: names {latest!r}, which is not in this folder; {_found(prefixes)}")
        return prefix
    if len(prefixes) != 1:
        raise ModelError(f"{folder}: which checkpoint is meant is not clear; {_found(prefixes)}")
    return prefixes[0]


def _latest(state: Path) -> str | None:
    """The base name in a `checkpoint` file, a text protobuf."""
    try:
        found = _STATE.search(state.read_text("utf-8", "replace"))
        whole = text_encoding.CUnescape(found[1]).decode("utf-8", "replace") if found else None
    except OSError as error:
        raise ModelError(f"{state}: cannot be read: {error.strerror}; name the checkpoint itself") from error
    except ValueError:
        raise ModelError(f"{state}: model_checkpoint_path has a bad escape; name the checkpoint itself") from None
    return None if whole is None else re.split(r"[/\\]", whole)[-1]


def _join(folder: Path, base: str) -> Path:
    """The prefix `base` in `folder`; without a base name, the folder stands for it (see `checkpoint_file`)."""
    if not base and Path(f"{folder}.index").is_file():
        raise ModelError(f"{folder}/.index: cannot be told from {folder}.index; give one of them another name")
    return folder / base


def _prefixes(folder: Path) -> list[Path]:
    """All checkpoints in `folder`, leaving out what macOS writes beside files on foreign disks."""
    files = sorted(path for path in folder.glob("*.index") if path.is_file() and not path.name.startswith("._"))
    return [_join(folder, path.name.removesuffix(".index")) for path in files]


def _found(prefixes: Sequence[Path]) -> str:
    if not prefixes:
        return "there is no checkpoint in this folder; name one"
    more = f" and {len(prefixes) - _LISTED} more" if len(prefixes) > _LISTED else ""
    return f"name one of {', '.join(map(str, prefixes[:_LISTED]))}{more}"


def slice_key(name: str, extents: Extents) -> bytes:
    """The key of one slice: its variable's name and extents, coded so that bytes sort as the values do."""
    coded = [b"\0", name.encode().replace(b"\0", b"\0\xff").replace(b"\xff", b"\xff\0"), b"\0\1"]
    coded.append(bytes([1, len(extents)]) if extents else b"\0")
    return b"".join(coded) + b"".join(_signed(number) for extent in extents for number in extent)


def _signed(number: int) -> bytes:
    """As many leading ones as bytes, then the sign and the value (all inverted for negative ones)."""
    length = (number if number >= 0 else ~number).bit_length() // 7 + 1
    ones = (1 << length) - 1 << 7 * length
    return (number & (1 << 8 * length) - 1 ^ ones).to_bytes(length, "big")


def _shard_count(index: Path, value: bytes) -> int:
    """How many shards there are, from the header; 0 in a header that is none."""
    try:
        header = BundleHeaderProto.FromString(value)
    except DecodeError:
        header = BundleHeaderProto()
    if header.num_shards < 1 or header.version.min_consumer > _VERSION:
        raise ModelError(f"{index}: its header is not that of a V2 checkpoint; save it again as one")
    if header.endianness != BundleHeaderProto.LITTLE:
        raise ModelError(f"{index}: written on a big-endian machine; save it again on a little-endian one")
    return header.num_shards


def _entry(index: Path, key: bytes, value: bytes, shards: int) -> Entry:
    try:
        proto = BundleEntryProto.FromString(value)
    except DecodeError:
        proto = BundleEntryProto(offset=-1)
    if min(proto.offset, proto.size) < 0 or not 0 <= proto.shard_id < shards:
        raise ModelError(f"{index}: the entry of {_text(key)!r} makes no sense; copy the checkpoint again")
    slices = tuple(tuple((e.start, e.length if e.HasField("length") else -1) for e in s.extent) for s in proto.slices)
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
