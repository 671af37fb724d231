"""Nodes that pass on what they read."""

import pytest

from mobile_export.classic.inference.remove_training_nodes import remove_training_nodes
from mobile_export.graphs.graph import Graph
from tests.classic.inference.harness import (
    FOLDED,
    NAME,
    NORM,
    TAIL,
    answers,
    assert_agrees,
    assert_better,
    conv,
    difference,
    network,
    norm,
    ops,
    ours,
    tf,
    tf1,
    theirs,
)
from tests.classic.inference.networks import built, frozen_by_tensorflow_2
from tests.graph_transform_tool.harness import tally

EXACT: dict[str, tuple[Graph, list[str]]] = {
    "behind pass-through nodes": (
        network(
            "read = Identity(w)",
            "v = Identity(variance)",
            "same = StopGradient(x)",
            conv("conv", "same, read"),
            f"norm = FusedBatchNorm(conv, gamma, beta, mean, v) {NORM}",
        ),
        FOLDED,
    ),
    "an Identity that others wait for": (
        network(
            "same = Identity(x)",
            conv("conv", "same, w"),
            norm("conv"),
            tail=TAIL.replace("Relu(norm)", "Relu(norm, ^same)"),
        ),
        ["Identity", "Conv2D", "BiasAdd", "Relu"],
    ),
    "a check that others wait for": (
        network("check = CheckNumerics(x) message=wrong", conv(), "norm = Identity(conv, ^check)"),
        ["Conv2D", "Relu"],
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_the_same_nodes_and_bits(case: str) -> None:
    graph, expected = EXACT[case]
    assert ops(assert_agrees(graph)) == expected


BETTER: dict[str, tuple[Graph, list[str]]] = {
    "a check": (network("check = CheckNumerics(x) message=wrong", conv("norm", "check, w")), ["Conv2D", "Relu"]),
    "checks in a chain": (
        network("one = CheckNumerics(x) message=a", "two = CheckNumerics(one) message=b", conv("norm", "two, w")),
        ["Conv2D", "Relu"],
    ),
    "edges written with their port": (
        network("read = Identity(w)", "same = Identity(x)", conv("conv", "same:0, read:0"), norm("conv")),
        FOLDED,
    ),
}


@pytest.mark.parametrize("case", BETTER)
def test_right_where_the_original_is_wrong(case: str) -> None:
    graph, expected = BETTER[case]
    assert ops(assert_better(graph)) == expected


def test_nodes_beside_which_others_stand() -> None:
    """An Identity beside which another node is to be placed stays; a place beside what is gone is forgotten."""
    graph = network("same = Identity(x)", "check = CheckNumerics(x) message=wrong", conv("norm", "same, w"))
    graph.nodes["norm"].attr["_class"].list.s.append(b"loc:@same")
    assert "Identity" in ops(assert_agrees(graph))
    graph.nodes["norm"].attr["_class"].list.s.append(b"loc:@check")
    graph.nodes["y"].attr["_class"].list.s.append(b"loc:@check")
    found = assert_better(graph)
    assert found.nodes["norm"].attr["_class"].list.s == [b"loc:@same"]
    assert "_class" not in found.nodes["y"].attr


def test_a_check_that_gates_a_constant_of_a_loop_stays() -> None:
    def body(i: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.control_dependencies([tf1.check_numerics(h, "wrong")]):
            return i + 1, h * tf.constant(0.5)

    graph = built(lambda x: tf1.while_loop(lambda i, _: i < 4, body, [0, x])[1], version=1)
    gated = [
        node for name, node in graph.nodes.items() if name in graph.constants and "^while/CheckNumerics" in node.input
    ]
    for node in gated:
        node.input[:] = ["^while/CheckNumerics"]
    assert gated
    assert "CheckNumerics" in ops(assert_better(graph))


def test_graphs_that_tensorflow_2_froze() -> None:
    """Their output waits for every weight to be read; the original then takes nothing away, and folds nothing."""
    tally(NAME, "better")
    graph = frozen_by_tensorflow_2()
    assert "FusedBatchNormV3" in [node.op for node in theirs(graph).node]
    found = ours(graph).graph
    assert ops(found) == ["Conv2D", "BiasAdd", "Identity"]
    assert difference(answers(found.to_graph_def(), graph), answers(graph.to_graph_def(), graph)) < 1e-5


@pytest.mark.parametrize("inputs", [[], ["missing"], ["^x"]])
def test_nodes_that_read_nothing_that_is_there(inputs: list[str]) -> None:
    """No file has them; a graph in memory may, on its way through several steps."""
    graph = network("norm = Identity(x)")
    graph.nodes["norm"].input[:] = inputs
    assert set(remove_training_nodes(graph).nodes) >= {"y"}
