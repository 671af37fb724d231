"""What is rewritten so that ONNX Runtime finds its integer kernels, and what is left alone."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mobile_export.formats.onnx_float import convert
from mobile_export.formats.onnx_rewrites import ease_quantization
from mobile_export.session import import_tensorflow
from tests.formats.test_onnx import NHWC, Build, assert_agrees, graph_of, weights, write

tf = import_tensorflow()


def conv(x: Any) -> Any:
    return tf.nn.conv2d(x, weights(3, 3, 4, 6), 1, "SAME", name="conv")


def prelu(x: Any) -> Any:
    return tf.nn.relu(x) + weights(6) * (x - tf.abs(x)) * 0.5


EASED: dict[str, tuple[Build, list[str]]] = {
    "bias behind a transpose": (
        lambda x: [tf.nn.relu(conv(x) + weights(6))],
        ["Transpose", "Conv", "Relu", "Transpose"],
    ),
    "mean over an image": (
        lambda x: [tf.reduce_mean(tf.nn.relu6(conv(x)), [1, 2])],
        ["Transpose", "Conv", "Clip", "GlobalAveragePool", "Squeeze"],
    ),
    "mean that keeps its dimensions": (
        lambda x: [tf.reduce_mean(tf.nn.relu6(conv(x)), [1, 2], keepdims=True)],
        ["Transpose", "Conv", "Clip", "GlobalAveragePool", "Transpose"],
    ),
    "prelu": (
        lambda x: [prelu(conv(x))],
        ["Transpose", "Conv", "Transpose", "Relu", "Mul", "Relu", "Mul", "Add"],
    ),
    "factors": (
        lambda x: [tf.nn.relu(conv(x) * weights(6) * 0.5)],
        ["Transpose", "Conv", "Transpose", "Mul", "Relu"],
    ),
}


@pytest.mark.parametrize("build, operators", EASED.values(), ids=EASED)
def test_eased(build: Build, operators: list[str], tmp_path: Path) -> None:
    graph = graph_of(build, NHWC)
    path = write(graph, tmp_path)
    assert [node.op_type for node in onnx.load(path).graph.node] == operators
    assert_agrees(graph, path)


LEFT: dict[str, tuple[Build, str]] = {
    "mean over rows only": (lambda x: [tf.reduce_mean(tf.nn.relu(conv(x)), [1])], "ReduceMean"),
    "mean over channels": (lambda x: [tf.reduce_mean(tf.nn.relu(conv(x)), [3])], "ReduceMean"),
    "mean over all but the batch": (lambda x: [tf.reduce_mean(tf.nn.relu(conv(x)), [1, 2, 3])], "ReduceMean"),
    "a sum with an image": (lambda x: [tf.nn.relu(conv(x) + weights(9, 8, 6))], "Add"),
    "magnitude of something else": (lambda x: [conv(x) - tf.abs(conv(x) * 3.0)], "Abs"),
    "integers": (lambda x: [tf.cast(tf.cast(x, tf.int32) - tf.abs(tf.cast(x, tf.int32)), tf.float32)], "Abs"),
    "two readers": (lambda x: [tf.nn.relu(conv(x) + weights(6)), tf.abs(conv(x))], "Relu"),
}


@pytest.mark.parametrize("build, operator", LEFT.values(), ids=LEFT)
def test_left_alone(build: Build, operator: str, tmp_path: Path) -> None:
    graph = graph_of(build, NHWC)
    path = write(graph, tmp_path)
    assert operator in {node.op_type for node in onnx.load(path).graph.node}
    assert_agrees(graph, path)


def test_a_second_time_changes_nothing() -> None:
    model = convert(graph_of(EASED["mean over an image"][0], NHWC))
    before = model.SerializeToString(deterministic=True)
    ease_quantization(model.graph)
    assert model.SerializeToString(deterministic=True) == before


def test_weights_of_bodies_become_the_graphs() -> None:
    def loop(x: Any) -> list[Any]:
        tf.compat.v1.enable_control_flow_v2()
        return [tf.scan(lambda h, row: tf.tanh(h + tf.matmul(row, weights(4, 4))), x, initializer=tf.zeros([2, 4]))]

    model = convert(graph_of(loop, (3, 2, 4)))
    inner = [a.g for node in model.graph.node for a in node.attribute if a.HasField("g")]
    assert inner
    assert not any(body.initializer for body in inner)
    assert any(list(tensor.dims) == [4, 4] for tensor in model.graph.initializer)


def test_many_places_take_few_rounds() -> None:
    """In a time that grows as the model does."""
    nodes = [helper.make_node("Mul", [f"t{k}", f"c{k}"], [f"t{k + 1}"], name=f"t{k + 1}") for k in range(3000)]
    constants = [numpy_helper.from_array(np.float32(1 + k % 7 / 100), f"c{k}") for k in range(3000)]
    edges = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [4])] for name in ("t0", "t3000")]
    graph = helper.make_graph(nodes, "main", *edges, constants)
    started = time.process_time()
    ease_quantization(graph)
    assert time.process_time() - started < 5
    assert len([node for node in graph.node if node.op_type]) == 1


def test_factors_that_together_are_larger_are_left() -> None:
    nodes = [helper.make_node("Mul", ["x", "a"], ["h"], name="h"), helper.make_node("Mul", ["h", "b"], ["y"], name="y")]
    shapes = {"a": [100_000, 1], "b": [1, 100_000]}
    constants = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in shapes.items()]
    edges = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, None)] for name in ("x", "y")]
    graph = helper.make_graph(nodes, "main", *edges, constants)
    ease_quantization(graph)
    assert [node.op_type for node in graph.node] == ["Mul", "Mul"]
