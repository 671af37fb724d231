"""All steps, on networks of real shape."""

from collections.abc import Callable

import pytest

from mobile_export.classic.inference.optimize import Request, optimize
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, node_name
from tests.classic.inference.harness import (
    NAME,
    assert_agrees,
    assert_better,
    conv,
    decomposed,
    described,
    network,
    norm,
    ops,
    ours,
    tf,
    theirs,
)
from tests.classic.inference.networks import (
    branching,
    built,
    looping,
    looping_over_batch_norms,
    looping_over_resizes,
    mobile_net,
    upscaling,
)
from tests.graph_transform_tool.harness import tally


@pytest.mark.parametrize(
    ("network", "version"), [(upscaling, 2), (branching, 1), (looping, 1)], ids=["upscaling", "branching", "looping"]
)
def test_networks_of_tensorflow(network: Callable[[tf.Tensor], tf.Tensor], version: int) -> None:
    assert_agrees(built(network, version))


@pytest.mark.parametrize(
    ("network", "version"),
    [(mobile_net, 2), (looping_over_batch_norms, 1), (branching, 2), (looping, 2)],
    ids=["CheckNumerics", "batch norms in a loop", "functions", "a function's loop"],
)
def test_networks_that_the_original_breaks(network: Callable[[tf.Tensor], tf.Tensor], version: int) -> None:
    found = assert_better(built(network, version))
    assert not {"CheckNumerics", "FusedBatchNormV3", "Rsqrt"} & set(ops(found))


def test_a_resize_in_a_loop_without_constants() -> None:
    assert "FusedResizeAndPadConv2D" in ops(assert_better(built(looping_over_resizes, 1)))


def test_a_network_without_checks_is_the_same() -> None:
    graph = built(mobile_net)
    graph.redirect({f"{name}:0": node.input[0] for name, node in graph.nodes.items() if node.op == "CheckNumerics"})
    assert_agrees(graph)


def test_versions_stay() -> None:
    graph = network(conv(), norm("conv"))
    assert theirs(graph).versions.producer == 0
    assert ours(graph).graph.versions.producer == 2000


def test_new_constants_come_before_their_readers() -> None:
    graph = built(upscaling)
    read: set[str] = set()
    for name, node in reversed(ours(graph).graph.nodes.items()):
        assert name not in {node_name(tensor) for tensor in node.input}
        assert name in read or name == "y"
        read |= {node_name(tensor) for tensor in node.input}
    assert next(iter(theirs(graph).node)).name == "x"


def test_batch_norms_that_stay_are_named() -> None:
    assert "batch norms that stay" in ours(network(conv(), "relu = Relu(conv)", norm("relu"))).notes[0]


def test_malformed_graphs_are_refused() -> None:
    graph = network(conv(), norm("conv"))
    graph.nodes["y"].input[0] = "nowhere"
    with pytest.raises(ModelError, match="malformed"):
        optimize(graph, Request({"x": None}, ["y"], {}))
    graph = network("one = Identity(x)", "two = Identity(one)", "norm = Add(two, x)")
    graph.nodes["one"].input[0] = "two"
    with pytest.raises(ModelError, match="cycle"):
        optimize(graph, Request({"x": None}, ["y"], {}))


@pytest.mark.parametrize(
    "graph", [network(conv(), norm("conv")), network(conv(), *decomposed("conv")), built(upscaling)]
)
def test_nothing_that_was_folded_is_left(graph: Graph) -> None:
    """The original drops it with the last step, which --toco_compatible leaves out."""
    tally(NAME, "better")
    expected = Graph.from_graph_def(theirs(graph, toco_compatible=True), outputs=graph.outputs)
    size = len(expected.nodes)
    expected.prune()
    assert len(expected.nodes) < size
    found = ours(graph, toco_compatible=True).graph
    assert {name: described(node) for name, node in found.nodes.items()} == {
        name: described(node) for name, node in expected.nodes.items()
    }
