"""Graphs for the transforms that change weights."""

import numpy as np

from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.session import import_tensorflow
from tests.graph_text import parse
from tests.loops import control_flow

RNG = np.random.default_rng(0)

WEIGHTS = {
    "normal": RNG.normal(size=5000),
    "uniform": RNG.uniform(size=5000),
    "far from zero": RNG.uniform(3, 4, 5000),
    "negative": RNG.uniform(-4, -3, 5000),
    "of several blocks": RNG.normal(size=300_000),
    "ties": np.round(RNG.normal(size=5000) * 8) / 8,
    "symmetric ties": RNG.integers(-255, 256, 5000) / 2,
    "one positive": np.append(np.zeros(2000), 1),
    "one negative": np.append(np.zeros(2000), -1),
    "near one": 1 + RNG.uniform(size=3000) * 1e-6,
    "constant": np.full(2000, 0.3),
    "negative constant": np.full(2000, -0.3),
    "small": RNG.normal(size=5000) * 1e-30,
    "large": RNG.normal(size=5000) * 3e37,
}
"""Values on which the originals are right."""


def constant_graph(values: np.ndarray) -> Graph:
    """A Const and nothing else."""
    graph = Graph(outputs=(TensorSpec("w", "w:0", "float32", values.shape),))
    graph.set_constant("w", np.asarray(values, np.float32))
    return graph


def conv_graph() -> Graph:
    """Two convolutions and a dense layer, weights of every size, and constants that are none."""
    return parse("""
        x = Placeholder float32[1,8,8,3]
        w = Const float32[3,3,3,8] ~1
        b = Const float32[8] ~2
        conv = Conv2D(x, w) strides=[1,1,1,1] padding=SAME
        biased = BiasAdd(conv, b)
        relu = Relu(biased)
        d = Const float32[3,3,8,2] ~3
        depthwise = DepthwiseConv2dNative(relu, d) strides=[1,2,2,1] padding=SAME
        shape = Const int32[2]: 1 256
        flat = Reshape(depthwise, shape)
        m = Const float32[256,10] ~4
        y = MatMul(flat, m)
        input x = x:0
        output y = y:0 float32[1,10]
    """)


def loop_graph() -> Graph:
    """A loop of TensorFlow 1 whose body holds a matrix, which has a control input there."""
    tf = import_tensorflow()
    tf1 = tf.compat.v1
    matrix = np.random.default_rng(1).normal(size=(50, 50)).astype(np.float32) / 8
    with control_flow(1), tf.Graph().as_default() as made:
        x = tf1.placeholder(tf.float32, [2, 50], "x")
        _, last = tf1.while_loop(
            lambda i, _: i < 5, lambda i, h: (i + 1, tf.matmul(h, tf.constant(matrix, name="matrix"))), [0, x]
        )
        tf.identity(last, "y")
    specs = (TensorSpec("x", "x:0", "float32", (2, 50)),), (TensorSpec("y", "y:0", "float32", (2, 50)),)
    graph = Graph.from_graph_def(made.as_graph_def(), *specs)
    assert graph.nodes["while/matrix"].input
    return graph


def placed_graph() -> Graph:
    """A Const that has a device and is colocated with another node, and that another node is colocated with."""
    graph = constant_graph(WEIGHTS["normal"])
    graph.set_constant("other", np.zeros(3, np.float32))
    graph.nodes["w"].device = "/device:CPU:0"
    graph.nodes["w"].attr["_class"].list.s.append(b"loc:@other")
    graph.nodes["other"].attr["_class"].list.s.append(b"loc:@w")
    return graph
