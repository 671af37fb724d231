"""Explaining files that a build has published: all that is needed lies beside them, or in the target."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.toolchains import toolchain

pytestmark = pytest.mark.e2e


def models(example: Path, target: str) -> Path:
    return example / "out" / target / "assets" / "models" / target


def test_a_published_file_is_explained_with_what_lies_beside_it(example: Path, mobile_export) -> None:
    ran = mobile_export("explain", models(example, "ios") / "digits_ios_int8.tflite")
    assert ran.code == 0, ran.err
    assert "digits_ios_int8.tflite against " in ran.out
    assert "digits_ios_float32.tflite: 2 samples of the inputs in " in ran.out
    assert "probabilities" in ran.out
    assert "why" not in ran.out  # a sound file


def test_the_target_brings_the_float_file_and_samples(example: Path, mobile_export) -> None:
    path, target = models(example, "android") / "digits_int8.tflite", example / "targets" / "android.toml"
    without = mobile_export("explain", path)
    assert without.code == 2
    assert "name the float32 file with --against, or the target that it was built from with --target" in without.err
    ran = mobile_export("explain", path, "--target", target, "--samples", "12", "--format", "json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["samples"] == 12
    assert found["against"] == f"the float32 file of {target}"
    assert {layer["precision"] for layer in found["layers"]} == {"int8"}
    assert min(layer["sqnr"] for layer in found["layers"]) > 25
    assert [layer["reasons"] for layer in found["layers"] if layer["reasons"]] == []
    settable = {layer["settable"] for layer in found["layers"]}
    assert settable < {layer["name"] for layer in found["layers"]}  # softmax, say, is set by a layer that has weights


def test_inputs_that_are_given_by_mistake_are_found_in_the_input(example: Path, mobile_export, tmp_path: Path) -> None:
    with np.load(example / "examples" / "digits" / "calibration.npz") as calibration:
        images = calibration["image"]
    np.savez(tmp_path / "unscaled.npz", image=images * np.float32(255))
    path, data = models(example, "ios") / "digits_ios_int8.tflite", tmp_path / "unscaled.npz"
    ran = mobile_export("explain", path, "--data", data, "--format", "json")
    assert ran.code == 0, ran.err
    image = next(layer for layer in json.loads(ran.out)["layers"] if layer["name"] == "image")
    assert [reason["kind"] for reason in image["reasons"]] == ["saturated_range"]


def test_other_files_are_refused(example: Path, mobile_export) -> None:
    ran = mobile_export("explain", models(example, "ios") / "digits_ios_graph.pb")
    assert ran.code == 2
    assert "known: .tflite, .onnx" in ran.err


def test_operators_that_compute_something_else_on_a_core_are_named(
    example: Path, mobile_export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(toolchain("arm64")))
    path, device = models(example, "ios") / "digits_ios_int8.tflite", "arm64:cortex-a53"
    ran = mobile_export("explain", path, "--device", device)
    assert ran.code == 0, ran.err
    assert f"digits_ios_int8.tflite on {device} (LiteRT " in ran.out
    assert "note: every operator computes the same there as here, but for rounding of real values" in ran.out
    ran = mobile_export("explain", path, "--device", f"{device}:builtin")
    assert ran.code == 0, ran.err
    assert "without XNNPACK" in ran.out
    assert "rounds differently, by one step" in ran.out
    ran = mobile_export("explain", path, "--device", "adb")
    assert ran.code == 2
    assert "adb only runs whole files: mobile-export run " in ran.err
