from pathlib import Path

import pytest

from mobile_export.formats import FORMATS, Request
from mobile_export.quantize.scheme import Scheme
from mobile_export.watching import NETWORKS
from mobile_export.watching.steps import Step, steps
from tests.explanation.models import network, written
from tests.formats.tf_graphs import make_graph, weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, precision in (("tflite", "int8"), ("tflite", "float16"), ("onnx", "int8"), ("onnx", "dynamic")):
        written(network(), folder, name, Scheme(precision))
    return folder


def steps_of(path: Path) -> list[Step]:
    return steps(NETWORKS[path.suffix.removeprefix(".")](path))


def operators(path: Path) -> list[tuple[str, str]]:
    return [(step.name, step.operator) for step in steps_of(path)]


def test_each_operator_of_litert_is_a_step(folder: Path) -> None:
    found = steps_of(folder / "int8.tflite")
    assert [step.operator for step in found] == [
        *("QUANTIZE", "CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX", "DEQUANTIZE")
    ]
    assert [step.reads for step in found[:3]] == [(), (found[0].tensor,), (found[1].tensor,)]


def test_what_onnx_runtime_computes_in_integers_is_one_step(folder: Path) -> None:
    found = steps_of(folder / "int8.onnx")
    assert [(step.name, step.operator) for step in found][1:4] == [
        *(("Transpose_0", "Transpose"), ("first", "Conv+Relu"), ("add_1", "Conv+Relu"))
    ]
    assert found[2].tensor == "first/quantized"
    assert found[2].reads == ("Transpose_0/quantized",)


def test_what_it_quantizes_as_it_runs_is_one_step(folder: Path) -> None:
    assert ("MatMul", "DynamicQuantizeLinear+MatMulInteger+Cast+Mul") in operators(folder / "dynamic.onnx")


def test_constants_that_are_widened_on_load_stay_constants(folder: Path) -> None:
    kinds = [kind for _, kind in operators(folder / "float16.tflite")]
    assert kinds == ["CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]


def test_sizes_belong_to_the_operator_that_takes_them(tmp_path: Path) -> None:
    def build(tf):
        x = tf.placeholder(tf.float32, [None, 4, 6], name="x")
        y = tf.reshape(tf.nn.relu(x), [-1, tf.shape(x)[0], 6])
        return [x], [tf.matmul(y, weights(1, 1, 6, 3)), tf.argmax(x, -1)]

    path = tmp_path / "sizes.tflite"
    FORMATS["tflite"].write(make_graph(build, ["x"], ["y", "best"]), [Request("a", path)], None)
    found = {step.name: step for step in steps_of(path)}
    assert "best" in found  # whole numbers, but an answer
    assert [step.operator for step in found.values() if "SHAPE" in step.operator.split("+")] == [
        "SHAPE+STRIDED_SLICE+PACK+RESHAPE+BATCH_MATMUL"
    ]
