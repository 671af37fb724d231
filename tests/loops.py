"""Loops that collect what they compute, as TensorFlow 1 and 2 write them into graphs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.session import import_tensorflow
from mobile_export.transforms import DEFAULT, apply, named

Build = Callable[[Any], Any]
"""x: float32[1,6,3] → what loops make of it."""

SHAPE = (1, 6, 3)
X = {"x": np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)}

tf = import_tensorflow()
tf1 = tf.compat.v1


@contextmanager
def control_flow(version: int) -> Iterator[None]:
    """1: Enter, Exit and tensor arrays; 2: While and tensor lists."""
    enabled = tf1.control_flow_v2_enabled()
    (tf1.enable_control_flow_v2 if version == 2 else tf1.disable_control_flow_v2)()
    try:
        yield
    finally:
        (tf1.enable_control_flow_v2 if enabled else tf1.disable_control_flow_v2)()


def loop_graph(build: Build, version: int, shape: tuple[int, ...] = SHAPE, passes: tuple[str, ...] = DEFAULT) -> Graph:
    """The graph of `build` after `passes`."""
    with control_flow(version), tf.Graph().as_default() as made:
        x = tf1.placeholder(tf.float32, [None if d < 0 else d for d in shape], "x")
        y = tf.identity(build(x), "y")
    known = None if y.shape.rank is None else tuple(-1 if d is None else d for d in y.shape)
    specs = (TensorSpec("x", "x:0", "float32", shape),), (TensorSpec("y", "y:0", "float32", known),)
    graph = Graph.from_graph_def(made.as_graph_def(), *specs)
    for node in graph.nodes.values():
        node.attr.pop("_class", None)  # colocation, which sources drop
    return apply(graph, named(passes), X if passes == DEFAULT else None)[0]


def weights(*shape: int) -> np.ndarray:
    return (np.random.default_rng(sum(shape)).normal(size=shape) * 0.5).astype(np.float32)


def recurrent(x: Any, size: int = 5, stop: int | None = None) -> Any:
    """A plain recurrent layer, as `dynamic_rnn` makes them; behind step `stop` it copies its state."""
    x = tf.transpose(x, [1, 0, 2])
    steps, batch = tf.shape(x)[0], tf.shape(x)[1]
    w = weights(int(x.shape[-1]) + size, size)
    read, written = tf.TensorArray(tf.float32, steps).unstack(x), tf.TensorArray(tf.float32, steps)

    def body(t: Any, h: Any, written: Any) -> tuple[Any, Any, Any]:
        new = tf.tanh(tf.matmul(tf.concat([read.read(t), h], 1), w))
        if stop is not None:
            new = tf1.cond(t >= stop, lambda: h, lambda: new)
        return t + 1, new, written.write(t, new)

    loop = tf.while_loop(lambda t, *_: t < steps, body, (0, tf.zeros([batch, size]), written))
    answers = tf.transpose(loop[2].stack(), [1, 0, 2])
    answers.set_shape([None, None, size])
    return answers


def bidirectional(x: Any) -> Any:
    return tf.concat([recurrent(x), tf.reverse(recurrent(tf.reverse(x, [1])), [1])], 2)


def stacked(x: Any) -> Any:
    return recurrent(recurrent(x), 4)


def stopping(x: Any) -> Any:
    return recurrent(x, stop=4)


def mapped(x: Any) -> Any:
    return tf.map_fn(lambda row: tf.reduce_sum(tf.tanh(row), 0), x)


def mapped_twice(x: Any) -> Any:
    """A loop in a loop."""
    return tf.map_fn(lambda row: tf.map_fn(lambda column: tf.tanh(column) * 2.0, tf.transpose(row)), x)


def looking_back(x: Any) -> Any:
    """Each turn reads what the one before has written."""
    array = tf.TensorArray(tf.float32, 7, clear_after_read=False).write(0, x[:, 0])
    loop = tf.while_loop(
        lambda t, _: t < 6, lambda t, array: (t + 1, array.write(t + 1, tf.tanh(array.read(t)) + x[:, 0])), (0, array)
    )
    return loop[1].stack()


def growing(x: Any) -> Any:
    array = tf.TensorArray(tf.float32, 0, dynamic_size=True)
    return tf.while_loop(lambda t, _: t < 6, lambda t, a: (t + 1, a.write(t, x[:, t] * 2.0)), (0, array))[1].stack()


LAYERS: dict[str, Build] = {
    build.__name__: build for build in (recurrent, bidirectional, stacked, stopping, mapped, mapped_twice, looking_back)
}
