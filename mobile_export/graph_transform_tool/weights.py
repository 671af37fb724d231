"""Float constants of any size, gone through in blocks that stay in the processor's cache."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Array

_BLOCK = 1 << 17  # elements


class Range(NamedTuple):
    """What values lie between.

    Attributes:
        low: the smallest finite one; inf where there is none.
        high: the largest finite one; -inf where there is none.
        finite: whether there are no others.
    """

    low: np.float32
    high: np.float32
    finite: bool


def float_constants(graph: Graph, fewest: int = 1) -> dict[str, Array]:
    """The float32 constants of at least `fewest` elements, and at least one, by name."""
    return {
        name: array
        for name, array in graph.constants.items()
        if array.dtype == np.float32 and array.size >= max(fewest, 1)
    }


def elementwise(change: Callable[[Array], Array], array: Array) -> Array:
    """What `change` makes of the elements of `array`, which it gets in one dimension.

    An array that repeats one element stays one, and takes no memory.
    """
    if array.ndim and not any(array.strides):
        return np.broadcast_to(change(array.flat[:1]), array.shape)
    return change(np.ascontiguousarray(array).reshape(-1)).reshape(array.shape)


def blocks(size: int) -> Iterator[slice]:
    """Slices that together make `size` elements."""
    for start in range(0, size, _BLOCK):
        yield slice(start, min(start + _BLOCK, size))


def value_range(array: Array) -> Range:
    """The range of a float32 array."""
    low, high, all_finite = np.float32(np.inf), np.float32(-np.inf), True
    values = array.flat[:1] if not any(array.strides) else np.ascontiguousarray(array).reshape(-1)
    for place in blocks(values.size):
        block = values[place]
        least, most = block.min(), block.max()
        if not (np.isfinite(least) and np.isfinite(most)):
            finite = np.isfinite(block)
            least, most = block.min(initial=np.inf, where=finite), block.max(initial=-np.inf, where=finite)
            all_finite = False
        low, high = min(low, least), max(high, most)
    return Range(low, high, all_finite)


def bucket_centers(values: Array, low: np.float32, width: np.float32, last: float = np.inf) -> Array:
    """Each finite value, moved to the center of its bucket; the others stay.

    Args:
        values: one dimension, float32.
        low: where the first bucket begins.
        width: of a bucket.
        last: the number of the last bucket, counted from 0; it takes what lies above.
    """
    centers = np.empty_like(values)
    with np.errstate(invalid="ignore", over="ignore"):
        for place in blocks(values.size):
            block, center = values[place], centers[place]
            np.subtract(block, low, out=center)
            np.divide(center, width, out=center)
            np.floor(center, out=center)
            np.minimum(center, np.float32(last), out=center)
            np.add(center, np.float32(0.5), out=center)
            np.multiply(center, width, out=center)
            np.add(center, low, out=center)
            np.copyto(center, block, where=~np.isfinite(block))
    return centers
