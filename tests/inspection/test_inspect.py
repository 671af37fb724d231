"""Inspecting models of several forms."""

from pathlib import Path
from typing import Any

import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.inspection.inspect import inspect_model, model_of
from tests.sources.training import mlp, save, tf


class Two(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.ones([4, 3]))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def scores(self, x: Any) -> Any:
        return {"scores": tf.matmul(x, self.weights)}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def doubled(self, x: Any) -> Any:
        return {"doubled": 2 * x * tf.reduce_mean(self.weights)}


def test_without_converting(tmp_path: Path) -> None:
    found = inspect_model(model_of(save(mlp, tmp_path).prefix, {}, tmp_path), {})
    assert (found.form, found.why) == ("checkpoint", "model.ckpt.index is there")
    assert {path.name for path in found.files} >= {"model.ckpt.meta", "model.ckpt.index"}
    assert all(found.files.values())
    assert (found.ready, found.verdicts, found.problem) == (None, (), "")
    assert found.seen.operators["MatMul"] == 2
    assert found.seen.leftovers["gradients"] > 10


def test_every_format_is_tried(tmp_path: Path) -> None:
    found = inspect_model(model_of(save(mlp, tmp_path).prefix, {}, tmp_path), jobs=2)
    assert {v.format: v.outcome for v in found.verdicts} == dict.fromkeys(
        ["tflite", "onnx", "ort", "graphdef", "memmapped", "saved_model"], "ok"
    )
    assert found.ready is not None
    assert found.ready.network.parameters == 83


def test_one_of_several_signatures_is_taken_and_said_so(tmp_path: Path) -> None:
    module = Two()
    tf.saved_model.save(module, str(tmp_path), signatures={"scores": module.scores, "doubled": module.doubled})
    found = inspect_model(model_of(tmp_path, {}, tmp_path), {})
    assert found.signatures == {("serve",): ("doubled", "scores")}
    assert found.seen.outputs.how == "signature"
    assert [spec.name for spec in found.seen.outputs.chosen] == ["doubled"]
    assert "of 2 signatures, 'doubled' is taken; --signature takes another" in found.seen.notes
    found = inspect_model(model_of(tmp_path, {"signature": "scores"}, tmp_path), {})
    assert [spec.name for spec in found.seen.outputs.chosen] == ["scores"]
    assert not found.seen.notes


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    saved = save(mlp, tmp_path)
    Path(f"{saved.prefix}.meta").write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"model\.ckpt\.meta"):
        inspect_model(model_of(saved.prefix, {}, tmp_path))
    with pytest.raises(ModelError, match="no such model"):
        inspect_model(model_of(tmp_path / "elsewhere", {}, tmp_path))


def test_the_command_line_is_checked(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"^--custom-objects: 'x' names no code"):
        model_of(tmp_path, {"custom_objects": "x", "trusted": False}, tmp_path)
    with pytest.raises(TargetError, match=r"model\.tags: has no meaning"):
        inspect_model(model_of(save(mlp, tmp_path).prefix, {"tags": ("serve",)}, tmp_path))
    model = model_of(tmp_path, {"builder": "code:build", "tags": None}, tmp_path / "elsewhere")
    assert model.builder is not None
    assert model.builder.folder == tmp_path / "elsewhere"
    assert model.model_fields_set == {"source", "builder"}
