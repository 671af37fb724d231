"""The sorted table of TensorFlow's checkpoint indexes: keys and values in checksummed blocks, as in LevelDB.

From the end: a footer of 48 bytes (two block handles, padding, magic); the index block, whose values are the handles
of the data blocks; the data blocks. A handle is (offset, size). In a block, each key gives only what differs from the
key before it; behind each block stand a byte for its compression and the masked CRC-32C of block and byte.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobile_export.errors import MissingToolError, ModelError
from mobile_export.tensors import Array

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_TRAILER = struct.Struct("<BI")  # compression, checksum
_COMPRESSIONS = {1: "Snappy"}
_COUNT = struct.Struct("<I")
_LARGEST = 1 << 30  # bytes; an entry takes about 60, so no real index comes near
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


def read_table(path: Path) -> dict[bytes, bytes]:
    """Every key and value of the table at `path`, in order.

    Raises:
        ModelError: the file is missing, no table, cut short, damaged or compressed.
    """
    data = _content(path)
    if not data.endswith(_MAGIC) or len(data) < _FOOTER:
        raise ModelError(f"{path}: not the index of a V2 checkpoint, or cut short{hint(data)}")
    try:
        return _table(data)
    except _Damaged as error:
        raise ModelError(f"{path}: {error}; copy the checkpoint again") from None
    except IndexError:
        raise ModelError(f"{path}: a number runs over the end of its block; copy the checkpoint again") from None


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path}: too large for the index of a checkpoint; copy the checkpoint again")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; copy it beside the checkpoint's data") from error


def hint(start: bytes) -> str:
    """What to do about a file that begins with `start` and is not what it should be."""
    if start.startswith(_LFS_POINTER):
        return ": it is a Git LFS pointer; run `git lfs pull`"
    return "; copy the checkpoint again"


def checksum(data: bytes | Array) -> int:
    """The masked CRC-32C of `data`, as TensorFlow stores it."""
    try:
        import google_crc32c
    except ModuleNotFoundError:
        raise MissingToolError('google-crc32c is not installed; run: pip install "mobile-export[convert]"') from None
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _table(data: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    footer = data[-_FOOTER:]
    _, at = _handle(footer, 0)  # of the block of filters, which TensorFlow leaves empty
    index, _ = _handle(footer, at)
    last, end = b"", 0
    for _, value in _entries(_block(data, index)):
        handle, _ = _handle(value, 0)
        if handle.offset < end:
            raise _Damaged("its blocks overlap")
        end = handle.end
        for key, entry in _entries(_block(data, handle)):
            if found and key <= last:
                raise _Damaged("its keys are not in order")
            found[key] = entry
            last = key
    return found


def _block(data: bytes, handle: _Handle) -> bytes:
    """The content of a block, checked."""
    if handle.end > len(data) - _FOOTER:
        raise _Damaged("a block lies outside of the file")
    compression, expected = _TRAILER.unpack_from(data, handle.end - _TRAILER.size)
    if checksum(data[handle.offset : handle.end - _COUNT.size]) != expected:
        raise _Damaged(f"the checksum of the block at byte {handle.offset} is wrong")
    if compression:
        kind = _COMPRESSIONS.get(compression, f"an unknown method ({compression})")
        raise _Damaged(f"compressed with {kind}, which a V2 checkpoint never is")
    return data[handle.offset : handle.offset + handle.size]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
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
        key = key[:shared] + block[at : at + fresh]
        at += fresh + length
        yield key, block[at - length : at]


def _handle(data: bytes, at: int) -> tuple[_Handle, int]:
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return _Handle(offset, size), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Damaged("a number is longer than 64 bits")
