"""Every precision of the formats that have several, as a target asks for it."""

from pathlib import Path

import numpy as np
import pytest

from mobile_export.formats import QUANTIZABLE
from mobile_export.published.manifest import REQUIRED_OPERATORS, load_manifest
from mobile_export.session import import_tensorflow

pytestmark = pytest.mark.e2e


def target(example: Path, path: Path, artifacts: list[str]) -> Path:
    """The example's model and data with these artifacts."""
    digits = (example / "examples/digits").as_posix()
    head = f"""
name = "digits"
[model]
source = "{digits}/model/model.ckpt"
inputs = [{{ name = "image", tensor = "input:0", shape = [1, 28, 28, 1] }}]
outputs = [{{ name = "probabilities", tensor = "probabilities:0" }}]
[data]
calibration = {{ source = "{digits}/calibration.npz" }}
evaluation = {{ source = "{digits}/evaluation.npz" }}
"""
    path.write_text("\n".join([head, *(f"[[artifacts]]\n{artifact}" for artifact in artifacts)]))
    return path


def test_all_of_them_hold_one_point_and_four_bits_five(example: Path, tmp_path: Path, mobile_export) -> None:
    artifacts = [
        f'name = "{name}_{precision}"\nformat = "{name}"\nprecision = "{precision}"\n'
        f"limits = {{ accuracy_drop = {0.05 if precision == 'weight_int4' else 0.01}, confidence = 0.8 }}"
        for name, unit in QUANTIZABLE.items()
        for precision in unit.precisions
    ]
    path = target(example, tmp_path / "digits.toml", artifacts)
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err + ran.out
    entries = {entry.name: entry for entry in load_manifest(tmp_path / "out/digits").artifacts}
    assert len(entries) == len(artifacts)
    for name, unit in QUANTIZABLE.items():
        sizes = {precision: entries[f"{name}_{precision}"].bytes for precision in unit.precisions}
        assert sizes["int8"] < sizes["float16"] < sizes["float32"]
    drop = next(check for check in entries["tflite_int8"].checks if check.name == "accuracy_drop")
    assert drop.interval is not None
    assert drop.interval[0] <= drop.value <= drop.interval[1]
    assert mobile_export("verify", tmp_path / "out").code == 0


def test_what_ort_files_need_is_published_beside_them(example: Path, tmp_path: Path, mobile_export) -> None:
    path = target(example, tmp_path / "digits.toml", ['name = "digits"\nformat = "ort"\nprecision = "int8"'])
    assert mobile_export("build", path, "--out", tmp_path / "out").code == 0
    config = tmp_path / "out/digits" / REQUIRED_OPERATORS
    assert "QLinearConv" in config.read_text()
    assert "is not the file" not in mobile_export("verify", tmp_path / "out").err
    again = mobile_export("build", path, "--out", tmp_path / "out", "--format", "json")
    assert '"status": "current"' in again.out
    config.write_text("ai.onnx;17;Conv\n")
    ran = mobile_export("verify", tmp_path / "out")
    assert (ran.code, REQUIRED_OPERATORS in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("artifact", "said"),
    [
        (
            'format = "tflite"\nprecision = "int16x8"\ninterface = "int8"',
            "artifacts[0].interface: 'int8' is not known (did you mean 'int16'?); allowed: float32, int16",
        ),
        (
            'format = "onnx"\nprecision = "int16x8"',
            "artifacts[0].precision: 'int16x8' is not known",
        ),
        (
            'format = "graphdef"\nper_channel = false',
            "artifacts[0].per_channel: graphdef has no quantized weights; leave it out",
        ),
        (
            'format = "tflite"\ncompute = "integer"',
            "artifacts[0].compute: only precision = 'auto' searches; leave it out",
        ),
        (
            'format = "tflite"\nprecision = "auto"\nlayers = { conv = "int8" }',
            "artifacts[0].layers: precision = 'auto' chooses it; leave it out",
        ),
    ],
)
def test_what_there_is_not(artifact: str, said: str, example: Path, tmp_path: Path, mobile_export) -> None:
    path = target(example, tmp_path / "digits.toml", [f'name = "digits"\n{artifact}'])
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert not (tmp_path / "out").exists()


def test_a_layer_of_another_precision(example: Path, tmp_path: Path, mobile_export) -> None:
    artifact = 'name = "digits"\nformat = "onnx"\nprecision = "int8"\nlayers = { "no_such" = "float32" }'
    path = target(example, tmp_path / "digits.toml", [artifact])
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert (ran.code, "the model has no layer 'no_such'" in ran.err) == (4, True), ran.err


def test_a_name_that_promises_more_than_the_file_holds(tmp_path: Path, mobile_export) -> None:
    """Depthwise convolutions stay float in a dynamic file."""
    tf1 = import_tensorflow().compat.v1
    with tf1.Graph().as_default() as graph:
        x = tf1.placeholder(tf1.float32, [1, 8, 8, 64], name="input")
        kernel = np.random.default_rng(0).normal(size=(3, 3, 64, 1)).astype(np.float32)
        tf1.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME", name="output")
    (tmp_path / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    path = tmp_path / "deep.toml"
    kinds = ", ".join(f'{{ name = "{p}", format = "tflite", precision = "{p}" }}' for p in ("dynamic", "weight_int8"))
    path.write_text(f'name = "deep"\nmodel.source = "model.pb"\nartifacts = [{kinds}]\n')
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    warned = [line for line in ran.err.splitlines() if line.startswith("warning: deep: ")]
    assert warned == [
        "warning: deep: dynamic: 100% of its weights are stored in float32, since nothing here can have them in dynamic"
    ]
    assert load_manifest(tmp_path / "out/deep").artifacts[0].remark
