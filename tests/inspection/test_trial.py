"""Making every format of a model, and what comes of it."""

import os
from pathlib import Path
from typing import Any

import pytest

from mobile_export import workers
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec
from mobile_export.inspection import trial
from mobile_export.inspection.discovery import find_network
from mobile_export.inspection.findings import Ready
from mobile_export.sources import source_of
from mobile_export.target import Model
from tests.sources.training import Net, dense, mlp, save, tf, tf1, trained


def make_ready(build: Any, folder: Path) -> Ready:
    model = Model.model_validate({"source": save(build, folder).prefix})
    found = find_network(source_of(model)[1].read(model), model)
    assert found.model is not None
    return trial.make_ready(found.model, found.inputs.chosen, found.outputs.chosen, folder)


def test_batches_become_one(tmp_path: Path) -> None:
    ready = make_ready(mlp, tmp_path)
    assert [i.shape for i in ready.model.inputs] == [(1, 6)]
    assert [o.shape for o in ready.outputs] == [(1, 3)]
    assert ready.network.macs == 6 * 8 + 8 * 3


def test_a_batch_that_cannot_change_stays(tmp_path: Path) -> None:
    def build() -> Net:
        x = tf1.placeholder(tf.float32, [5, 6], "image")
        hidden = tf.transpose(tf.matmul(x, dense(x, 5, "mixed"), transpose_a=True))  # [5, 6], rows of weights
        return trained(x, dense(tf.ensure_shape(hidden, [5, 6]), 3, "logits"), {}, {})

    assert [i.shape for i in make_ready(build, tmp_path).model.inputs] == [(5, 6)]


@pytest.mark.parametrize(
    ("shape", "output", "first"),
    [
        ((-1, 8), (-1, 3), (1, 8)),
        ((256, 8), (256, 3), (1, 8)),
        ((16000, 1), (1, 12), (16000, 1)),  # sound: no output has as many rows
        ((-1, -1, 3), (-1, 4), (1, -1, 3)),
        ((), (-1, 3), ()),
        (None, (-1, 3), None),
    ],
)
def test_shapes_that_are_tried_first(shape: Any, output: Any, first: Any) -> None:
    tried = trial._shapes([TensorSpec("x", "x:0", "float32", shape)], [TensorSpec("y", "y:0", "float32", output)])
    assert tried[0] == (first,)
    assert tried[-1] == (shape,)


def test_one_refusal_hides_no_other_verdict(tmp_path: Path) -> None:
    def build() -> Net:
        x = tf1.placeholder(tf.float32, [None, 6], "image")
        return trained(x, dense(tf.math.cumprod(x, axis=1), 3, "logits"), {}, {})

    ready = make_ready(build, tmp_path)
    precisions = {"tflite": ["float32", "float16"], "onnx": ["float32"], "graphdef": ["float32"]}
    found = {(v.format, v.precision): v for v in trial.try_formats(ready, tmp_path, precisions, jobs=2)}
    assert list(found) == [("tflite", "float32"), ("tflite", "float16"), ("onnx", "float32"), ("graphdef", "float32")]
    assert {key: v.outcome for key, v in found.items() if v.outcome != "refused"} == {
        ("onnx", "float32"): "ok",
        ("graphdef", "float32"): "ok",
    }
    assert "Cumprod" in found["tflite", "float32"].reason
    assert found["graphdef", "float32"].size


def die(*_: object) -> None:
    os.abort()


def test_a_worker_that_dies_takes_no_other_verdict_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = make_ready(mlp, tmp_path)
    run = workers.run

    def with_one_that_dies(tasks: Any, *others: Any) -> Any:
        deadly = [workers.Task(t.name, die, t.arguments) if t.arguments[1] == "onnx" else t for t in tasks]
        return run(deadly, *others)

    monkeypatch.setattr(workers, "run", with_one_that_dies)
    found = trial.try_formats(ready, tmp_path, {"onnx": ["float32"], "graphdef": ["float32"]}, jobs=2)
    assert [(v.format, v.outcome) for v in found] == [("onnx", "refused"), ("graphdef", "ok")]
    assert "SIGABRT" in found[0].reason


def test_answers_that_never_move_are_no_pass(tmp_path: Path) -> None:
    def build() -> Net:
        x = tf1.placeholder(tf.float32, [None, 6], "image")
        return trained(x, dense(tf.nn.relu(x - 100.0), 3, "logits"), {}, {})

    (verdict,) = trial.try_formats(make_ready(build, tmp_path), tmp_path, {"graphdef": ["float32"]}, jobs=1)
    assert verdict.outcome == "differs"
    assert "bring [data]" in verdict.reason


def test_nothing_can_be_made_of_what_is_fed_by_nobody(tmp_path: Path) -> None:
    saved = save(mlp, tmp_path)
    model = Model.model_validate(
        {
            "source": saved.prefix,
            "inputs": ({"name": "labels", "tensor": "labels:0"},),
            "outputs": ({"name": "probabilities", "tensor": "probabilities:0"},),
        }
    )
    with pytest.raises(ModelError, match="need the placeholder 'image'"):
        trial.make_ready(model, [TensorSpec("labels", "labels:0", "int64", (-1,))], [], tmp_path)


def test_a_model_that_is_sure_of_itself_can_be_judged_without_data(tmp_path: Path) -> None:
    """To noise of one strength it always answers the same."""

    def build() -> Net:
        x = tf1.placeholder(tf.float32, [None, 100], "image")
        weights = tf1.get_variable("weights", initializer=tf.constant([[10.0, -10.0, 0.0]] * 100))
        logits = tf.matmul(x, weights) + tf1.get_variable("biases", initializer=tf.constant([-250.0, 250.0, -500.0]))
        return trained(x, logits, {}, {}, tf1.train.GradientDescentOptimizer(0.0))

    (verdict,) = trial.try_formats(make_ready(build, tmp_path), tmp_path, {"graphdef": ["float32"]}, jobs=1)
    assert verdict.outcome == "ok", verdict.reason
