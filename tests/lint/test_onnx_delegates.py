"""ONNX Runtime's checker, asked for every node."""

from pathlib import Path

import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats.onnx_runner import load, session_options
from mobile_export.lint.coreml import CoreML
from mobile_export.lint.delegate import Delegate
from mobile_export.lint.nnapi import NNAPI
from tests.lint.models import ANY_BATCH, IMAGE, left, nodes, onnx_file

DELEGATES: dict[str, Delegate] = {
    "nnapi": NNAPI(),
    "coreml": CoreML("NeuralNetwork"),
    "coreml_mlprogram": CoreML("MLProgram"),
}


@pytest.mark.parametrize("name", DELEGATES)
def test_all_of_a_sound_file_is_taken(name: str, tmp_path: Path) -> None:
    coverage = DELEGATES[name].survey(onnx_file(tmp_path, nodes("Conv", "Relu", "Sigmoid"), IMAGE))
    assert (coverage.findings, coverage.operators, coverage.partitions) == ((), 3, 1)
    assert coverage.note.startswith("worth it, says the checker; options are not looked at")
    assert "Conv" in coverage.note


@pytest.mark.parametrize("name", DELEGATES)
def test_operators_that_it_has_not(name: str, tmp_path: Path) -> None:
    coverage = DELEGATES[name].survey(onnx_file(tmp_path, nodes("Conv", "Acos", "Relu"), IMAGE))
    assert left(coverage) == {"acos": ("Acos", "unsupported operator")}
    assert (coverage.operators, coverage.partitions) == (3, 2)


@pytest.mark.parametrize("name", DELEGATES)
def test_dynamic_shapes(name: str, tmp_path: Path) -> None:
    coverage = DELEGATES[name].survey(onnx_file(tmp_path, nodes("Conv", "Relu"), ANY_BATCH))
    assert {why for _, why in left(coverage).values()} == {"dynamic shape"}
    assert "with fixed input sizes it would leave none" in coverage.note
    assert "the CPU is likely faster, says the checker" in coverage.note


def test_core_ml_has_five_dimensions(tmp_path: Path) -> None:
    path = onnx_file(tmp_path, nodes("Relu", "Sigmoid"), [1, 2, 3, 2, 2, 2])
    assert {why for _, why in left(DELEGATES["coreml"].survey(path)).values()} == {"more than 5 dimensions"}
    assert DELEGATES["nnapi"].survey(path).findings == ()


def test_ort_files(tmp_path: Path) -> None:
    path = onnx_file(tmp_path, nodes("Conv", "Acos", "Relu"), IMAGE)
    options = session_options(1, "ENABLE_BASIC")
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    load(str(path), options, "the model")
    assert left(DELEGATES["nnapi"].survey(tmp_path / "model.ort")) == {"acos": ("Acos", "unsupported operator")}


@pytest.mark.parametrize("name", DELEGATES)
def test_a_damaged_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\xff" * 64)
    with pytest.raises(ConversionError, match=r"does not load bad\.onnx"):
        DELEGATES[name].survey(tmp_path / "bad.onnx")
