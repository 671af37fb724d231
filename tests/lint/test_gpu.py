"""The conditions of the GPU delegate, one by one, and on files."""

import contextlib
import dataclasses
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mobile_export.formats.flatbuffer import schema
from mobile_export.lint.gpu import GPU
from mobile_export.lint.gpu_conditions import CONDITIONS, READ, VERSIONS, WRITTEN, why
from mobile_export.lint.tflite_operators import Operand, Operator
from mobile_export.session import import_tensorflow
from tests.lint import models
from tests.lint.models import left, tflite


def value(*shape: int, dtype: str = "float32") -> Operand:
    return Operand("value", dtype, shape, constant=False)


def constant(*shape: int, dtype: str = "int32") -> Operand:
    return Operand("constant", dtype, shape, constant=True)


def operator(kind: str, inputs: list[Operand], output: Operand, **options: Any) -> Operator:
    return Operator(kind, custom=False, inputs=tuple(inputs), outputs=(output,), options=SimpleNamespace(**options))


IMAGE = value(1, 8, 8, 4)
VECTOR = value(1, 4)
TAKEN = {
    "broadcasting": operator("ADD", [IMAGE, value(4, dtype="float32")], IMAGE),
    "casting": operator("CAST", [value(1, 4, dtype="bool")], VECTOR),
    "computed weights": operator("CONV_2D", [IMAGE, value(4, 3, 3, 4), constant(4, dtype="float32")], IMAGE),
    "eight bits": operator("RELU", [value(1, 4, dtype="int8")], value(1, 4, dtype="int8")),
    "float16 weights": operator("DEQUANTIZE", [constant(4, 4, dtype="float16")], value(4, 4)),
    "gathering": operator("GATHER", [VECTOR, value(4, dtype="int32")], VECTOR),
    "padding": operator("PAD", [IMAGE, constant(4, 2)], IMAGE),
    "reducing": operator("MEAN", [IMAGE, constant(2)], VECTOR),
    "selecting": operator("SELECT_V2", [value(1, 4, dtype="bool"), VECTOR, constant(dtype="float32")], VECTOR),
    "softmax": operator("SOFTMAX", [VECTOR], VECTOR, beta=1.0),
}
LEFT = {
    "5 dimensions": (operator("RELU", [value(1, 2, 3, 4, 5)], VECTOR), "more than 4 dimensions"),
    "axes": (operator("SUM", [IMAGE, value(2, dtype="int32")], VECTOR), "axes are not an int32 constant"),
    "beta": (operator("SOFTMAX", [VECTOR], VECTOR, beta=2.0), "beta is 2, not 1"),
    "branches": (
        operator("SELECT", [value(1, 4, dtype="bool"), VECTOR, value(4)], VECTOR),
        "a branch has neither the result's shape nor a single value",
    ),
    "cast": (operator("CAST", [value(4, dtype="int64")], VECTOR), "no cast from int64 to float32"),
    "indices": (
        operator("GATHER", [VECTOR, value(4, dtype="int64")], VECTOR),
        "indices are not a vector of int32",
    ),
    "mask": (operator("STRIDED_SLICE", [IMAGE], VECTOR, shrinkAxisMask=1), "it has a shrinkAxisMask"),
    "multiplier": (
        operator("DEPTHWISE_CONV_2D", [IMAGE, constant(1, 3, 3, 8)], value(1, 8, 8, 8), depthMultiplier=2),
        "depth multiplier above 1 on more than one channel",
    ),
    "one hot": (
        operator("ONE_HOT", [value(4, dtype="int64"), constant(), constant(), constant()], VECTOR),
        "not int32 indices with constant float values",
    ),
    "paddings": (operator("PAD", [VECTOR, constant(2, 2)], VECTOR), "paddings for 2 dimensions, not 3 or 4"),
    "ranks": (operator("SLICE", [VECTOR, constant(2), constant(2)], VECTOR), "2 dimensions, not 3 or 4"),
    "shapes": (
        operator("MUL", [IMAGE, value(3, 4)], IMAGE),
        "shapes of different ranks that do not broadcast",
    ),
    "sixteen bits": (operator("DEQUANTIZE", [value(4, dtype="int16")], value(4)), "int16 values"),
    "symmetric": (operator("MIRROR_PAD", [IMAGE, constant(4, 2)], IMAGE, mode=1), "symmetric padding"),
    "three inputs": (operator("ADD", [VECTOR] * 3, VECTOR), "3 inputs, not 2"),
    "two inputs": (
        operator("RESHAPE", [IMAGE, value(2, dtype="int32")], VECTOR),
        "2 inputs computed at run time, not 1",
    ),
    "types": (operator("ADD", [value(4, dtype="int32")] * 2, value(4, dtype="int32")), "int32 values"),
    "unknown": (operator("WHERE", [value(4)], value(4)), "the delegate has no such operator"),
    "unsupported activation": (
        operator("CONV_2D", [IMAGE, constant(4, 3, 3, 4)], IMAGE, fusedActivationFunction=5),
        "its fused activation",
    ),
    "version": (
        dataclasses.replace(operator("RESHAPE", [IMAGE], VECTOR), version=2),
        "version 2 of the operator, known up to 1",
    ),
    "weights": (
        operator("FULLY_CONNECTED", [VECTOR, constant(4, 4)], VECTOR, weightsFormat=1),
        "shuffled weights",
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_taken(case: str) -> None:
    assert why(TAKEN[case], {}) == ""


@pytest.mark.parametrize("case", LEFT)
def test_left(case: str) -> None:
    found, reason = LEFT[case]
    assert why(found, {}) == reason


def test_comparisons_have_to_end_in_floats() -> None:
    chosen = value(1, 4, dtype="bool")
    less = operator("LESS", [VECTOR, VECTOR], chosen)
    to_float, to_int = (operator("CAST", [chosen], value(1, 4, dtype=dtype)) for dtype in ("float32", "int32"))
    assert why(less, {"value": [to_float]}) == ""
    elsewhere = "its result goes elsewhere than to one CAST to float or SELECT of floats"
    assert [why(less, {"value": readers}) for readers in ([], [to_int], [to_float, to_float])] == [elsewhere] * 3


def test_custom_operators() -> None:
    names = ["Resampler", "FlexErf", "Mine"]
    found = [why(Operator(name, custom=True, inputs=(), outputs=()), {}) for name in names]
    assert found == ["", "TensorFlow's own operator, for the Flex delegate", "custom operator"]


def test_operators_without_what_they_need_are_left_and_nothing_breaks() -> None:
    for kind in CONDITIONS:
        why(Operator(kind, custom=False, inputs=(), outputs=()), {})


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_it_takes_all_of_a_sound_file(tmp_path: Path, precision: str) -> None:
    coverage = GPU().survey(tflite(tmp_path, models.convolutions, precision=precision))
    assert (coverage.findings, coverage.note) == ((), "")


def test_integers_gain_nothing(tmp_path: Path) -> None:
    coverage = GPU().survey(tflite(tmp_path, models.convolutions, precision="int8"))
    assert coverage.findings == ()
    assert "int8 is no faster than float16" in coverage.note


def test_four_bits_of_weights(tmp_path: Path) -> None:
    coverage = GPU().survey(tflite(tmp_path, models.convolutions, precision="weight_int4"))
    assert (coverage.findings, coverage.note) == ((), "only newer versions of it read constants of 4 bits")


def test_files_that_are_left_in_part(tmp_path: Path) -> None:
    coverage = GPU().survey(tflite(tmp_path, models.five_dimensions))
    assert {reason for _, reason in left(coverage).values()} == {"more than 4 dimensions"}
    assert "only the largest piece" in coverage.note


def test_sizes_that_show_only_as_the_file_runs(tmp_path: Path) -> None:
    coverage = GPU().survey(tflite(tmp_path, models.computed_shape, "ab"))
    assert list(left(coverage).values()) == [("RESHAPE", "2 inputs computed at run time, not 1")]
    assert "refuses files with tensors whose size shows only while they run" in coverage.note


def test_tensorflows_analyzer_still_calls_everything_compatible(tmp_path: Path) -> None:
    """Once this fails, it can tell again: `lint/gpu.py` has to ask it then (tensorflow/tensorflow#77042)."""
    path = tflite(tmp_path, models.determinant, allow_select_tf_ops=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        import_tensorflow().lite.experimental.Analyzer.analyze(str(path), gpu_compatibility=True)
    assert "FlexMatrixDeterminant" in said.getvalue()
    assert "Your model looks compatible with GPU delegate" in said.getvalue()


def test_operators_are_called_as_in_the_schema() -> None:
    assert VERSIONS.keys() <= CONDITIONS.keys()
    assert (CONDITIONS.keys() | READ.keys() | WRITTEN.keys() | VERSIONS.keys()) <= vars(schema().BuiltinOperator).keys()
