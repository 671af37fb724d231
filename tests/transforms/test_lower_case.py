"""A choice among many branches, as TensorFlow writes it, becomes nested choices between two."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.formats import FORMATS, Request
from mobile_export.graphs.graph import Graph, TensorSpec, called_functions
from mobile_export.runner import run_samples
from mobile_export.session import Session, import_tensorflow
from mobile_export.transforms import apply, named
from mobile_export.transforms.lower_case import lower_case

tf = import_tensorflow()
tf1 = tf.compat.v1
SAMPLES = {
    "x": np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32),
    "i": np.array([0, 1, 2, 3, -1, 2**31 - 1, -(2**31)], np.int32)[:, None],
}
Build = Callable[[Any, Any], Any]


def graph_of(build: Build) -> Graph:
    """From x: float32[1,4] and i: int32[1], whose only element is handed to `build`, to y."""
    with tf.Graph().as_default() as made:
        x, i = tf1.placeholder(tf.float32, [1, 4], "x"), tf1.placeholder(tf.int32, [1], "i")
        tf.ensure_shape(tf.identity(build(x, i[0]), "y"), [1, 4])
    inputs = TensorSpec("x", "x:0", "float32", (1, 4)), TensorSpec("i", "i:0", "int32", (1,))
    return Graph.from_graph_def(made.as_graph_def(), inputs, [TensorSpec("y", "y:0", "float32", (1, 4))])


def operators(graph: Graph) -> set[str]:
    inner = [node.op for function in graph.used_functions() for node in function.node_def]
    return {*(node.op for node in graph.nodes.values()), *inner}


def captured(x: Any, i: Any) -> Any:
    """Branches that read tensors from around them, each its own."""
    a, b = tf.exp(x), x[:, ::-1]
    return tf.switch_case(i, [lambda: a * 2.0, lambda: b - a, lambda: b])


def in_a_loop(x: Any, i: Any) -> Any:
    def turn(k: Any, h: Any) -> tuple[Any, Any]:
        return k + 1, tf.switch_case(i + k - 1, [lambda: h + x, lambda: h * 2.0, lambda: tf.tanh(h)])

    return tf.while_loop(lambda k, _: k < 3, turn, [0, x])[1]


def in_a_branch_of_another(x: Any, i: Any) -> Any:
    inner = lambda: tf.switch_case(i - 1, [lambda: x + 1.0, lambda: x + 2.0])  # noqa: E731
    return tf.switch_case(i, [lambda: x, inner, lambda: -inner()])


def several_results(x: Any, i: Any) -> Any:
    a, n = tf.switch_case(i, [lambda: (x, 1), lambda: (-x, 2), lambda: (x * x, 3)])
    return a + tf.cast(n, tf.float32)


def one_branch(x: Any, i: Any) -> Any:
    return tf.switch_case(i, [lambda: tf.exp(x)])


def an_argument_named_index(x: Any, i: Any) -> Any:
    index = tf.identity(i, "index")
    scaled = tf.function(lambda index: tf.switch_case(index, [lambda: x, lambda: x * tf.cast(index, tf.float32)]))
    return scaled(index)


BUILDS = [captured, in_a_loop, in_a_branch_of_another, several_results, one_branch, an_argument_named_index]


@pytest.mark.parametrize("stateless", [True, False])
@pytest.mark.parametrize("build", BUILDS)
def test_every_index_takes_its_branch(build: Build, stateless: bool) -> None:
    graph = graph_of(build)
    for node in graph.nodes.values():
        if node.op in ("Case", "StatelessCase"):
            node.op = "StatelessCase" if stateless else "Case"
    assert {"Case", "StatelessCase"} & operators(graph)
    lowered, log = apply(graph, named(["lower_case", "inline_functions"]), SAMPLES)
    assert [step.difference for step in log] == [0.0, 0.0]
    assert not {"Case", "StatelessCase", "PartitionedCall", "StatefulPartitionedCall"} & operators(lowered)
    assert {function.signature.name for function in lowered.library.function} == {
        name for node in lowered.nodes.values() for name in called_functions(node) if name and name != node.op
    } | {
        name
        for function in lowered.library.function
        for node in function.node_def
        for name in called_functions(node)
        if name and name != node.op
    }


def test_a_known_index_leaves_one_branch() -> None:
    graph = graph_of(lambda x, i: captured(x, tf.constant(5)) + tf.cast(i, tf.float32))
    lowered, _ = apply(graph, named(["lower_case", "inline_functions"]), SAMPLES)
    assert not {"If", "StatelessIf", "Case", "StatelessCase"} & operators(lowered)
    assert not lowered.library.function


def test_the_graph_that_was_given_is_not_changed() -> None:
    graph = graph_of(in_a_loop)
    before = graph.to_graph_def().SerializeToString(deterministic=True)
    lower_case(graph)
    assert graph.to_graph_def().SerializeToString(deterministic=True) == before


def test_without_a_choice_nothing_changes() -> None:
    graph = graph_of(lambda x, i: tf.cond(i > 0, lambda: x, lambda: -x))
    assert lower_case(graph).same_as(graph)


def test_far_too_many_branches_stay() -> None:
    graph = graph_of(lambda x, i: tf.switch_case(i, [lambda: x] * 129))
    assert lower_case(graph).nodes == graph.nodes


def test_branches_that_are_not_there_are_left_to_whoever_loads_the_graph() -> None:
    graph = graph_of(captured)
    (case,) = [node for node in graph.nodes.values() if node.op in ("Case", "StatelessCase")]
    case.attr["branches"].list.func[1].name = "gone"
    assert lower_case(graph).nodes == graph.nodes


@pytest.mark.parametrize("name", ["tflite", "onnx"])
@pytest.mark.parametrize("build", [captured, in_a_loop])
def test_formats_hold_it(build: Build, name: str, tmp_path: Path) -> None:
    graph, _ = apply(graph_of(build), named(["lower_case", "inline_functions", "resolve_switches", "sort"]), SAMPLES)
    FORMATS[name].write(graph, [Request("chosen", tmp_path / "file")], None)
    with Session(graph) as session:
        expected = run_samples(session, SAMPLES)
    answers = run_samples(FORMATS[name].open(tmp_path / "file"), SAMPLES)
    np.testing.assert_allclose(answers["y"], expected["y"], rtol=1e-5, atol=1e-6)
