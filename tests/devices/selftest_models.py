"""The models of the emulators' self-test, made anew: python -m tests.devices.selftest_models FOLDER.

One network in every precision whose kernels differ. Its sizes leave remainders in the tiles of every width in which
kernels compute, and its integers do not saturate, so that no wrong bit is hidden.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.compose import add_prefix, merge_models

from mobile_export.devices.selftest import MODELS, Known
from mobile_export.formats import FORMATS
from mobile_export.formats.format import Request
from mobile_export.graphs.graph import Graph
from tests.formats.tf_graphs import make_graph, weights

OUTPUTS: Mapping[str, Sequence[str]] = {
    "float32": ("logits", "shares"),
    "dynamic": ("logits", "shares"),
    "int8": ("features", "logits"),
    "int16x8": ("features",),
}
"""What is answered where it is no probability, which the C library has a part in; of int16, not even the dense layers,
which LiteRT rounds in another way on ARM."""
INTERFACES = {"int8": "int8", "int16x8": "int16"}
"""Of .tflite files; others take and answer float32."""


def network(tf: Any) -> tuple[list[Any], list[Any]]:
    """A convolution, an inverted residual with a depthwise one, and two dense layers; 4,000 weights."""
    image = tf.placeholder(tf.float32, [3, 18, 18, 3], name="input")
    h = tf.nn.relu6(tf.nn.conv2d(image, weights(1, 3, 3, 3, 16), 2, "SAME") + weights(2, 16))
    wide = tf.nn.relu(tf.nn.conv2d(h, weights(3, 1, 1, 16, 40), 1, "SAME") + weights(4, 40))
    wide = tf.nn.relu6(tf.nn.depthwise_conv2d(wide, weights(5, 3, 3, 40, 1) * 6, [1, 1, 1, 1], "SAME") + weights(6, 40))
    h += tf.nn.conv2d(wide, weights(7, 1, 1, 40, 16), 1, "SAME")
    dense = tf.nn.relu(tf.matmul(tf.reduce_mean(h, [1, 2]) * 2.0, weights(8, 16, 64)))
    logits = tf.matmul(dense, weights(9, 64, 19))
    return [image], [tf.identity(h, "features"), tf.identity(logits, "logits"), tf.nn.softmax(logits, name="shares")]


def write(path: Path, precision: str, wanted: Sequence[str]) -> None:
    """One file with some of the network's outputs, which are called after its precision."""
    kind = path.suffix.removeprefix(".")

    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        inputs, outputs = network(tf)
        return inputs, [tensor for tensor in outputs if tensor.op.name in wanted]

    graph: Graph = make_graph(build, [f"{precision}_image"], [f"{precision}_{output}" for output in wanted])
    images = np.random.default_rng(0).normal(size=(64, 18, 18, 3)).astype(np.float32)
    interface = INTERFACES.get(precision, "float32") if kind == "tflite" else "float32"
    FORMATS[kind].write(graph, [Request(path.name, path, precision, interface)], {graph.inputs[0].name: images})


def write_onnx(path: Path, *precisions: str) -> None:
    """All of them in one file."""
    models: list[onnx.ModelProto] = []
    for precision in precisions:
        write(path, precision, OUTPUTS[precision])
        models.append(add_prefix(onnx.load(path), f"{precision}_", rename_inputs=False, rename_outputs=False))
    path.write_bytes(reduce(lambda a, b: merge_models(a, b, io_map=[]), models).SerializeToString(deterministic=True))


def make(folder: Path) -> None:
    """Write every model and, beside it, what this computer's runtime answers."""
    image = np.random.default_rng(1).integers(-100, 101, size=(3, 18, 18, 3)) / 50
    for name in MODELS:
        path = folder / name
        if path.suffix == ".onnx":
            write_onnx(path, "float32", "dynamic", "int8")
        else:
            write(path, path.stem, OUTPUTS[path.stem])
        runner = FORMATS[path.suffix.removeprefix(".")].open(path, threads=1)
        feeds = {edge.name: edge.quantize(image) for edge in runner.inputs}
        Known(feeds, runner(feeds)).record(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
