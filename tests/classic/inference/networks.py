"""Networks that TensorFlow's Python writes into graphs."""

from collections.abc import Callable

import numpy as np
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.session import import_tensorflow
from tests.loops import control_flow

tf = import_tensorflow()
tf1 = tf.compat.v1


def built(
    network: Callable[[tf.Tensor], tf.Tensor], version: int = 2, shape: tuple[int, ...] = (1, 16, 16, 3)
) -> Graph:
    """The graph of a program in TensorFlow, whose loops and branches are those of `version`, from `x` to `y`."""
    with control_flow(version), tf.Graph().as_default() as graph:
        tf.identity(network(tf1.placeholder(tf.float32, shape, "x")), "y")
    specs = (TensorSpec("x", "x:0", "float32", shape),), (TensorSpec("y", "y:0", "float32", None),)
    return Graph.from_graph_def(graph.as_graph_def(), *specs)


RNG = np.random.default_rng(7)


def weights(*shape: int, low: float | None = None) -> tf.Tensor:
    """A constant as freezing leaves it, behind the node that read the variable."""
    values = RNG.normal(size=shape) / 3 if low is None else RNG.uniform(low, low + 1, shape)
    return tf.identity(tf.constant(values.astype(np.float32)))


def normalized(x: tf.Tensor, fused: bool = True) -> tf.Tensor:
    channels = x.shape[-1]
    gamma, beta, mean = weights(channels, low=0.5), weights(channels), weights(channels)
    variance = weights(channels, low=0.5)
    if fused:
        return tf1.nn.fused_batch_norm(x, gamma, beta, mean, variance, epsilon=1e-3, is_training=False)[0]
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)


def mobile_net(x: tf.Tensor) -> tf.Tensor:
    """Separable convolutions with batch norms, a residual sum, and a classifier."""
    x = tf.nn.relu6(normalized(tf.nn.conv2d(x, weights(3, 3, 3, 8), 2, "SAME")))
    for _ in range(3):
        deep = tf.nn.relu6(normalized(tf.nn.depthwise_conv2d(x, weights(3, 3, 8, 1), [1, 1, 1, 1], "SAME")))
        x = tf1.check_numerics(x, "wrong") + normalized(tf.nn.conv2d(deep, weights(1, 1, 8, 8), 1, "SAME"))
    return tf.nn.softmax(tf.reduce_mean(x, [1, 2]) @ weights(8, 10))


def upscaling(x: tf.Tensor) -> tf.Tensor:
    """Style transfer: convolutions over mirrored borders and larger images."""
    for _ in range(2):
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, weights(3, 3, 3, 3), 1, "VALID"), weights(3)))
    x = tf1.image.resize_bilinear(x, [32, 32])
    return tf.nn.tanh(normalized(tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, "SAME")))


def branching(x: tf.Tensor) -> tf.Tensor:
    hidden = tf.nn.relu(normalized(tf.nn.conv2d(x, weights(3, 3, 3, 3), 1, "SAME")))
    return tf1.cond(tf.reduce_sum(hidden) > 0, lambda: tf.identity(hidden) * 2, lambda: hidden + weights(3))


def looping(x: tf.Tensor) -> tf.Tensor:
    """The loop's body holds a batch norm, and a constant of its own."""
    kernel = weights(3, 3, 3, 3)

    def body(i: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return i + 1, tf.nn.tanh(tf.nn.conv2d(h, kernel, 1, "SAME")) + tf.constant(RNG.normal(size=3), tf.float32)

    return tf1.while_loop(lambda i, _: i < 4, body, [0, x])[1]


def looping_over_resizes(x: tf.Tensor) -> tf.Tensor:
    """The loop's body has no constants of its own."""
    size, kernel = tf.constant([16, 16]), weights(3, 3, 3, 3)

    def body(i: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.add(i, i), tf.nn.tanh(tf.nn.conv2d(tf1.image.resize_bilinear(h, size), kernel, 1, "SAME"))

    return tf1.while_loop(lambda i, _: i < 16, body, [1, x])[1]


def looping_over_batch_norms(x: tf.Tensor) -> tf.Tensor:
    def body(i: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        large = tf1.image.resize_bilinear(h, [16, 16])
        kernel, other = tf.constant(RNG.normal(size=(3, 3, 3, 3)), tf.float32), weights(3, 3, 3, 3)
        h = tf.nn.tanh(normalized(tf.nn.conv2d(large, kernel, 1, "SAME")))
        return i + 1, tf.nn.tanh(normalized(tf.nn.conv2d(h, other, 1, "SAME"), fused=False))

    return tf1.while_loop(lambda i, _: i < 4, body, [0, x])[1]


def frozen_by_tensorflow_2() -> Graph:
    """A convolution and a batch norm, frozen from variables: the output waits until each has been read."""
    kernel, mean = tf.Variable(RNG.normal(size=(3, 3, 3, 8)), dtype=tf.float32), tf.Variable(tf.ones(8) / 3)
    variance = tf.Variable(tf.ones(8) * 2)

    @tf.function(input_signature=[tf.TensorSpec((1, 16, 16, 3), tf.float32)])
    def network(x: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf1.nn.fused_batch_norm(hidden, mean, mean, mean, variance, is_training=False)[0]

    frozen = convert_variables_to_constants_v2(network.get_concrete_function())
    x, y = frozen.inputs[0].name, frozen.outputs[0].name
    specs = (TensorSpec("x", x, "float32", (1, 16, 16, 3)),), (TensorSpec("y", y, "float32", None),)
    return Graph.from_graph_def(frozen.graph.as_graph_def(), *specs)
