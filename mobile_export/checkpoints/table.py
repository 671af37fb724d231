"""The sorted table of TensorFlow's checkpoints: keys and values in checksummed blocks, as in LevelDB.

A V2 checkpoint's index is one, and a V1 checkpoint is one whole.

From the end: a footer of 48 bytes (two block handles, padding, magic); the index block, whose values are the handles
of the data blocks; the data blocks. A handle is (offset, size). In a block, each key gives only what differs from the
key before it; behind each block stand a byte for its compression and the masked CRC-32C of block and byte.
"""

import contextlib
import os
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mobile_export.errors import MissingToolError, ModelError
from mobile_export.graphs.tensors import Array

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_TRAILER = struct.Struct("<BI")  # compression, checksum
_COMPRESSIONS = {1: "Snappy"}
_COUNT = struct.Struct("<I")
_LARGEST = 1 << 24  # bytes of an index, which is read whole; an entry takes about 60, so no real one comes near
_WIDEST = 64  # times a block's size: what its keys may unfold to (TensorFlow writes every 16th key in full)
_LFS_POINTER = b"version https://git-lfs"


class _Damaged(Exception):
    """What is wrong with the bytes; the file's name is added where it is known."""


@dataclass(frozen=True)
class _Handle:
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where the block and its trailer end."""
        return self.offset + self.size + _TRAILER.size


@dataclass(frozen=True)
class Table:
    """A table in a mapped file. Its index is read; a data block is read, and checked, when it is asked for.

    Attributes:
        path: the file.
    """

    path: Path
    _data: memoryview = field(repr=False)
    _last: Sequence[bytes] = field(repr=False)  # of each block: a key at or behind its last, before the next block's
    _blocks: Sequence[_Handle] = field(repr=False)

    @classmethod
    def open(cls, path: Path, kind: str) -> "Table":
        """Map the table at `path`, which should be `kind`: "a V1 checkpoint", say.

        Raises:
            ModelError: the file is missing, no table, cut short or damaged.
        """
        data = _map(path)
        if len(data) < _FOOTER or data[-len(_MAGIC) :] != _MAGIC:
            raise ModelError(f"{path}: not {kind}, or cut short{hint(bytes(data[:64]))}")
        with _naming(path):
            footer = data[-_FOOTER:]
            _, at = _handle(footer, 0)  # of the block of filters, which TensorFlow leaves empty
            index, _ = _handle(footer, at)
            if index.size > _LARGEST:
                raise _Damaged("its index is too large")
            found = [(last, _handle(value, 0)[0]) for last, value in _entries(_block(data, index))]
        return cls(path, data, [last for last, _ in found], [handle for _, handle in found])

    def items(self) -> Iterator[tuple[bytes, memoryview]]:
        """Every key and value, in order.

        Raises:
            ModelError: a block is damaged or compressed.
        """
        with _naming(self.path):
            last, end = None, 0
            for handle in self._blocks:
                if handle.offset < end:
                    raise _Damaged("its blocks overlap")
                end = handle.end
                for key, value in _entries(_block(self._data, handle)):
                    if last is not None and key <= last:
                        raise _Damaged("its keys are not in order")
                    yield key, value
                    last = key

    def find(self, key: bytes) -> memoryview | None:
        """The value of `key`, if it is there; reads no other block than the one where it must be.

        Raises:
            ModelError: that block is damaged or compressed.
        """
        at = bisect_left(self._last, key)
        if at == len(self._blocks):
            return None
        with _naming(self.path):
            return next(
                (value for found, value in _entries(_block(self._data, self._blocks[at])) if found == key), None
            )


def read_index(path: Path) -> dict[bytes, bytes]:
    """Every key and value of the index of a V2 checkpoint, in order.

    Raises:
        ModelError: the file is missing, no table, cut short, damaged or compressed.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error
    if size > _LARGEST:
        raise ModelError(f"{path}: too large for the index of a checkpoint; copy the checkpoint again")
    return {key: bytes(value) for key, value in Table.open(path, "the index of a V2 checkpoint").items()}


def ends_as_table(path: Path) -> bool:
    """Whether the file at `path` ends as a table does."""
    if not path.is_file() or path.stat().st_size < _FOOTER:
        return False
    with path.open("rb") as file:
        file.seek(-len(_MAGIC), os.SEEK_END)
        return file.read() == _MAGIC


def hint(start: bytes, what: str = "the checkpoint") -> str:
    """What to do about a file of `what` that begins with `start` and is not what it should be."""
    if start.startswith(_LFS_POINTER):
        return ": it is a Git LFS pointer; run `git lfs pull`"
    return f"; copy {what} again"


def checksum(data: bytes | Array) -> int:
    """The masked CRC-32C of `data`, as TensorFlow stores it."""
    try:
        import google_crc32c
    except ModuleNotFoundError:
        raise MissingToolError('google-crc32c is not installed; run: pip install "mobile-export[convert]"') from None
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What is wrong with the bytes becomes an error that names the file."""
    try:
        yield
    except _Damaged as error:
        raise ModelError(f"{path}: {error}; copy the checkpoint again") from None
    except IndexError:
        raise ModelError(f"{path}: a number runs over the end of its block; copy the checkpoint again") from None


def _map(path: Path) -> memoryview:
    try:
        return np.memmap(path, np.uint8, "r").data if path.stat().st_size else memoryview(b"")
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(f"{path}: cannot be read: {error.strerror}; copy it beside the checkpoint's data")


def _block(data: memoryview, handle: _Handle) -> memoryview:
    """The content of a block, checked."""
    if handle.end > len(data) - _FOOTER:
        raise _Damaged("a block lies outside of the file")
    compression, expected = _TRAILER.unpack_from(data, handle.end - _TRAILER.size)
    if checksum(np.frombuffer(data[handle.offset : handle.end - _COUNT.size], np.uint8)) != expected:
        raise _Damaged(f"the checksum of the block at byte {handle.offset} is wrong")
    if compression:
        kind = _COMPRESSIONS.get(compression, f"an unknown method ({compression})")
        raise _Damaged(f"compressed with {kind}, which a checkpoint never is")
    return data[handle.offset : handle.offset + handle.size]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    end = len(block) - _COUNT.size
    end -= _COUNT.size * _COUNT.unpack_from(block, end)[0] if end >= 0 else 0  # places of the keys given in full
    if end < 0:
        raise _Damaged("a block is too short")
    at, key, unfolded = 0, b"", 0
    while at < end:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        length, at = _varint(block, at)
        unfolded += shared
        if shared > len(key) or at + fresh + length > end or unfolded > _WIDEST * len(block):
            raise _Damaged("an entry does not fit into its block")
        key = key[:shared] + bytes(block[at : at + fresh])
        at += fresh + length
        yield key, block[at - length : at]


def _handle(data: memoryview, at: int) -> tuple[_Handle, int]:
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return _Handle(offset, size), at


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at `at`, seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 64, 7):
        byte: int = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Damaged("a number is longer than 64 bits")
