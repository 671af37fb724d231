"""Variables become constants, wherever they are read; and what a graph and a checkpoint that are no pair look like."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.network.freeze import freeze
from mobile_export.session import Session
from mobile_export.sources.restore import Place
from tests.sources.training import ROWS, tf, tf1, variable

Read = Callable[[Any, Any], Any]
"""(x, the variable `w`) → the output."""


@pytest.fixture(params=["v1-ref", "v1", "v2"])
def resource(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Branches and loops as nodes over both kinds of variables, and as functions, which take one kind only."""
    if request.param != "v2":
        tf1.disable_control_flow_v2()
    yield request.param != "v1-ref"
    tf1.enable_control_flow_v2()


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def build(read: Read, resource: bool) -> tuple[Graph, np.ndarray, np.ndarray]:
    """A graph that reads `w`, the value of `w`, and TensorFlow's answer."""
    with tf.Graph().as_default() as made, tf1.Session(graph=made) as session:
        x = tf1.placeholder(tf.float32, [ROWS, 4], "x")
        w = variable("w", 4, 4, resource=resource)
        y = tf.identity(read(x, w), "y")
        session.run(tf1.global_variables_initializer())
        value, answer = session.run([w, y], {x: numbers(ROWS, 4)})
    graph = Graph.from_graph_def(made.as_graph_def())
    graph.inputs = (spec("x"),)
    graph.outputs = (spec("y"),)
    graph.prune()
    return graph, value, answer


def spec(name: str) -> TensorSpec:
    return TensorSpec(name, f"{name}:0", "float32", None)


def indices(x: Any) -> Any:
    return tf.cast(tf.abs(x) * 1.3, tf.int32)


def branch(x: Any, w: Any) -> Any:
    """Taken by the data: both sides stay, and both read `w`, one of them in a branch of its own."""
    inner = lambda: tf1.cond(tf.reduce_max(x) > 0, lambda: tf.matmul(x, w), lambda: x)  # noqa: E731
    return tf1.cond(tf.reduce_sum(x) < 1e3, inner, lambda: tf.gather(w, tf.zeros([ROWS], tf.int32)))


def loop(x: Any, w: Any) -> Any:
    """A recurrent network: each turn reads `w`."""
    return tf1.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, tf.tanh(tf.matmul(h, w) + x)), (0, x))[1]


def branch_in_a_loop(x: Any, w: Any) -> Any:
    def turn(i: Any, h: Any) -> Any:
        return i + 1, tf1.cond(i > 0, lambda: tf.matmul(h, w), lambda: tf.reduce_sum(w) + h)

    return tf1.while_loop(lambda i, h: i < 3, turn, (0, x))[1]


READS: dict[str, Read] = {
    "matmul": tf.matmul,
    "gather": lambda x, w: tf.gather(w, indices(x)),
    "gather along another axis": lambda x, w: tf.gather(w, indices(x)[0], axis=1),
    "gather_nd": lambda x, w: tf.gather_nd(w, indices(x)[:, :2]),
    "shape": lambda x, w: x * tf.cast(tf.shape(w)[1], tf.float32),
    "slice": lambda x, w: x + w[1],
    "branch": branch,
    "loop": loop,
    "branch in a loop": branch_in_a_loop,
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_read(read: Read, resource: bool) -> None:
    graph, value, answer = build(read, resource)
    frozen = freeze(graph, {"w": value}.__getitem__)
    assert not [n for n in every_node(frozen) if "Variable" in n.op or "Resource" in n.op or n.op.startswith("Ref")]
    with Session(frozen) as session:
        np.testing.assert_allclose(session({"x": numbers(ROWS, 4)})["y"], answer, rtol=1e-6, atol=1e-6)


def every_node(graph: Graph) -> list[Any]:
    return [*graph.nodes.values(), *(node for function in graph.library.function for node in function.node_def)]


def test_a_function_that_two_callers_give_different_things_is_frozen_for_each() -> None:
    @tf.function
    def product(x: Any, table: Any) -> Any:
        return tf.matmul(x, tf.raw_ops.ReadVariableOp(resource=table, dtype=tf.float32))

    def read(x: Any, w: Any) -> Any:
        return tf1.while_loop(
            lambda i, h: i < 2, lambda i, h: (i + 1, product(h, w.handle)), (0, product(x, w.handle))
        )[1]

    graph, value, answer = build(read, True)
    with Session(freeze(graph, {"w": value}.__getitem__)) as session:
        np.testing.assert_allclose(session({"x": numbers(ROWS, 4)})["y"], answer, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "update",
    [
        lambda x, w: x[:4] + tf1.assign(w, x[:4]),
        lambda x, w: x[:4] + tf1.scatter_add(w, [0], x[:1]),
        lambda x, w: tf1.cond(tf.reduce_sum(x) < 1e3, lambda: x[:4] + tf1.assign_add(w, x[:4]), lambda: x[:4]),
    ],
    ids=["assign", "scatter", "branch"],
)
def test_a_network_that_writes_is_refused(update: Read, resource: bool) -> None:
    graph, value, _ = build(update, resource)
    with pytest.raises(ModelError, match=r"node '.*' \(.*(Assign|Scatter).*\) changes a variable"):
        freeze(graph, {"w": value}.__getitem__)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (numbers(4, 3), r"variable 'w' has shape \[4, 4\] in the graph and \[4, 3\] in the checkpoint"),
        (numbers(16), r"variable 'w' has shape \[4, 4\] in the graph and \[16\] in the checkpoint"),
        (numbers(4, 4).astype(np.float64), "variable 'w' is float32 in the graph and float64 in the checkpoint"),
    ],
)
def test_a_value_of_another_graph_is_refused(value: np.ndarray, said: str, resource: bool) -> None:
    graph, _, _ = build(tf.matmul, resource)
    with pytest.raises(ModelError, match=said):
        freeze(graph, {"w": value}.__getitem__)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("", np.s_[:, :]),
        ("4 3 0,2:0,3", np.s_[:2, :3]),
        ("4 3 2,2:-", np.s_[2:, :]),
        ("4 3 -:1,1", np.s_[:, 1:2]),
    ],
)
def test_place(part: str, expected: Any) -> None:
    whole = numbers(4, 3)
    np.testing.assert_array_equal(Place("w", part).of(whole), whole[expected])


@pytest.mark.parametrize("part", ["4 0,2", "4 3 0,2", "4 3 a:-", "4 3 0,2:-:-", "nonsense"])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(ModelError, match=r"'w' is \[4, 3\] in the checkpoint, and the graph reads '"):
        Place("w", part).of(numbers(4, 3))
