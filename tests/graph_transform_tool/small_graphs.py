"""Small graphs of real shape, for what every transform must hold on."""

from dataclasses import replace
from typing import Any

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import AttrValue
from tests.loops import loop_graph, tf, tf1, weights


def conv_net() -> Graph:
    """Two convolutions with batch norm, read through Identities and checked, and a dense layer."""

    def build(x: Any) -> Any:
        for size in (4, 8):
            kernel = tf.identity(tf.constant(weights(3, 3, int(x.shape[-1]), size)), "read")
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
            x = tf1.nn.fused_batch_norm(x, *(tf.constant(abs(weights(size))) for _ in range(4)), is_training=False)[0]
            x = tf.debugging.check_numerics(tf.nn.relu(x), "not finite")
        with tf1.control_dependencies([tf.debugging.assert_less(tf.reduce_sum(x), 1e9)]):
            x = tf.identity(x)
        return tf.matmul(tf.reduce_mean(x, [1, 2]), tf.constant(weights(8, 3)))

    return loop_graph(build, 1, (1, 6, 5, 3), ())


def branch() -> Graph:
    """A cond whose branches give out constants, which only its pivots make run or not."""
    return loop_graph(
        lambda x: tf1.cond(tf.reduce_sum(x) > 0, lambda: tf.constant([1.0, 2.0]), lambda: tf.constant([3.0, 4.0])),
        1,
        passes=(),
    )


def loop() -> Graph:
    """A while loop with constants in its body."""

    def body(turn: Any, x: Any) -> tuple[Any, Any]:
        return turn + 1, tf.tanh(x * tf.constant(1.5)) + tf.constant(0.25)

    return loop_graph(lambda x: tf.while_loop(lambda turn, _: turn < 4, body, (0, x))[1], 1, passes=())


def with_colocation(graph: Graph, node: str, other: str) -> Graph:
    """`graph` with `node` placed beside `other`."""
    graph = graph.copy()
    graph.nodes[node].attr["_class"].list.s.append(f"loc:@{other}".encode())
    return graph


def colocation(graph: Graph, node: str) -> list[bytes]:
    return list(graph.nodes[node].attr.get("_class", AttrValue()).list.s)


def as_inputs(graph: Graph, *tensors: str) -> Graph:
    """`graph` with other inputs."""
    return replace(graph, inputs=tuple(replace(graph.outputs[0], name=tensor, tensor=tensor) for tensor in tensors))
