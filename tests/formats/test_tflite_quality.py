from pathlib import Path

import numpy as np
import pytest

from mobile_export.formats.tflite_converter import convert
from mobile_export.formats.tflite_quality import answers, first, quality
from tests.formats.tf_graphs import make_graph

SAMPLES = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
BATCHES = [{"x": SAMPLES[:16]}, {"x": SAMPLES[16:]}]


def written(folder: Path, factor: float, offset: float, shape: tuple[int | None, ...] = (None, 4)) -> Path:
    """A file that answers x · factor + offset."""

    def build(tf):
        x = tf.placeholder(tf.float32, shape, name="x")
        return [x], [x * np.float32(factor) + np.float32(offset)]

    path = folder / f"{factor}.tflite"
    path.write_bytes(convert(make_graph(build, ["x"], ["y"])))
    return path


def test_a_file_that_answers_the_same_to_everything_is_not_good_for_being_close(tmp_path: Path) -> None:
    expected = answers(written(tmp_path, 1, 1000), BATCHES)
    assert expected[0].shape == (24, 4)
    assert quality(written(tmp_path, 1e-9, 1000), 0, expected, BATCHES).sqnr == pytest.approx(0, abs=0.5)
    assert quality(written(tmp_path, 0.9, 1000), 0, expected, BATCHES).sqnr == pytest.approx(20, abs=0.5)
    assert quality(tmp_path / "1.tflite", 0, expected, BATCHES).sqnr == 200


def test_answers_that_are_the_same_for_all_samples_are_judged_by_their_magnitude(tmp_path: Path) -> None:
    expected = [np.full((24, 4), 1000.0)]
    assert quality(written(tmp_path, 1, 1000), 0, expected, BATCHES).sqnr == pytest.approx(60, abs=1)


def test_batches_of_one_are_samples_too(tmp_path: Path) -> None:
    path = written(tmp_path, 1, 0, (1, 4))
    one_by_one = [{"x": SAMPLES[row : row + 1]} for row in range(24)]
    np.testing.assert_array_equal(answers(path, one_by_one)[0], SAMPLES)


def test_an_output_without_samples_is_one_row_a_batch(tmp_path: Path) -> None:
    def build(tf):
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        return [x], [tf.reduce_sum(x), tf.reshape(x, [1, -1])]

    path = tmp_path / "sums.tflite"
    path.write_bytes(convert(make_graph(build, ["x"], ["sum", "row"])))
    total, row = answers(path, BATCHES)
    assert total.shape == (2, 1)
    assert row.shape == (1, 96)  # of batches of different size


def test_another_number_of_answers_is_the_worst_there_is(tmp_path: Path) -> None:
    assert quality(written(tmp_path, 1, 0), 0, [np.zeros((24, 5))], BATCHES).sqnr == -200
    assert quality(written(tmp_path, 3e38, 0), 0, [np.zeros((24, 4))], BATCHES).sqnr == -200  # infinity


def test_as_many_batches_as_hold_the_samples() -> None:
    assert len(list(first(BATCHES, 16))) == 1
    assert len(list(first(BATCHES, 17))) == 2
