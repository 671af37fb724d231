"""What LiteRT's interpreter does with files here, and the reasons that are read off operators."""

from pathlib import Path

import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats.flatbuffer import read_model, schema, write_model
from mobile_export.lint.tflite_operators import PARAMETERS
from mobile_export.lint.xnnpack import XNNPACK
from mobile_export.lint.xnnpack_reasons import DATA, INTEGER, KNOWN
from tests.lint import models
from tests.lint.models import left, tflite


def test_it_takes_all_of_a_sound_file(tmp_path: Path) -> None:
    coverage = XNNPACK().survey(tflite(tmp_path, models.convolutions))
    assert (coverage.findings, coverage.partitions) == ((), 1)
    assert coverage.operators >= 7
    assert coverage.source.startswith("ai-edge-litert ")


@pytest.mark.parametrize("precision", ["float16", "dynamic"])
def test_weights_that_it_unpacks_itself_are_taken_with_what_reads_them(tmp_path: Path, precision: str) -> None:
    coverage = XNNPACK().survey(tflite(tmp_path, models.convolutions, precision=precision))
    assert (coverage.findings, coverage.partitions) == ((), 1)


def test_an_int8_softmax_stays(tmp_path: Path) -> None:
    coverage = XNNPACK().survey(tflite(tmp_path, models.convolutions, precision="int8"))
    assert list(left(coverage).values()) == [("SOFTMAX", "no kernel for int8")]
    assert coverage.partitions == 2  # before it, and the DEQUANTIZE behind it


def test_four_bits_of_weights_stay_with_what_reads_them(tmp_path: Path) -> None:
    found = left(XNNPACK().survey(tflite(tmp_path, models.convolutions, precision="weight_int4")))
    assert ("DEQUANTIZE", "no kernel for int4 to float32") in found.values()
    assert ("CONV_2D", "weights dequantized from int4 at run time") in found.values()


def test_weights_that_are_computed(tmp_path: Path) -> None:
    coverage = XNNPACK().survey(tflite(tmp_path, models.computed_weights, "ab"))
    assert list(left(coverage).values()) == [("CONV_2D", "weights computed at run time, not constant")]
    assert coverage.operators == 2  # a TRANSPOSE of the weights is taken


def test_a_shape_that_is_computed_splits_the_file(tmp_path: Path) -> None:
    coverage = XNNPACK().survey(tflite(tmp_path, models.computed_shape, "ab"))
    assert list(left(coverage).values()) == [("RESHAPE", "new shape computed at run time, not constant")]
    assert coverage.partitions == 2


def test_other_types(tmp_path: Path) -> None:
    coverage = XNNPACK().survey(tflite(tmp_path, models.integers))
    assert set(left(coverage).values()) == {("ADD", "no kernel for int32"), ("MUL", "no kernel for int32")}
    assert coverage.partitions == 0


def test_bodies_of_loops_are_looked_at(tmp_path: Path) -> None:
    coverage = XNNPACK().survey(tflite(tmp_path, models.loop))
    assert {operator for operator, _ in left(coverage).values()} == {"WHILE", "LESS", "ADD"}
    assert coverage.operators == 5  # SIN and MUL of the body are taken
    assert coverage.partitions == 1


def test_a_file_that_nothing_here_can_run(tmp_path: Path) -> None:
    """The delegate is applied before the interpreter asks for TensorFlow's own operators."""
    coverage = XNNPACK().survey(tflite(tmp_path, models.determinant, allow_select_tf_ops=True))
    assert list(left(coverage).values()) == [
        ("FlexMatrixDeterminant", "TensorFlow's own operator, for the Flex delegate")
    ]
    assert (coverage.operators, coverage.partitions) == (2, 1)


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 64)
    with pytest.raises(ConversionError, match=r"bad\.tflite: the LiteRT runtime does not load it"):
        XNNPACK().survey(tmp_path / "bad.tflite")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = tflite(tmp_path, models.computed_weights, "ab")
    model = read_model(path.read_bytes())
    written = model.subgraphs[0].operators[0].outputs[0]
    model.subgraphs[0].tensors[written].name = b"\xff"
    path.write_bytes(write_model(model))
    with pytest.raises(
        ConversionError, match=r"float32\.tflite: LiteRT does not describe the operators: 'utf-8' codec"
    ):
        XNNPACK().survey(path)


def test_operators_are_called_as_in_the_schema() -> None:
    assert (KNOWN | INTEGER | PARAMETERS.keys() | DATA.keys()) <= vars(schema().BuiltinOperator).keys()
    assert INTEGER <= KNOWN
