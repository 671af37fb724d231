"""What the demo publishes, as the phones' fast paths see it."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


def test_published_folders_are_looked_at_for_their_own_platforms(example: Path, mobile_export) -> None:
    ran = mobile_export("lint", example / "out", "--format", "json")
    assert ran.code == 0, ran.err
    files = {Path(file["file"]).name: file for file in json.loads(ran.out)["files"]}
    assert {(file["platform"], Path(file["file"]).parent.name) for file in files.values()} == {
        ("android", "android"),
        ("ios", "ios"),
    }
    left = {
        (name, survey["delegate"]): len(survey["findings"])
        for name, file in files.items()
        for survey in file["surveys"]
    }
    assert left["digits_float16.tflite", "xnnpack"] == left["digits_ios_float32.tflite", "tflite_coreml"] == 0
    assert left["digits_int8.tflite", "xnnpack"] == 1  # its softmax
    assert left["digits_onnx.onnx", "nnapi"] == left["digits_ios_onnx.onnx", "coreml"] == 0
    assert left["digits_ios_onnx_int8.onnx", "coreml"] > 10  # Core ML's provider has no quantized operators
    assert left["digits_mapped.mmpb", "kernels"] > 0


def test_a_gate_for_ci(example: Path, mobile_export) -> None:
    models = example / "out" / "android" / "assets" / "models" / "android"
    assert mobile_export("lint", models / "digits_float16.tflite", "--fail-on", "xnnpack,gpu").code == 0
    ran = mobile_export("lint", example / "out" / "android", "--fail-on", "xnnpack")
    assert ran.code == 1
    assert "error: xnnpack leaves 1 of 14 operators of " in ran.err
