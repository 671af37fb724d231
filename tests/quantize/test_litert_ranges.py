import weakref
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats.tflite_converter import convert
from mobile_export.formats.tflite_edges import SIGNATURE
from mobile_export.quantize import litert_ranges
from mobile_export.quantize.litert_ranges import Ranges, extremes, percentiles
from mobile_export.quantize.onnx_ranges import Histogram, percentile
from mobile_export.quantize.scheme import TAIL
from tests.formats.tf_graphs import make_graph, weights

MATRIX = weights(1, 8, 8)


@pytest.fixture(scope="module")
def model() -> bytes:
    def build(tf):
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        return [x], [tf.nn.relu(tf.matmul(x, MATRIX))]

    return convert(make_graph(build, ["x"], ["y"]))


def batches(samples: np.ndarray, size: int) -> Iterator[Mapping[str, np.ndarray]]:
    for start in range(0, len(samples), size):
        yield {"x": samples[start : start + size]}


def normal(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_extremes_are_those_of_all_samples(model: bytes, size: int) -> None:
    samples = normal(64)
    found = extremes(model, SIGNATURE, partial(batches, samples, size))
    assert found["x"] == (samples.min(), samples.max())
    np.testing.assert_allclose(found["y"], (0, (samples @ MATRIX).max()), rtol=1e-5)


@pytest.mark.parametrize("inside", [True, False])
def test_answers_are_told_on_the_way(model: bytes, inside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Ranges:
        raise RuntimeError

    if not inside:
        monkeypatch.setattr(litert_ranges, "_measured_inside", fails)
    samples, told = normal(21), dict[int, Mapping[str, np.ndarray]]()
    extremes(model, SIGNATURE, partial(batches, samples, 7), told.__setitem__)
    assert list(told) == [0, 1, 2]
    for number, batch in enumerate(batches(samples, 7)):
        np.testing.assert_allclose(told[number]["y"], np.maximum(batch["x"] @ MATRIX, 0), rtol=1e-5, atol=1e-6)


def test_percentiles_cut_off_what_is_rare(model: bytes) -> None:
    samples = normal(20_000)
    samples[7, 3] = 1000
    ranges = extremes(model, SIGNATURE, partial(batches, samples, 640))
    found = percentiles(model, SIGNATURE, partial(batches, samples, 640), ranges)
    assert ranges["x"][1] == 1000
    low, high = found["x"]
    step = (ranges["x"][1] - ranges["x"][0]) / 4096
    assert np.quantile(samples, TAIL) - step <= low <= np.quantile(samples, TAIL) + step
    assert np.quantile(samples, 1 - TAIL) - step <= high <= np.quantile(samples, 1 - TAIL) + step
    assert found["y"][0] == 0


def test_percentiles_are_those_of_the_other_format(model: bytes) -> None:
    samples = normal(40_000)
    ranges = extremes(model, SIGNATURE, partial(batches, samples, 4000))
    low, high = percentiles(model, SIGNATURE, partial(batches, samples, 4000), ranges)["x"]
    histogram = Histogram.empty()
    histogram.add(samples)
    assert (low, high) == pytest.approx(percentile(histogram), abs=0.01)
    assert np.quantile(samples, 1 - 2 * TAIL) + 0.05 < high  # what is twice as rare is told apart


def test_percentiles_of_what_never_moves(model: bytes) -> None:
    zeros = np.zeros((4, 8), np.float32)
    ranges = extremes(model, SIGNATURE, partial(batches, zeros, 2))
    assert percentiles(model, SIGNATURE, partial(batches, zeros, 2), ranges) == ranges


def test_batches_are_not_kept(model: bytes) -> None:
    alive: list[weakref.ref] = []

    def fresh() -> Iterator[Mapping[str, np.ndarray]]:
        for _ in range(6):
            batch = normal(4).copy()
            alive.append(weakref.ref(batch))
            yield {"x": batch}
            del batch
            assert sum(reference() is not None for reference in alive) <= 2

    ranges = extremes(model, SIGNATURE, fresh)
    percentiles(model, SIGNATURE, fresh, ranges)


def test_infinity_is_refused(model: bytes) -> None:
    samples = normal(4)
    samples[2, 5] = np.inf
    with pytest.raises(ConversionError, match=r"'x' reaches infinity or NaN"):
        extremes(model, SIGNATURE, partial(batches, samples, 4))


def test_samples_that_the_model_does_not_take_are_refused_with_the_reason() -> None:
    def build(tf):
        words = tf.placeholder(tf.int32, [None, 3], name="words")
        return [words], [tf.reduce_mean(tf.gather(MATRIX, words), 1)]

    words = convert(make_graph(build, ["words"], ["y"]))
    with pytest.raises(ConversionError, match=r"does not run on the calibration samples: gather index out of bounds"):
        extremes(words, SIGNATURE, lambda: [{"words": np.array([[0, 1, 8]], np.int32)}])
