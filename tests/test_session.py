"""Running graphs in TensorFlow: what is fed, what is refused, and what an error says."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.session import FED_BYTES, Session, import_tensorflow
from tests.graph_text import parse

tf = import_tensorflow()
tf1 = tf.compat.v1
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def graph_of(build: Callable[[Any], Any], shape: Any = (None, 3), dtype: str = "float32") -> Graph:
    with tf.Graph().as_default() as made:
        y = tf.identity(build(tf1.placeholder(dtype, shape, "x")), "y")
    specs = ((TensorSpec("x", "x:0", dtype, None),), (TensorSpec("y", "y:0", y.dtype.name, None),))
    return Graph.from_graph_def(made.as_graph_def(), *specs)


@pytest.mark.parametrize("columns", [1, FED_BYTES // 12, FED_BYTES // 12 + 1, 5000])
def test_constants_of_any_size_answer_right(columns: int) -> None:
    weights = np.random.default_rng(0).normal(size=(3, columns)).astype(np.float32)
    graph = graph_of(lambda x: tf.matmul(x, weights) + tf.constant(weights[:1]))
    with Session(graph) as session:
        np.testing.assert_allclose(session({"x": X})["y"], X @ weights + weights[:1], rtol=1e-5, atol=1e-5)
        assert session.shape("y") == (-1, columns)


def test_a_large_constant_inside_a_loop_belongs_to_its_frame() -> None:
    tf1.disable_control_flow_v2()
    weights = np.eye(80, dtype=np.float32) / 2
    assert weights.nbytes > FED_BYTES
    graph = graph_of(
        lambda x: tf1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y @ weights), [0, x])[1], (2, 80)
    )
    ones = np.ones((2, 80), np.float32)
    with Session(graph) as session:
        np.testing.assert_allclose(session({"x": ones})["y"], ones / 8)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "uint8", "int64", "bool", "complex64"])
def test_large_constants_of_any_type(dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 2, [3, FED_BYTES]).astype(tf.as_dtype(dtype).as_numpy_dtype)
    graph = graph_of(lambda x: tf.gather(tf.constant(values), tf.cast(x[0], tf.int32)))
    with Session(graph) as session:
        answer = session({"x": X})["y"]
        assert answer.dtype == values.dtype == np.dtype(session.dtype("y") if dtype != "bfloat16" else values.dtype)
        np.testing.assert_array_equal(answer, values[[0, 1, 2]])


def test_large_constants_are_not_serialized(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(lambda x: tf.matmul(x, np.ones((3, FED_BYTES), np.float32)))
    taken: list[int] = []
    load = tf.import_graph_def
    monkeypatch.setattr(
        tf, "import_graph_def", lambda made, **rest: taken.append(made.ByteSize()) or load(made, **rest)
    )
    with Session(graph) as session:
        session({"x": X})
    assert taken[0] < FED_BYTES


def test_evaluate_feeds_what_it_is_told_and_may_be_called_again_and_again() -> None:
    graph = parse("x = Placeholder float32[?,2]\na = Relu(x)\nb = Neg(a)\ninput x = x:0\noutput y = b:0")
    with Session(graph) as session:
        for value in (1.0, -2.0):
            fed = np.full([1, 2], value, np.float32)
            assert session.evaluate(["b", "a:0"], {"x": fed})[0].tolist() == [[min(-value, 0)] * 2]
            assert session.evaluate(["b:0"], {"a": fed})[0].tolist() == [[-value] * 2]
        assert session.evaluate(["b"], {"b": fed})[0].tolist() == fed.tolist()


def test_two_sessions_do_not_know_each_other() -> None:
    first, second = (Session(graph_of(lambda x, f=factor: x * f)) for factor in (2.0, 3.0))
    with first, second:
        assert (first({"x": X})["y"] == 2 * X).all()
        assert (second({"x": X})["y"] == 3 * X).all()


@pytest.mark.parametrize(
    ("tensor", "shape", "dtype"),
    [
        ("x", (-1, 3), "float32"),
        ("split:2", (-1, 1), "float32"),
        ("top:1", (-1, 2), "int32"),
        ("unknown:0", None, "bool"),
        ("scalar", (), "string"),
    ],
)
def test_shape_and_dtype(tensor: str, shape: Any, dtype: str) -> None:
    def build(x: Any) -> Any:
        tf.split(x, 3, 1, name="split")
        tf.nn.top_k(x, 2, name="top")
        tf1.placeholder(tf.bool, None, "unknown")
        tf.constant("text", name="scalar")
        return x

    with Session(graph_of(build)) as session:
        assert (session.shape(tensor), session.dtype(tensor)) == (shape, dtype)


def test_edges_are_the_public_ones() -> None:
    with Session(graph_of(lambda x: tf.nn.relu(x))) as session:
        assert [(edge.name, edge.dtype) for edge in (*session.inputs, *session.outputs)] == [
            ("x", "float32"),
            ("y", "float32"),
        ]


# What is refused


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda x: tf1.py_func(lambda v: v, [x], tf.float32, name="python"), "PyFunc (node 'python')"),
        (lambda x: tf.io.read_file("/etc/hostname", name="file"), "ReadFile (node 'file')"),
        (lambda x: tf1.Variable(1.0, name="trained", use_resource=False) + x, "VariableV2 (node 'trained')"),
        (
            lambda x: tf.function(lambda v: tf.py_function(abs, [v], tf.float32))(x),
            "EagerPyFunc (node 'EagerPyFunc' of the",
        ),
    ],
)
def test_operators_that_are_not_listed_are_refused(build: Callable[[Any], Any], named: str) -> None:
    with pytest.raises(ModelError, match="operators that are never run here") as caught:
        Session(graph_of(build))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_refusals_are_counted() -> None:
    graph = graph_of(lambda x: tf.add_n([tf1.py_func(abs, [x], tf.float32) for _ in range(8)]))
    with pytest.raises(ModelError, match=r"PyFunc \(node 'PyFunc_4'\) and 3 more$"):
        Session(graph)


# What takes too much


@pytest.mark.parametrize("v2", [False, True])
def test_a_loop_that_never_ends_is_stopped(v2: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(x: Any) -> Any:
        return tf.while_loop(lambda v: tf.reduce_all(v < 1e9), lambda v: v * 1.0, [x])

    if not v2:
        tf1.disable_control_flow_v2()
    try:
        graph = graph_of(lambda x: tf.reshape(build(x), [-1]))
    finally:
        tf1.enable_control_flow_v2()
    monkeypatch.setattr("mobile_export.session.RUN_SECONDS", 1)
    with Session(graph) as session, pytest.raises(ModelError, match=r"no answer after 1 s .* loops ever end"):
        session({"x": X})


def test_a_tensor_larger_than_any_memory_is_refused() -> None:
    graph = graph_of(lambda x: x + tf.fill([1 << 20, 1 << 20, 1], 1.0, name="vast")[0, 0])
    with Session(graph) as session, pytest.raises(ModelError, match="node 'vast': OOM when allocating tensor"):
        session({"x": X})


# What an error says


def edited(graph: Graph, change: Callable[[Graph], Any]) -> Graph:
    change(graph)
    return graph


@pytest.mark.parametrize(
    ("graph", "feed", "said"),
    [
        (
            edited(graph_of(lambda x: tf.nn.relu(x, "bent")), lambda g: g.nodes["bent"].attr.clear()),
            X,
            "TensorFlow does not accept the graph: .*bent",
        ),
        (
            edited(graph_of(lambda x: tf.nn.relu(x, "bent")), lambda g: g.nodes["bent"].input.append("x")),
            X,
            "TensorFlow does not accept the graph: .*bent",
        ),
        (graph_of(lambda x: tf.matmul(x, tf.transpose(x[:, :2]), name="product"), None), X, "failed: .*product"),
        (graph_of(lambda x: tf.gather(tf.ones([2]), tf.cast(x, tf.int32), name="picked")), X, "failed: .*picked"),
        (graph_of(lambda x: tf1.check_numerics(tf.math.log(x), "strange", name="checked")), -X, "failed: .*checked"),
        (
            graph_of(lambda x: tf.function(lambda v: tf.reshape(v, [9], name="inner"))(x)),
            X,
            "failed: .*inner",
        ),
        (graph_of(lambda x: x), X.reshape(3, 2), "failed: .*x:0"),
        (graph_of(lambda x: x), np.array([["a", "b", "c"]]), "failed: "),
        (graph_of(lambda x: x + tf1.placeholder(tf.float32, [], "forgotten")), X, "failed: .*forgotten"),
    ],
)  # fmt: skip
def test_errors_are_one_line_that_names_the_node(graph: Graph, feed: np.ndarray, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught, Session(graph) as session:
        session({"x": feed})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_missing_output_is_a_model_error() -> None:
    graph = graph_of(lambda x: x)
    with Session(graph) as session, pytest.raises(ModelError, match="'y:1'"):
        session.evaluate(["y:1"], {"x": X})
