"""Graphs as phones get them, made with TensorFlow."""

from collections.abc import Callable

import numpy as np

from mobile_export.graphs.protos import GraphDef
from mobile_export.session import import_tensorflow
from tests.loops import control_flow


def conv_net() -> GraphDef:
    def build(tf) -> None:
        y = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 1], name="x")
        y = tf.nn.conv2d(y, np.ones((3, 3, 1, 4), np.float32), 1, "SAME", name="conv")
        y = tf.nn.relu(tf.nn.bias_add(y, np.zeros(4, np.float32)))
        parameters = [np.ones(4, np.float32)] * 4
        y = tf.compat.v1.nn.fused_batch_norm(y, *parameters, is_training=False, name="norm")[0]
        tf.nn.softmax(tf.reduce_mean(y, [1, 2]), name="y")

    return graph(build)


def half_precision() -> GraphDef:
    def build(tf) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [4], name="x")
        tf.sin(tf.cast(x, tf.float16) + tf.constant(1, tf.float16), name="y")

    return graph(build)


def tf1_loop() -> GraphDef:
    def build(tf) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [4], name="x")
        tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2.0), (0, x), name="loop")

    with control_flow(1):
        return graph(build)


def calls() -> GraphDef:
    """A While of TensorFlow 2, whose condition and body are functions."""

    def build(tf) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [4], name="x")
        tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.exp(y)), (0, x), name="loop")

    with control_flow(2):
        return graph(build)


def tables() -> GraphDef:
    def build(tf) -> None:
        words = tf.compat.v1.placeholder(tf.string, [None], name="x")
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), 0)
        tf.identity(table.lookup(words), name="y")

    return graph(build)


def quantized() -> GraphDef:
    def build(tf) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [4, 4], name="x")
        q, low, high = tf.quantization.quantize(x, -1.0, 1.0, tf.quint8)
        tf.quantization.dequantize(q, low, high, name="y")

    return graph(build)


def graph(build: Callable) -> GraphDef:
    tf = import_tensorflow()
    with tf.Graph().as_default() as made:
        build(tf)
    return made.as_graph_def()


GRAPHS = {build.__name__: build for build in (conv_net, half_precision, tf1_loop, calls, tables, quantized)}
