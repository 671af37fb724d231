"""Parts of partitioned variables: how a checkpoint files them, and how they make a whole again."""

from collections.abc import Mapping
from math import prod

import numpy as np

from mobile_export.graphs.protos import TensorSliceProto
from mobile_export.graphs.tensors import Array

Extents = tuple[tuple[int, int], ...]
"""A slice: (start, length) for each dimension, length -1 for all of it."""


NOT_THE_SUM = "is not the sum of its slices"


class UnfitSlices(Exception):
    """Why slices do not make the whole: what is wrong with the variable."""


def read_extents(proto: TensorSliceProto) -> Extents:
    """The slice that `proto` describes."""
    return tuple((e.start, e.length if e.HasField("length") else -1) for e in proto.extent)


def slice_key(name: str, extents: Extents) -> bytes:
    """The key of one slice: its variable's name and extents, coded so that bytes sort as the values do."""
    coded = [b"\0", name.encode().replace(b"\0", b"\0\xff"), b"\0\1"]
    coded.append(bytes([1, len(extents)]) if extents else b"\0")
    return b"".join(coded) + b"".join(_signed(number) for extent in extents for number in extent)


def _signed(number: int) -> bytes:
    """As many leading ones as bytes, then the sign and the value (all inverted for negative ones)."""
    length = (number if number >= 0 else ~number).bit_length() // 7 + 1
    ones = (1 << length) - 1 << 7 * length
    return (number & (1 << 8 * length) - 1 ^ ones).to_bytes(length, "big")


def place_of(extents: Extents, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Where in an array of `shape` the slice lies.

    Raises:
        UnfitSlices: outside of it.
    """
    place = tuple(
        slice(start, size if length < 0 else start + length)
        for (start, length), size in zip(extents, shape, strict=False)
    )
    inside = all(0 <= one.start <= one.stop <= size for one, size in zip(place, shape, strict=False))
    if len(extents) != len(shape) or not inside:
        raise UnfitSlices(f"has a slice outside of its shape: {list(extents)}")
    return place


def assemble(shape: tuple[int, ...], parts: Mapping[Extents, Array]) -> Array:
    """All parts in their places, once it is sure that together they are exactly the whole.

    Args:
        shape: of the whole.
        parts: at least one, all of one dtype.

    Raises:
        UnfitSlices: they are not.
    """
    if sum(part.size for part in parts.values()) != prod(shape):
        raise UnfitSlices(NOT_THE_SUM)
    whole = np.empty(shape, next(iter(parts.values())).dtype)
    covered = np.zeros(shape, np.bool_)
    for extents, part in parts.items():
        place = place_of(extents, shape)
        if part.shape != tuple(extent.stop - extent.start for extent in place):
            raise UnfitSlices("has a slice that does not fit its place")
        whole[place], covered[place] = part, True
    if not covered.all():
        raise UnfitSlices("has slices that overlap")
    return whole
