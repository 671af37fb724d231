"""The memory-mapped package file: named byte regions, read in place.

Layout (TensorFlow's `MemmappedFileSystem`): regions in the order given, tensors padded with zeros to a 64-byte
offset; then the directory, a protobuf of (offset, name, length) in ascending offset order; the last 8 bytes are the
little-endian offset of the directory. Readers before TensorFlow 1.13 know no lengths and take the next offset as
the end, so the unaligned regions come last and without padding.
"""

import mmap
import struct
from collections.abc import Iterable
from pathlib import Path

from mobile_export.errors import ModelError
from mobile_export.graphs.protos import DecodeError, MemmappedFileSystemDirectory

ALIGNMENT = 64
"""Bytes: what a mapped tensor's address must be a multiple of."""

_FOOTER = struct.Struct("<Q")


def write_package(path: Path, regions: Iterable[tuple[str, bytes | memoryview, bool]]) -> None:
    """Write `(name, data, aligned)` regions, in that order, to `path`."""
    directory = MemmappedFileSystemDirectory()
    with path.open("wb") as file:
        offset = 0
        for name, data, aligned in regions:
            if aligned:
                offset += file.write(b"\0" * (-offset % ALIGNMENT))
            directory.element.add(offset=offset, name=name, length=len(data))
            offset += file.write(data)
        file.write(directory.SerializeToString(deterministic=True))
        file.write(_FOOTER.pack(offset))


def open_package(path: Path) -> dict[str, memoryview]:
    """Map `path` and return its regions by name, without copying.

    Raises:
        ModelError: the file is no package, is truncated, or its directory points outside of it.
    """
    try:
        with path.open("rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be mapped: {error}") from error
    return {name: view[start:end] for name, start, end in _directory(path, view)}


def is_package(path: Path) -> bool:
    """Whether the file at `path` is a package, whatever lies in it."""
    try:
        return bool(open_package(path))
    except ModelError:
        return False


def _directory(path: Path, view: memoryview) -> list[tuple[str, int, int]]:
    end = len(view) - _FOOTER.size
    start = _FOOTER.unpack(view[end:])[0] if end >= 0 else -1
    if not 0 <= start < end:
        raise ModelError(f"{path}: not a memory-mapped package (its last 8 bytes point outside of the file)")
    directory = MemmappedFileSystemDirectory()
    try:
        directory.ParseFromString(bytes(view[start:end]))
    except DecodeError as error:
        raise ModelError(f"{path}: the directory of the package does not parse: {error}") from error
    limits = [*[element.offset for element in directory.element][1:], start]
    regions = []
    for element, limit in zip(directory.element, limits, strict=True):
        stop = element.offset + element.length if element.length else limit
        if not 0 <= element.offset <= stop <= start:
            raise ModelError(f"{path}: region {element.name!r} lies outside of the file")
        regions.append((element.name, element.offset, stop))
    return regions
