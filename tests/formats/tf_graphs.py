"""Small graphs built with TensorFlow, for tests of formats."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.runner import Samples
from mobile_export.session import import_tensorflow

Build = Callable[[Any], tuple[Sequence[Any], Sequence[Any]]]
"""TensorFlow's version 1 interface → inputs and outputs."""


def make_graph(build: Build, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
    """The graph that `build` makes, with public names."""
    tf = import_tensorflow().compat.v1
    with tf.Graph().as_default() as graph:
        read, written = build(tf)
    specs = [
        [TensorSpec(name, t.name, t.dtype.name, tuple(-1 if d is None else d for d in t.shape)) for name, t in edges]
        for edges in (zip(inputs, read, strict=True), zip(outputs, written, strict=True))
    ]
    return Graph.from_graph_def(graph.as_graph_def(), *specs)


def weights(seed: int, *shape: int) -> np.ndarray:
    """Random weights, scaled so that activations keep their size."""
    scale = (2 / np.prod(shape[:-1])) ** 0.5
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def samples_for(graph: Graph, count: int = 32) -> Samples:
    """Normal values for float inputs, 0 to 9 for integer ones; 5 stands for a dynamic size."""
    rng = np.random.default_rng(0)
    made = {}
    for spec in graph.inputs:
        shape = (count, *(5 if size < 0 else size for size in spec.shape[1:]))
        made[spec.name] = rng.normal(size=shape) if spec.dtype == "float32" else rng.integers(0, 10, size=shape)
        made[spec.name] = made[spec.name].astype(spec.dtype)
    return made


def mobile_net(tf: Any) -> tuple[list[Any], list[Any]]:
    """Convolutions, depthwise convolution, mean, two dense layers, softmax; 170,000 weights."""
    image = tf.placeholder(tf.float32, [None, 16, 16, 3], name="input")
    h = tf.nn.relu6(tf.nn.conv2d(image, weights(1, 3, 3, 3, 32), 2, "SAME") + weights(2, 32))
    h = tf.nn.relu6(tf.nn.conv2d(h, weights(3, 1, 1, 32, 256), 1, "SAME"))
    h = tf.nn.relu6(tf.nn.depthwise_conv2d(h, weights(4, 3, 3, 256, 1) * 16, [1, 1, 1, 1], "SAME") + weights(5, 256))
    h = tf.reduce_mean(h, [1, 2], name="pooled")
    h = tf.nn.relu(tf.matmul(h, weights(6, 256, 600)))
    return [image], [tf.nn.softmax(tf.matmul(h, weights(7, 600, 10)) * 2.0, name="output")]
