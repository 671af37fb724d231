"""Placeholders that say whether the network is being trained."""

import numpy as np
import pytest

from mobile_export.classic.inference.optimize import Request, optimize
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import NodeDef
from tests.classic.inference.harness import (
    BOOL,
    FLOAT,
    assert_agrees,
    conv,
    network,
    norm,
    original,
)


def _switch(graph: Graph, name: str, op: str) -> None:
    """A boolean placeholder that chooses between x and its double."""
    phase = NodeDef(name=name, op=op)
    phase.attr["dtype"].type = BOOL
    phase.attr["shape"].shape.SetInParent()
    if op == "PlaceholderWithDefault":
        graph.set_constant("default", np.array(True))
        phase.input.append("default")
    chosen = NodeDef(name="chosen", op="Select", input=[name, "w", "doubled"])
    doubled = NodeDef(name="doubled", op="Add", input=["w", "w"])
    chosen.attr["T"].type = doubled.attr["T"].type = FLOAT
    graph.nodes |= {node.name: node for node in (phase, doubled, chosen)}
    graph.nodes["conv"].input[1] = "chosen"


@pytest.mark.parametrize("name", ["keras_learning_phase", "bn/keras_learning_phase/input"])
@pytest.mark.parametrize("op", ["Placeholder", "PlaceholderWithDefault"])
def test_the_learning_phase_is_inference(name: str, op: str) -> None:
    graph = network(conv(), norm("conv").replace("norm =", "bn ="), "c = Const float32[]: 3", "norm = Mul(bn, c)")
    _switch(graph, name, op)
    assert not assert_agrees(graph, runs=False).constants[name]


def test_other_placeholders_become_constants_by_their_names() -> None:
    graph = network(conv(), norm("conv"))
    _switch(graph, "phase_train", "PlaceholderWithDefault")
    request = Request({"x": None}, ["y"], {"phase": True, "dropout": False})
    found = optimize(graph, request)
    expected = original.optimize_for_inference(graph.to_graph_def(), ["x"], ["y"], FLOAT, False, ["phase=True"])
    assert sorted(found.graph.nodes) == sorted(node.name for node in expected.node)
    assert found.graph.constants["phase_train"]
    assert list(found.notes[:1]) == [
        "no boolean placeholder has 'dropout' in its name; nothing was made a constant for it"
    ]
    assert (
        optimize(graph, Request({"x": None, "phase_train": None}, ["y"], {})).graph.nodes["phase_train"].op
        == "Placeholder"
    )
