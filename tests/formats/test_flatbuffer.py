from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats import flatbuffer
from mobile_export.formats.flatbuffer import (
    float_operators,
    operator_name,
    read_model,
    schema,
    set_ranges,
    walk,
    write_model,
)
from mobile_export.formats.tflite_converter import convert
from mobile_export.formats.tflite_edges import publish
from mobile_export.formats.tflite_rewrites import ease_quantization, keep_integers
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.quantize.engines import quantize
from mobile_export.quantize.recipes import EVERYTHING, recipe
from mobile_export.quantize.scheme import Scheme
from tests.formats.tf_graphs import make_graph, mobile_net, samples_for


@pytest.fixture(scope="module")
def content() -> bytes:
    return convert(make_graph(mobile_net, ["image"], ["probabilities"]))


def run(content: bytes, feeds: dict[str, np.ndarray], tmp_path: Path) -> dict[str, np.ndarray]:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    return TFLiteRunner(path)(feeds)


def test_reading_and_writing_changes_nothing(content: bytes) -> None:
    assert write_model(read_model(content)) == content


def test_weights_are_aligned(content: bytes) -> None:
    model = schema().Model.GetRootAs(content)
    found = 0
    for index in range(model.BuffersLength()):
        if model.Buffers(index).DataLength() >= 16:
            data = model.Buffers(index).DataAsNumpy()
            address = data.__array_interface__["data"][0] - np.frombuffer(content, np.uint8).ctypes.data
            assert address % 16 == 0
            found += 1
    assert found > 5


def test_more_than_a_flatbuffer_holds(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatbuffer, "MAX_BYTES", 1000)
    with pytest.raises(ConversionError, match="2 GB"):
        write_model(read_model(content))


def test_inner_tensors_make_way_for_public_names(content: bytes) -> None:
    model = read_model(content)
    main = model.subgraphs[0]
    inner = [i for i in range(len(main.tensors)) if i not in (*main.inputs, *main.outputs)]
    main.tensors[inner[0]].name = main.tensors[inner[1]].name = b"picture"
    main.tensors[inner[2]].name = None
    publish(model, ["picture"], ["picture"])
    names = [tensor.name for tensor in main.tensors]
    assert len(set(names)) == len(names)
    assert names[main.inputs[0]] == b"picture"
    signature = read_model(write_model(model)).signatureDefs[0]
    assert (signature.inputs[0].name, signature.inputs[0].tensorIndex) == (b"picture", main.inputs[0])
    assert (signature.outputs[0].name, signature.outputs[0].tensorIndex) == (b"picture", main.outputs[0])


def test_float_operators_are_named_in_order(content: bytes) -> None:
    found = float_operators(read_model(content))
    assert [entry.partition(" ")[0] for entry in found[1:3]] == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    assert found[-1] == "SOFTMAX ('probabilities')"


def test_ranges_reach_the_file(content: bytes) -> None:
    model = read_model(content)
    set_ranges(model, {"image": (-1.5, 2.5), "nobody": (0.0, 1.0)})
    main = read_model(write_model(model)).subgraphs[0]
    quantization = main.tensors[main.inputs[0]].quantization
    assert (quantization.min.tolist(), quantization.max.tolist()) == ([-1.5], [2.5])


def test_a_tensor_without_a_copyable_shape() -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [None, None, 3], name="x")
        return [x], [tf.identity(x)]

    with pytest.raises(ConversionError, match="'y' is the same tensor as an input"):
        convert(make_graph(build, ["x"], ["y"]))


def test_rewrites_are_exact(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [3, 5], name="x")
        whole = tf.placeholder(tf.int32, [3], name="whole")
        return [x, whole], [-x, tf.square(x), -whole]

    graph = make_graph(build, ["x", "whole"], ["negative", "square", "negative_whole"])
    before = convert(graph)
    model = read_model(before)
    assert ease_quantization(model)
    feeds = {"x": samples_for(graph, 3)["x"], "whole": np.arange(3, dtype=np.int32)}
    expected, answers = (run(content, feeds, tmp_path) for content in (before, write_model(model)))
    for name, values in expected.items():
        np.testing.assert_array_equal(answers[name], values)
    operators = schema().BuiltinOperator
    assert sorted(code for *_, code in walk(model)) == [operators.MUL, operators.MUL, operators.NEG]


def test_rewrites_leave_other_models_alone(content: bytes) -> None:
    model = read_model(content)
    assert not ease_quantization(model)
    assert write_model(model) == content


def test_order_survives_scaling(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [3, 5], name="x")
        y = tf.nn.relu(x)
        return [x], [y, tf.argmax(y, 1), tf.argmin(y, 1)]

    base = convert(make_graph(build, ["x"], ["values", "highest", "lowest"]))
    rules = recipe({"int8": EVERYTHING}, Scheme("int8"), "int8")
    before = quantize(base, rules, {"x": (-3.0, 3.0), "values": (0.0, 3.0)})
    model = read_model(before)
    keep_integers(model)
    operators = schema().BuiltinOperator
    assert operators.DEQUANTIZE in [code for *_, code in walk(read_model(before))]
    assert [code for *_, code in walk(model)] == [operators.RELU, operators.ARG_MAX, operators.ARG_MIN]
    publish(model, ["x"], ["values", "highest", "lowest"])
    feeds = {"x": np.random.default_rng(0).integers(-128, 128, (3, 5), np.int8)}
    expected, answers = (run(bytes(content), feeds, tmp_path) for content in (before, write_model(model)))
    np.testing.assert_array_equal(answers["highest"], expected["highest"])
    np.testing.assert_array_equal(answers["lowest"], expected["lowest"])
    assert answers["values"].dtype == np.int8


def test_dequantization_that_float_operators_read_stays(content: bytes) -> None:
    model = read_model(content)
    keep_integers(model)
    assert write_model(model) == content


def test_operators_of_a_later_schema_are_custom() -> None:
    assert operator_name(0) == "ADD"
    assert operator_name(1 << 20) == "CUSTOM"
