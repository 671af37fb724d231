"""The samples of a build: shapes that the model takes, and values that tell something."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph
from mobile_export.samples import load_samples, map_samples
from mobile_export.sampling import CALIBRATION, EVALUATION, PARITY_SAMPLES, PROBES, gather
from mobile_export.target import Target
from tests.formats.tf_graphs import make_graph, weights


def target(inputs: tuple[dict[str, Any], ...] = (), **data: Any) -> Target:
    artifacts = ({"name": "a", "format": "onnx"},)
    return Target.model_validate(
        {"name": "t", "model": {"source": "m", "inputs": inputs}, "data": data, "artifacts": artifacts}
    )


def placeholder_graph(shape: list[int | None], answer: Any, dtype: str = "float32") -> Graph:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(dtype, shape, "x")
        return [x], [answer(tf, x)]

    return make_graph(build, ["x"], ["y"])


def drawn(graph: Graph, folder: Path, **shape: Any) -> np.ndarray:
    named = ({"name": "x", "tensor": "x:0", **shape},) if shape else ()
    samples = gather(target(named), graph, folder)
    assert samples.keys() == load_samples(folder / "parity.npz").keys()
    return samples["x"]


def test_random_samples_are_the_same_each_time(tmp_path: Path) -> None:
    graph = placeholder_graph([None, 4], lambda tf, x: x + 1.0)
    first = drawn(graph, tmp_path)
    assert (first.shape, first.dtype.name) == ((PROBES, 4), "float32")
    assert 0 <= first.min() < 0.2
    assert 0.8 < first.max() < 1
    np.testing.assert_array_equal(first, drawn(graph, tmp_path))


def flattened(tf: Any, x: Any) -> Any:
    return tf.matmul(tf.reshape(x, [-1, 32 * 32 * 3]), weights(1, 32 * 32 * 3, 2))


@pytest.mark.parametrize(
    ("shape", "answer", "sample"),
    [
        ([None, None, None, 3], lambda tf, x: x * 2.0, (64, 64, 3)),
        ([None, None, None, 3], flattened, (32, 32, 3)),
        ([None, None], lambda tf, x: tf.reduce_sum(x, 1), (64,)),
        ([None], lambda tf, x: x * 2.0, ()),
        ([], lambda tf, x: x * 2.0, ()),
        ([8, 5], lambda tf, x: x * 2.0, (5,)),
        ([8], lambda tf, x: x * 2.0, ()),
        ([6000], lambda tf, x: tf.reshape(tf.reduce_mean(x), [1, 1]), (6000,)),
        ([40, 30, 3], lambda tf, x: tf.reduce_mean(x[None], [1, 2]), (40, 30, 3)),
        ([1, 30, 3], lambda tf, x: tf.reduce_mean(x, 1), (30, 3)),
    ],
)
def test_what_one_sample_is(shape: list[int | None], answer: Any, sample: tuple[int, ...], tmp_path: Path) -> None:
    assert drawn(placeholder_graph(shape, answer), tmp_path).shape == (PROBES, *sample)


def test_a_waveform_is_told_by_the_targets_shape(tmp_path: Path) -> None:
    graph = placeholder_graph([None], lambda tf, x: tf.reshape(x, [-1, 10]))
    assert drawn(graph, tmp_path, shape=(6000,)).shape == (PROBES, 6000)


def test_sizes_that_the_model_never_takes(tmp_path: Path) -> None:
    graph = placeholder_graph([None, None], lambda tf, x: tf.reshape(x, [-1, 7, 11, 13]))
    with pytest.raises(ModelError, match=r"whatever its dynamic dimensions are \(.*Reshape.*\); give the sizes"):
        drawn(graph, tmp_path)
    assert drawn(graph, tmp_path, shape=(-1, 1001)).shape == (PROBES, 1001)


def test_an_unknown_rank_is_refused(tmp_path: Path) -> None:
    graph = placeholder_graph([None], lambda tf, x: x * 2.0)
    (spec,) = graph.inputs
    graph.inputs = (type(spec)(spec.name, spec.tensor, spec.dtype, None),)
    with pytest.raises(ModelError, match=r"'x' \(float32\) cannot be probed"):
        drawn(graph, tmp_path)


@pytest.mark.parametrize(("rows", "reshaped"), [(50, False), (50, True), (1, False)])
def test_integers_choose_any_row_of_a_table(rows: int, reshaped: bool, tmp_path: Path) -> None:
    def look_up(tf: Any, x: Any) -> Any:
        ids = tf.reshape(x, [-1, 10]) if reshaped else x
        return tf.gather(tf.constant(weights(1, rows, 3)), ids)

    samples = drawn(placeholder_graph([None, 10], look_up, "int32"), tmp_path)
    assert samples.dtype.name == "int32"
    assert len(np.unique(samples)) == {50: 50, 1: 2}[rows] or samples.max() > 40


def test_other_integers_are_zero_or_one(tmp_path: Path) -> None:
    samples = drawn(placeholder_graph([None, 10], lambda tf, x: x + 1, "int64"), tmp_path)
    assert set(np.unique(samples)) == {0, 1}


def test_data_is_checked_and_saved_by_role(tmp_path: Path) -> None:
    graph = placeholder_graph([None, 4], lambda tf, x: x + 1.0)
    x = np.random.default_rng(0).random((300, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, label=np.zeros(300, np.int64))
    source = str(tmp_path / "data.npz")
    described = target(calibration={"source": source, "samples": 10}, evaluation={"source": source})
    (tmp_path / "work").mkdir()
    samples = gather(described, graph, tmp_path / "work")
    np.testing.assert_array_equal(samples["x"], x[:PARITY_SAMPLES])
    assert map_samples(tmp_path / "work" / CALIBRATION)["x"].shape == (10, 4)
    evaluation = map_samples(tmp_path / "work" / EVALUATION)
    assert evaluation.keys() == {"x", "label"}
    np.testing.assert_array_equal(evaluation["x"], x)
    np.savez(tmp_path / "data.npz", x=x[:, :3], label=np.zeros(300, np.int64))
    with pytest.raises(ModelError, match=r"array 'x' has shape \[samples,3\] and the model takes \[samples,4\]"):
        gather(described, graph, tmp_path)


def test_an_input_too_large_for_random_samples(tmp_path: Path) -> None:
    graph = placeholder_graph([None, 1 << 20, 1 << 20], lambda tf, x: tf.reduce_sum(x, [1, 2]))
    with pytest.raises(ModelError, match=r"'x' is float32\[.*\], too large to be probed"):
        drawn(graph, tmp_path)
