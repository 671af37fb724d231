"""What an input stood for takes its place, arranged as the graph would have arranged it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mobile_export.errors import ConversionError
from mobile_export.formats import onnx_mapping
from mobile_export.formats.onnx_float import convert
from mobile_export.formats.onnx_kernels import fill_in
from tests.formats.tf_graphs import make_graph, weights

VALUE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def graph(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("y",)) -> onnx.GraphProto:
    def info(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

    shape = numpy_helper.from_array(np.array([6, 4], np.int64), "shape")
    open_shape = numpy_helper.from_array(np.array([-1, 4], np.int64), "open")
    return helper.make_graph(
        list(nodes), "g", [info("x"), info("w")], [info(name) for name in outputs], [shape, open_shape]
    )


def filled(made: onnx.GraphProto) -> dict[str, Any]:
    fill_in(made, {"w": VALUE})
    assert [info.name for info in made.input] == ["x"]
    return {t.name: numpy_helper.to_array(t) for t in made.initializer if t.name not in ("shape", "open")}


def test_what_rearranges_a_weight_is_done_to_it() -> None:
    made = graph(
        helper.make_node("Reshape", ["w", "shape"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=[1, 0]),
        helper.make_node("Conv", ["x", "c"], ["y"]),
    )
    found = filled(made)
    assert [(node.op_type, list(node.input)) for node in made.node] == [("Conv", ["x", "w"])]
    np.testing.assert_array_equal(found["w"], VALUE.reshape(6, 4).T)


def test_a_transpose_without_an_order_reverses() -> None:
    made = graph(helper.make_node("Transpose", ["w"], ["t"]), helper.make_node("Conv", ["x", "t"], ["y"]))
    np.testing.assert_array_equal(filled(made)["w"], VALUE.T)


def test_a_weight_may_be_read_in_two_arrangements() -> None:
    made = graph(
        helper.make_node("Transpose", ["w"], ["t"]),
        helper.make_node("Conv", ["x", "t"], ["y"]),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        outputs=("y", "z"),
    )
    found = filled(made)
    assert [list(node.input) for node in made.node] == [["x", "t"], ["x", "w"]]
    np.testing.assert_array_equal(found["t"], VALUE.T)
    np.testing.assert_array_equal(found["w"], VALUE)


@pytest.mark.parametrize(
    "node",
    [helper.make_node("Reshape", ["w", "open"], ["a"]), helper.make_node("Relu", ["w"], ["a"])],
    ids=["open", "relu"],
)
def test_what_does_more_stays(node: onnx.NodeProto) -> None:
    made = graph(node, helper.make_node("Conv", ["x", "a"], ["y"]))
    np.testing.assert_array_equal(filled(made)["w"], VALUE)
    assert [each.op_type for each in made.node] == [node.op_type, "Conv"]


def network(tf: Any) -> tuple[list[Any], list[Any]]:
    x = tf.placeholder(tf.float32, [1, 8, 8, 64], name="x")
    y = tf.nn.conv2d(x, weights(1, 3, 3, 64, 64), [1, 1, 1, 1], "SAME")
    y = tf.nn.depthwise_conv2d(y, weights(2, 5, 5, 64, 1), [1, 1, 1, 1], "VALID")
    y = tf.matmul(tf.reshape(y, [1, -1]), weights(3, 1024, 10))
    return [x], [tf.matmul(y, weights(4, 2048, 10), transpose_b=True, name="y")]


def test_the_model_is_the_one_that_a_mapping_with_values_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_graph(network, ["x"], ["y"])
    without = convert(made)
    monkeypatch.setattr(onnx_mapping, "_kernels", lambda *_: {})
    values = convert(made)
    assert [node.op_type for node in without.graph.node] == [node.op_type for node in values.graph.node]
    pairs = zip(without.graph.initializer, values.graph.initializer, strict=True)
    assert all(a.raw_data == b.raw_data and list(a.dims) == list(b.dims) for a, b in pairs)


def test_an_operator_that_wants_to_see_its_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """As tf2onnx's own handlers do it: they raise."""
    run, asked = onnx_mapping._run_tf2onnx, []

    def picky(tf_graph: Any, cut: Any, values: Any) -> Any:
        asked.append(len(values))
        if len(asked) == 1:
            raise ValueError("the kernel is no constant")
        return run(tf_graph, cut, values)

    monkeypatch.setattr(onnx_mapping, "_run_tf2onnx", picky)
    assert convert(make_graph(network, ["x"], ["y"])).graph.node
    assert asked == [0, 4]


def test_a_model_that_cannot_be_mapped_is_refused_all_the_same(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [4, 2048], name="x")
        return [x], [tf.raw_ops.Betainc(a=tf.matmul(x, weights(1, 2048, 4)), b=x[:, :4], x=x[:, :4], name="y")]

    with pytest.raises(ConversionError, match="Betainc"):
        convert(make_graph(build, ["x"], ["y"]))
