"""Edges, and running samples through something that takes one, some, or any number at once."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.runner import MAX_BATCH, Edge, batch_size, run_samples


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "real", "stored"),
    [
        ("int8", 1.0, 0, [0.5, 1.5, 2.5, -0.5, -1.5, -2.5], [0, 2, 2, 0, -2, -2]),  # half to even, as TFLite's kernels
        ("int8", 0.5, 10, [0.0, 1.0, -1.0], [10, 12, 8]),
        ("int8", 1.0, 0, [127.4, 127.6, 1e9, -128.4, -129.0, -1e9], [127, 127, 127, -128, -128, -128]),
        ("uint8", 1 / 255, 0, [0.0, 1.0, 2.0, -1.0], [0, 255, 255, 0]),
        ("uint8", 0.1, 128, [0.0, -12.8, -13.0, 12.7, 12.8], [128, 0, 0, 255, 255]),
        ("int16", 1 / 32768, 0, [0.5, 1.0, -1.0, -2.0], [16384, 32767, -32768, -32768]),
    ],
)
def test_quantize(dtype: str, scale: float, zero_point: int, real: list[float], stored: list[int]) -> None:
    found = Edge("x", dtype, (-1,), scale, zero_point).quantize(np.array(real, np.float32))
    assert (found.dtype.name, found.tolist()) == (dtype, stored)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "stored", "real"),
    [
        ("int8", 0.5, 10, [10, 12, -128, 127], [0.0, 1.0, -69.0, 58.5]),
        ("uint8", 0.25, 255, [0, 255], [-63.75, 0.0]),
        ("int16", 2.0, -1, [32767, -32768], [65536.0, -65534.0]),
    ],
)
def test_dequantize(dtype: str, scale: float, zero_point: int, stored: list[int], real: list[float]) -> None:
    found = Edge("y", dtype, (-1,), scale, zero_point).dequantize(np.array(stored, dtype))
    assert (found.dtype.name, found.tolist()) == ("float32", real)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bool"])
def test_an_edge_without_scale_only_sees_to_the_type(dtype: str) -> None:
    values = np.array([[0, 1], [1, 0]], dtype)
    edge = Edge("x", dtype, (-1, 2))
    assert edge.quantize(values.astype(np.float64)).dtype.name == dtype
    np.testing.assert_array_equal(edge.quantize(values), values)
    assert edge.dequantize(values) is values


@pytest.mark.parametrize("edge", [Edge("x", "float32", ()), Edge("x", "int8", (), 0.5, 3)])
def test_a_scalar_stays_a_scalar(edge: Edge) -> None:
    assert edge.quantize(np.float32(2)).shape == ()


@dataclass
class Doubler:
    """`y` = 2 · `x`, one entry a sample; remembers how it was called."""

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...] = (Edge("y", "float32", (-1,)),)
    calls: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert {name: array.dtype.name for name, array in feeds.items()} == {e.name: e.dtype for e in self.inputs}
        self.calls.append(feeds["x"].shape)
        return {"y": 2 * feeds["x"]}


def samples(count: int, *shape: int) -> np.ndarray:
    return np.arange(count * int(np.prod(shape, dtype=int)), dtype=np.float32).reshape(count, *shape)


@pytest.mark.parametrize(
    ("shape", "count", "calls"),
    [
        ((-1, 3), 5, [(5, 3)]),
        ((-1, 3), 1, [(1, 3)]),
        ((-1, 3), MAX_BATCH + 2, [(MAX_BATCH // 2 + 1, 3)] * 2),
        ((-1, 3), MAX_BATCH + 1, [(MAX_BATCH // 2 + 1, 3)] * 2),
        (None, 5, [(5, 3)]),
        ((1, 3), 3, [(1, 3)] * 3),
        ((4, 3), 8, [(4, 3)] * 2),
        ((4, 3), 9, [(4, 3)] * 3),
        ((4, 3), 2, [(4, 3)]),
    ],
)
def test_batches(shape: tuple[int, ...] | None, count: int, calls: list[tuple[int, ...]]) -> None:
    runner = Doubler((Edge("x", "float32", shape),))
    answers = run_samples(runner, {"x": samples(count, 3)})
    assert runner.calls == calls
    np.testing.assert_array_equal(answers["y"], 2 * samples(count, 3))


@dataclass
class Distant(Doubler):
    """One that is best asked for everything at once."""

    asked: list[int] = field(default_factory=list)

    def run_all(self, batches: Iterable[Mapping[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
        taken = list(batches)
        self.asked.append(len(taken))
        return map(self, taken)


@pytest.mark.parametrize("shape", [(4, 3), (1, 3), (-1, 3)])
def test_a_distant_runner_is_asked_once_and_answers_the_same(shape: tuple[int, ...]) -> None:
    inputs = (Edge("x", "float32", shape),)
    runner = Distant(inputs)
    answers = run_samples(runner, {"x": samples(MAX_BATCH + 5, 3)})
    assert runner.asked == [len(runner.calls)]
    np.testing.assert_array_equal(answers["y"], run_samples(Doubler(inputs), {"x": samples(MAX_BATCH + 5, 3)})["y"])


def test_the_last_batch_is_filled_with_its_last_sample() -> None:
    fed = []

    class Spy(Doubler):
        def __call__(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            fed.append(feeds["x"].tolist())
            return super().__call__(feeds)

    run_samples(Spy((Edge("x", "float32", (4,)),)), {"x": samples(6)})
    assert fed == [[0, 1, 2, 3], [4, 5, 5, 5]]


def test_samples_that_the_model_does_not_take_are_left_alone() -> None:
    runner = Doubler((Edge("x", "float32", (-1, 3)),))
    assert list(run_samples(runner, {"x": samples(2, 3), "label": np.arange(2)})) == ["y"]


def test_scalars_are_run_one_by_one() -> None:
    runner = Doubler((Edge("x", "int8", (), 1.0, 0),), (Edge("y", "float32", ()),))
    answers = run_samples(runner, {"x": samples(3)})
    assert runner.calls == [()] * 3
    assert answers["y"].tolist() == [0, 2, 4]


def test_quantized_edges_are_fed_and_answer_real_values() -> None:
    runner = Doubler((Edge("x", "int8", (2, 1), 0.5, 0),), (Edge("y", "int8", (2, 1), 0.25, 4),))
    answers = run_samples(runner, {"x": np.array([[1.0], [-1.0], [3.2]])})  # held as 2 -2 6, doubled to 4 -4 12
    assert answers["y"].dtype == np.float32
    assert answers["y"].tolist() == [[0.0], [-2.0], [2.0]]


@dataclass
class Fixed:
    """Answers the same array to everything."""

    answer: np.ndarray
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...] = (Edge("y", "float32", None),)

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"y": self.answer}


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (6, 5)])
def test_an_output_that_is_not_batched(shape: tuple[int, ...]) -> None:
    runner = Fixed(np.zeros(shape, np.float32), (Edge("x", "float32", (5, 3)),))
    message = f"output 'y' has shape {list(shape)} for a batch of 5: its first dimension is not the batch"
    with pytest.raises(ModelError, match=re.escape(message)):
        run_samples(runner, {"x": samples(5, 3)})


@dataclass
class TimeFirst:
    """`y` is `x` with its second dimension first."""

    length: int
    inputs: tuple[Edge, ...] = (Edge("x", "float32", (-1, -1, 2)),)
    calls: int = 0

    @property
    def outputs(self) -> tuple[Edge, ...]:
        return (Edge("y", "float32", (self.length, -1, 2)),)

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"y": feeds["x"].swapaxes(0, 1)}


@pytest.mark.parametrize(("length", "calls"), [(7, 4), (-1, 5)])
def test_samples_are_run_one_by_one_where_an_output_does_not_begin_with_a_dynamic_batch(length, calls) -> None:
    """Also where its length is the number of samples by chance, when the shape says that it is no batch."""
    runner, fed = TimeFirst(length), samples(4, 7, 2)
    np.testing.assert_array_equal(run_samples(runner, {"x": fed})["y"], fed[:, :, None])
    assert runner.calls == calls
    np.testing.assert_array_equal(run_samples(TimeFirst(4), {"x": fed[:, :4]})["y"], fed[:, :4, None])


@pytest.mark.parametrize(("shape", "stacked"), [((), (2,)), ((7,), (2, 7)), ((3, 5), (2, 3, 5)), ((1, 5), (2, 5))])
def test_a_model_for_one_sample_may_leave_the_batch_out(shape: tuple[int, ...], stacked: tuple[int, ...]) -> None:
    runner = Fixed(np.zeros(shape, np.float32), (Edge("x", "float32", (1, 3)),))
    assert run_samples(runner, {"x": samples(2, 3)})["y"].shape == stacked


@pytest.mark.parametrize(
    ("shapes", "size"),
    [
        ([(-1, 3), (-1,)], 9),
        ([(-1, 3), (2,)], 2),
        ([(4, 3), (4,)], 4),
        ([(4, 3), (2,)], 1),
        ([(4, 3), ()], 1),
        ([None, None], 9),
        ([None, (2,)], 2),
        ([(1, 3)], 1),
    ],
)
def test_batch_size_with_several_inputs(shapes: list[tuple[int, ...] | None], size: int) -> None:
    runner = Doubler(tuple(Edge(f"x{index}", "float32", shape) for index, shape in enumerate(shapes)))
    rows = {edge.name: np.zeros((9, *(edge.shape or (0,))[1:])) for edge in runner.inputs}
    assert batch_size(runner.inputs, rows) == size


@pytest.mark.parametrize("shape", [(6,), (-1,), (4, 2), (-1, -1, 3)])
def test_samples_that_are_whole_inputs_are_run_one_by_one(shape: tuple[int, ...]) -> None:
    whole = tuple(5 if size < 0 else size for size in shape)
    runner = Doubler((Edge("x", "float32", shape),))
    answers = run_samples(runner, {"x": samples(3, *whole)})
    assert runner.calls == [whole] * 3
    np.testing.assert_array_equal(answers["y"], 2 * samples(3, *whole))
