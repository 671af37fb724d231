"""Evidence of graphs whose inputs are not batches of images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.data_checks.evidence import Evidence
from mobile_export.data_checks.gather import LOOKED_AT, OF_LARGE, gather
from mobile_export.graphs.graph import Graph
from mobile_export.samples import Samples, store_samples
from mobile_export.session import import_tensorflow
from mobile_export.target import Calibration, Data, Evaluation, Input, Model, Preprocessing, Target
from tests.data_checks.evidence import as_graph, colour_judge, pictures


def built(build: Any) -> Graph:
    """`build(tf)` gives inputs by name, and the output."""
    tf = import_tensorflow().compat.v1
    with tf.Graph().as_default() as graph:
        return as_graph(graph, *build(tf))


def gathered(
    folder: Path,
    graph: Graph,
    calibration: Samples | None = None,
    evaluation: Samples | None = None,
    inputs: tuple[Input, ...] = (),
    answers: Samples | None = None,
) -> Evidence:
    """Of samples as they are stored; evaluation is labelled by its array `label`."""
    data = Data(
        calibration=None if calibration is None else Calibration(source=folder / "calibration.npz"),
        evaluation=None if evaluation is None else Evaluation(source=folder / "evaluation.npz"),
    )
    for name, samples in (("calibration", calibration), ("evaluation", evaluation)):
        if samples is not None:
            store_samples(folder / name, len(next(iter(samples.values()))), [samples])
    target = Target.model_construct(model=Model.model_construct(inputs=inputs), data=data)
    statistics = None if evaluation is None else np.ones((len(evaluation["label"]), 1))
    return gather(graph, target, folder, statistics, answers)


def normalized(tf: Any, x: Any) -> Any:
    """A batch norm that has seen values around 2."""
    size = x.shape[-1]
    two, one = np.full(size, 2, np.float32), np.linspace(0.5, 1, size).astype(np.float32)
    return tf.nn.batch_normalization(x, two, one, np.zeros(size, np.float32), np.ones(size, np.float32), 1e-3)


@pytest.mark.parametrize("batch", [None, 1, 64])
def test_batches(tmp_path: Path, batch: int | None) -> None:
    def build(tf: Any) -> Any:
        x = tf.placeholder(tf.float32, [batch, 6], name="x")
        return {"x": x}, normalized(tf, x)

    rows = np.random.default_rng(0).normal(2, np.sqrt(np.linspace(0.5, 1, 6)), (100, 6)).astype(np.float32)
    found = gathered(tmp_path, built(build), {"x": rows})
    assert found.calibration is not None
    assert found.calibration.answers.shape == (100, 6)
    (fit,) = found.fits
    assert fit.distance < 0.3


@pytest.mark.parametrize("known", [0, 1, 40, 100])
def test_answers_that_are_known_are_not_asked_for_again(tmp_path: Path, known: int) -> None:
    def build(tf: Any) -> Any:
        x = tf.placeholder(tf.float32, [None, 6], name="x")
        return {"x": x}, x * 2.0

    rows = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    graph, evaluation = built(build), {"x": rows, "label": np.zeros(100)}
    told = {graph.outputs[0].name: np.full((known, 6), 7.0, np.float32)}
    found = gathered(tmp_path, graph, {"x": rows}, evaluation, answers=told)
    assert found.calibration is not None
    assert found.evaluation is not None
    np.testing.assert_array_equal(found.calibration.answers, 2 * rows)
    np.testing.assert_array_equal(found.evaluation.answers[:known], 7)
    np.testing.assert_array_equal(found.evaluation.answers[known:], 2 * rows[known:])


def test_a_sample_that_is_all_of_an_input(tmp_path: Path) -> None:
    def build(tf: Any) -> Any:
        wave = tf.placeholder(tf.float32, [400], name="wave")
        return {"wave": wave}, tf.reduce_mean(normalized(tf, tf.reshape(wave, [50, 8])), axis=0, keepdims=True)

    waves = np.random.default_rng(0).normal(2, 1, (40, 400)).astype(np.float32)
    found = gathered(tmp_path, built(build), {"wave": waves})
    assert found.calibration is not None
    assert found.calibration.answers.shape[0] == 40
    (fit,) = found.fits
    assert fit.distance < 0.5


def test_several_inputs(tmp_path: Path) -> None:
    def build(tf: Any) -> Any:
        x, ids = tf.placeholder(tf.float32, [None, 6], name="x"), tf.placeholder(tf.int32, [None, 4], name="ids")
        table = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
        return {"x": x, "ids": ids}, normalized(tf, x) + tf.reduce_sum(tf.gather(table, ids), 1)

    rng = np.random.default_rng(0)
    samples = {"x": rng.normal(90, 20, (40, 6)).astype(np.float32), "ids": rng.integers(0, 50, (40, 4), np.int32)}
    found = gathered(tmp_path, built(build), samples)
    assert [each.name for each in found.inputs] == ["x", "ids"]
    (fit,) = found.fits
    assert fit.input.name == "x"
    assert {reading.words for reading, _ in fit.others} >= {"÷ 255"}


def test_what_is_preprocessed_outside_and_what_is_not_has_one_digest(tmp_path: Path) -> None:
    images = np.rint(pictures(20) * 255).astype(np.uint8)
    how = Preprocessing(scale=1 / 255, channel_order="bgr")
    ready = images[..., ::-1].astype(np.float32) * np.float32(1 / 255)
    evaluation = {"image": images[5:], "label": np.arange(15) % 3}
    inputs = (Input(name="image", preprocessing=how),)
    found = gathered(tmp_path, colour_judge(), {"image": ready}, evaluation, inputs)
    assert found.calibration is not None
    assert found.evaluation is not None
    assert found.calibration.digests[5:] == found.evaluation.digests
    np.testing.assert_allclose(found.calibration.answers[5:], found.evaluation.answers, rtol=1e-5)


def test_labels_go_with_their_samples(tmp_path: Path) -> None:
    images = pictures(1000)
    labels = images.mean((1, 2)).argmax(axis=1)
    found = gathered(tmp_path, colour_judge(), None, {"image": images, "label": labels})
    assert found.evaluation is not None
    assert found.evaluation.count == len(found.evaluation.digests) == 1000
    assert len(found.evaluation.answers) == LOOKED_AT
    np.testing.assert_array_equal(found.evaluation.answers.argmax(axis=1), found.evaluation.labels)


def test_of_a_large_model_fewer_samples_are_looked_at(tmp_path: Path) -> None:
    def build(tf: Any) -> Any:
        x = tf.placeholder(tf.float32, [None, 5000], name="x")
        return {"x": x}, tf.matmul(x, np.ones((5000, 1000), np.float32))

    rows = np.random.default_rng(0).random((100, 5000)).astype(np.float32)
    found = gathered(tmp_path, built(build), {"x": rows})
    assert found.calibration is not None
    assert (found.calibration.count, len(found.calibration.answers)) == (100, OF_LARGE)


def test_other_readings_are_tried_only_where_there_is_room_for_a_better_score(tmp_path: Path) -> None:
    images = pictures(200)
    labels = images.mean((1, 2)).argmax(axis=1)
    graph = colour_judge()
    (tmp_path / "right").mkdir()
    right = gathered(tmp_path / "right", graph, None, {"image": images, "label": labels})
    wrong = gathered(tmp_path, graph, None, {"image": images, "label": 2 - labels})
    assert right.scored is not None
    assert wrong.scored is not None
    assert right.scored.retrials == ()
    better = {each.reading.words: each.score for each in wrong.scored.retrials if each.certainty > 0.9}
    assert better == {"reversing its channels": 1.0}
