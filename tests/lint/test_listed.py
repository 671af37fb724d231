"""The tables, and how they are read."""

import re
from pathlib import Path

import pytest

from mobile_export.formats.flatbuffer import schema
from mobile_export.lint import DELEGATES
from mobile_export.lint.listed import Listed, read_table
from mobile_export.lint.tflite_operators import PARAMETERS, Operand, Operator
from tests.lint import models
from tests.lint.models import left, tflite

TABLES = {name: delegate for name, delegate in DELEGATES.items() if isinstance(delegate, Listed)}
TEXT = """
# about
title: Some NPU
platforms: android ios
source: https://example.com/list.md
read: 2026-11-22
types: float32 int8
ADD CONV_2D  # and these
RESHAPE: up to 4 dimensions
FULLY_CONNECTED: constant; takes a batch of one
PAD: constant
constants: float32 float16
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return tflite(tmp_path_factory.mktemp("sound"), models.convolutions)


@pytest.fixture(scope="module")
def flex(tmp_path_factory) -> Path:
    return tflite(tmp_path_factory.mktemp("flex"), models.determinant, allow_select_tf_ops=True)


def operator(kind: str, dtype: str = "float32") -> Operator:
    tensor = Operand("t", dtype, (1, 4), constant=False)
    return Operator(kind, custom=kind == "Mine", inputs=(tensor,), outputs=(tensor,))


def test_a_table() -> None:
    table = read_table(TEXT)
    found = [table.why(operator(kind), {}) for kind in ("ADD", "CONV_2D", "RESHAPE", "MUL", "Mine")]
    assert found == ["", "", "", "not in its list of operators", "not in its list of operators"]
    assert table.why(operator("ADD", "int64"), {}) == "int64 values"
    assert table.conditions == {"RESHAPE": "up to 4 dimensions", "FULLY_CONNECTED": "takes a batch of one"}
    assert table.constant == {"FULLY_CONNECTED", "PAD"}
    assert table.keys["platforms"] == "android ios"


def layer(data: str, weights: Operand) -> Operator:
    read, written = (Operand(name, data, (1, 4), constant=False) for name in ("x", "y"))
    return Operator("FULLY_CONNECTED", custom=False, inputs=(read, weights), outputs=(written,))


def unpacked(dtype: str) -> Operator:
    packed, weights = Operand("packed", dtype, (4, 4), constant=True), Operand("w", "float32", (4, 4), constant=False)
    return Operator("DEQUANTIZE", custom=False, inputs=(packed,), outputs=(weights,))


def test_constants() -> None:
    """Weights in the file have a type of their own; those that a float16 becomes are as good as in the file."""
    table = read_table(TEXT)
    in_file = [Operand("w", dtype, (4, 4), constant=True) for dtype in ("float32", "float16", "int8")]
    assert [table.why(layer("float32", weights), {}) for weights in in_file] == ["", "", "int8 constants"]
    computed = Operand("w", "float32", (4, 4), constant=False)
    assert table.why(layer("float32", computed), {}) == "weights computed at run time, not constant"
    assert table.why(layer("float32", computed), {"w": unpacked("float16")}) == ""
    assert table.why(layer("float32", computed), {"w": unpacked("int8")}) == "weights dequantized from int8 at run time"


def test_every_input_and_output_counts() -> None:
    tensors = [Operand("t", dtype, (1, 4), constant=False) for dtype in ("float32", "int64")]
    table = read_table(TEXT)
    assert table.why(Operator("ADD", False, inputs=tuple(tensors), outputs=(tensors[0],)), {}) == "int64 values"
    assert table.why(Operator("ADD", False, inputs=(tensors[0],), outputs=tuple(tensors)), {}) == "int64 values"


def test_a_table_of_what_is_refused() -> None:
    table = read_table("title: T\nplatforms: ios\nsource: s\nread: r\n-WHERE -UNIQUE")
    found = [table.why(operator(kind), {}) for kind in ("WHERE", "ADD", "Mine")]
    assert found == ["not in its list of operators", "", "not in its list of operators"]


@pytest.mark.parametrize("name", TABLES)
def test_tables_say_where_they_are_from(name: str) -> None:
    delegate = TABLES[name]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", delegate.table.keys["read"])
    assert re.match(r"https://github\.com/[\w-]+/\w+/blob/[0-9a-f]{12}/", delegate.table.keys["source"])
    assert set(delegate.platforms) <= {"android", "ios"}
    assert delegate.title


@pytest.mark.parametrize("name", TABLES)
def test_operators_are_called_as_in_the_schema(name: str) -> None:
    table = TABLES[name].table
    assert table.takes | table.refuses <= vars(schema().BuiltinOperator).keys()
    assert bool(table.takes) != bool(table.refuses)
    assert table.constant <= PARAMETERS.keys()
    types = {name for key in ("types", "constants") for name in table.keys.get(key, "").split()}
    assert types <= {kind.lower() for kind in vars(schema().TensorType)}


@pytest.mark.parametrize("name", TABLES)
def test_a_sound_file(name: str, sound: Path) -> None:
    coverage = TABLES[name].survey(sound)
    assert coverage.findings == ()
    assert coverage.operators >= 7


@pytest.mark.parametrize("name", TABLES)
def test_a_file_with_what_none_has(name: str, flex: Path) -> None:
    coverage = TABLES[name].survey(flex)
    assert list(left(coverage).values()) == [("FlexMatrixDeterminant", "not in its list of operators")]


def test_core_ml_computes_in_float_alone(tmp_path: Path) -> None:
    coverage = TABLES["tflite_coreml"].survey(tflite(tmp_path, models.convolutions, precision="int8"))
    assert ("CONV_2D", "int8 values") in left(coverage).values()
    assert "FULLY_CONNECTED: takes a batch of one alone" in coverage.note


@pytest.mark.parametrize(
    ("precision", "why"),
    [
        ("dynamic", ("FULLY_CONNECTED", "int8 constants")),
        ("weight_int8", ("FULLY_CONNECTED", "weights dequantized from int8 at run time")),
        ("weight_int8", ("DEQUANTIZE", "int8 constants")),
        ("weight_int4", ("CONV_2D", "weights dequantized from int4 at run time")),
    ],
)
def test_core_ml_has_float_weights_alone(tmp_path: Path, precision: str, why: tuple[str, str]) -> None:
    coverage = TABLES["tflite_coreml"].survey(tflite(tmp_path, models.convolutions, precision=precision))
    assert why in left(coverage).values()
    assert not {"MEAN", "SOFTMAX"} & {kind for kind, _ in left(coverage).values()}


def test_core_ml_undoes_float16(tmp_path: Path) -> None:
    coverage = TABLES["tflite_coreml"].survey(tflite(tmp_path, models.convolutions, precision="float16"))
    assert coverage.findings == ()


def test_core_ml_wants_weights_in_the_file(tmp_path: Path) -> None:
    coverage = TABLES["tflite_coreml"].survey(tflite(tmp_path, models.computed_weights, "ab"))
    assert ("CONV_2D", "weights computed at run time, not constant") in left(coverage).values()
