"""The tables, and how they are read."""

import re
from pathlib import Path

import pytest

from mobile_export.formats.flatbuffer import schema
from mobile_export.lint import DELEGATES
from mobile_export.lint.listed import Listed, read_table
from mobile_export.lint.tflite_operators import Operand, Operator
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
    found = [table.why(operator(kind)) for kind in ("ADD", "CONV_2D", "RESHAPE", "MUL", "Mine")]
    assert found == ["", "", "", "not in its list of operators", "not in its list of operators"]
    assert table.why(operator("ADD", "int64")) == "int64 values"
    assert table.conditions == {"RESHAPE": "up to 4 dimensions"}
    assert table.keys["platforms"] == "android ios"


def test_a_table_of_what_is_refused() -> None:
    table = read_table("title: T\nplatforms: ios\nsource: s\nread: r\n-WHERE -UNIQUE")
    found = [table.why(operator(kind)) for kind in ("WHERE", "ADD", "Mine")]
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
    types = set(table.keys.get("types", "").split())
    assert types <= {kind.lower() for kind in vars(schema().TensorType)}


@pytest.mark.parametrize("name", TABLES)
def test_a_sound_file(name: str, sound: Path) -> None:
    sight = TABLES[name].survey(sound)
    assert sight.findings == ()
    assert sight.operators >= 7


@pytest.mark.parametrize("name", TABLES)
def test_a_file_with_what_none_has(name: str, flex: Path) -> None:
    sight = TABLES[name].survey(flex)
    assert list(left(sight).values()) == [("FlexMatrixDeterminant", "not in its list of operators")]


def test_core_ml_computes_in_float_alone(tmp_path: Path) -> None:
    sight = TABLES["tflite_coreml"].survey(tflite(tmp_path, models.convolutions, precision="int8"))
    assert ("CONV_2D", "int8 values") in left(sight).values()
    assert "CONV_2D, DEPTHWISE_CONV_2D: weights and bias have to be constant" in sight.note
