"""Going through constants in blocks."""

import numpy as np
import pytest

from mobile_export.graph_transform_tool.weights import (
    Range,
    blocks,
    bucket_centers,
    elementwise,
    float_constants,
    value_range,
)
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Array

BLOCK = next(blocks(1 << 40)).stop


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_blocks_make_the_whole(size: int) -> None:
    assert np.array_equal(np.concatenate([np.arange(size)[b] for b in blocks(size)] or [[]]), np.arange(size))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array(3, np.float32), Range(3, 3, True)),
        (np.broadcast_to(np.float32(3), (1 << 30, 1 << 10)), Range(3, 3, True)),
        (np.arange(2 * BLOCK, dtype=np.float32), Range(0, 2 * BLOCK - 1, True)),
        (np.float32([1, np.nan, -2]), Range(-2, 1, False)),
        (np.float32([-np.inf, 1, -2, np.inf]), Range(-2, 1, False)),
        (np.full(2 * BLOCK, np.nan, np.float32), Range(np.inf, -np.inf, False)),
        (np.zeros(0, np.float32), Range(np.inf, -np.inf, True)),
        (np.float32([[1, 2, 3], [4, 5, 6]]).T[1:], Range(2, 6, True)),
    ],
)
def test_ranges(values: Array, expected: Range) -> None:
    assert value_range(values) == expected


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (1, 1)])
def test_shapes_stay(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    assert np.array_equal(elementwise(lambda flat: flat + 1, values), values + 1)
    assert elementwise(lambda flat: flat + 1, values).shape == shape


def test_one_element_stands_for_all() -> None:
    seen = []
    changed = elementwise(lambda flat: seen.append(flat.size) or flat + 1, np.broadcast_to(np.float32(3), (5, 7)))
    assert (seen, changed.shape, changed.strides, changed[4, 6]) == ([1], (5, 7), (0, 0), 4)


def test_buckets() -> None:
    values = np.float32([0, 0.3, 0.6, 1, np.nan, np.inf, -np.inf])
    low, width = np.float32(0), np.float32(0.5)
    with_more = np.float32([0.25, 0.25, 0.75, 1.25, np.nan, np.inf, -np.inf])
    assert np.array_equal(bucket_centers(values, low, width), with_more, equal_nan=True)
    clamped = np.float32([0.25, 0.25, 0.75, 0.75, np.nan, np.inf, -np.inf])
    assert np.array_equal(bucket_centers(values, low, width, last=1), clamped, equal_nan=True)


def test_float_constants() -> None:
    graph = Graph()
    for name, value in (("none", []), ("one", [1]), ("three", [1, 2, 3])):
        graph.set_constant(name, np.asarray(value, np.float32))
    graph.set_constant("whole", np.arange(5))
    assert list(float_constants(graph)) == ["one", "three"]
    assert list(float_constants(graph, 3)) == ["three"]
    assert list(float_constants(graph, 0)) == ["one", "three"]
