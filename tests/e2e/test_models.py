"""Acceptance on models that others trained; runs where MOBILE_EXPORT_MODELS names the folder that holds them."""

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

MODELS = Path(os.environ.get("MOBILE_EXPORT_MODELS", ""))
INPUTS = {"PNet": ("input_image", 12), "RNet": ("input_image", 24)}
HEADS = {
    "PNet": ("cls_prob:0", "bbox_pred:0", "landmark_pred:0"),
    "RNet": ("cls_fc/Softmax:0", "bbox_fc/BiasAdd:0", "landmark_fc/BiasAdd:0"),
}
FILES = {
    "tflite": ("float32", "float16", "dynamic"),
    "onnx": ("float32",),
    "graphdef": ("float32",),
    "memmapped": ("float32",),
}

needs_models = pytest.mark.skipif(not os.environ.get("MOBILE_EXPORT_MODELS"), reason="MOBILE_EXPORT_MODELS is not set")


def target(source: Path, edges: str = "") -> str:
    artifacts = [
        f'[[artifacts]]\nname = "{kind}_{precision}"\nformat = "{kind}"\nprecision = "{precision}"'
        for kind, precisions in FILES.items()
        for precision in precisions
    ]
    return "\n".join([f'name = "model"\n[model]\nsource = "{source.as_posix()}"', edges, *artifacts])


@needs_models
def test_inputs_and_outputs_are_found(tmp_path, mobile_export) -> None:
    (tmp_path / "t.toml").write_text(target(MODELS / "cifar_cnn/cifar_model/model.ckpt"))
    ran = mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err


@needs_models
@pytest.mark.parametrize(("name", "prefix"), [("PNet", "PNet-18"), ("RNet", "RNet-14")])
def test_a_batch_baked_in_by_training_becomes_one(name: str, prefix: str, tmp_path, mobile_export) -> None:
    tensor, side = INPUTS[name]
    edges = f'[[model.inputs]]\nname = "image"\ntensor = "{tensor}:0"\nshape = [1, {side}, {side}, 3]\n'
    edges += "".join(f'[[model.outputs]]\nname = "out{i}"\ntensor = "{head}"\n' for i, head in enumerate(HEADS[name]))
    (tmp_path / "t.toml").write_text(target(MODELS / f"mtcnn/{name}_landmark/{prefix}", edges))
    ran = mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err


@needs_models
def test_several_heads_are_listed_to_choose_from(tmp_path, mobile_export) -> None:
    (tmp_path / "t.toml").write_text(target(MODELS / "mtcnn/RNet_landmark/RNet-14"))
    ran = mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out")
    assert ran.code == 3
    for head in HEADS["RNet"]:
        assert f'tensor = "{head}"' in ran.err
    assert "float32[384,2]" in ran.err
