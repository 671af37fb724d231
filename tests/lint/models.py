"""Small files that delegates take, and some that they do not, made by the real converters."""

from pathlib import Path
from typing import Any

import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from mobile_export.formats.format import Request
from mobile_export.formats.tflite import TFLite
from mobile_export.lint.delegate import Coverage
from tests.formats.tf_graphs import Build, make_graph, mobile_net, samples_for, weights

LEFT = dict[str, tuple[str, str]]
"""What a delegate leaves: by node, its operator and why."""


def tflite(folder: Path, build: Build, inputs: str = "a", precision: str = "float32", **options: Any) -> Path:
    """The .tflite file of what `build` makes: its inputs are called by the letters `inputs`, its output `out`."""
    graph = make_graph(build, inputs, ["out"])
    path = folder / f"{precision}.tflite"
    TFLite().write(graph, [Request("file", path, precision, **options)], samples_for(graph, 8))
    return path


def convolutions(tf: Any) -> tuple[list[Any], list[Any]]:
    """What every delegate takes."""
    image, out = mobile_net(tf)
    return image, out


def computed_weights(tf: Any) -> tuple[list[Any], list[Any]]:
    x, w = tf.placeholder(tf.float32, [1, 8, 8, 3]), tf.placeholder(tf.float32, [3, 3, 3, 8])
    return [x, w], [tf.nn.conv2d(x, w, 1, "SAME")]


def computed_shape(tf: Any) -> tuple[list[Any], list[Any]]:
    x, shape = tf.placeholder(tf.float32, [4, 6]), tf.placeholder(tf.int32, [2])
    return [x, shape], [tf.reshape(tf.nn.relu(x), shape) * 2.0]


def integers(tf: Any) -> tuple[list[Any], list[Any]]:
    x = tf.placeholder(tf.int32, [1, 4])
    return [x], [x * 3 + x]


def loop(tf: Any) -> tuple[list[Any], list[Any]]:
    x = tf.placeholder(tf.float32, [1, 4])
    return [x], [tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.sin(y) * 2.0), (0, x))[1]]


def determinant(tf: Any) -> tuple[list[Any], list[Any]]:
    """TensorFlow Lite has no such operator; it needs the Flex delegate."""
    x = tf.placeholder(tf.float32, [4, 3, 3])
    return [x], [tf.nn.relu(tf.linalg.det(x))]


def five_dimensions(tf: Any) -> tuple[list[Any], list[Any]]:
    x = tf.placeholder(tf.float32, [1, 2, 3, 4, 5])
    return [x], [tf.transpose(x + 1.0, [0, 2, 1, 4, 3])]


def left(coverage: Coverage) -> LEFT:
    return {finding.node: (finding.operator, finding.why) for finding in coverage.findings}


def onnx_file(
    folder: Path, nodes: list[NodeProto], shape: list[int | str], rank: int | None = None, name: str = "model"
) -> Path:
    """The .onnx file of `nodes`, which read `x` and the constant `w`, float32[8, 3, 3, 3], and write `y`."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * (rank or len(shape)))],
        [numpy_helper.from_array(weights(1, 8, 3, 3, 3), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


def nodes(*kinds: str) -> list[NodeProto]:
    """A chain from `x` to `y`; convolutions have the weights `w`."""
    names = ["x", *(f"{kind.lower()}_out" for kind in kinds[:-1]), "y"]
    return [
        helper.make_node(kind, [read, "w"] if kind == "Conv" else [read], [written], name=kind.lower())
        for kind, read, written in zip(kinds, names[:-1], names[1:], strict=True)
    ]


IMAGE: list[int | str] = [1, 3, 8, 8]
ANY_BATCH: list[int | str] = ["batch", 3, 8, 8]
