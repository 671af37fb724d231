"""Inputs, and what is before them."""

from dataclasses import replace

import pytest

from mobile_export.classic.inference.optimize import Request, optimize
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec
from tests.classic.inference.harness import (
    FLOAT,
    UINT8,
    assert_agrees,
    assert_better,
    conv,
    described,
    network,
    norm,
    original,
    theirs,
)
from tests.graph_text import parse


def test_an_input_in_the_middle_becomes_a_placeholder() -> None:
    graph = network("image = Mul(x, x)", "image_1 = Identity(image)", conv("conv", "image_1, w"), norm("conv"))
    graph.nodes["image"].attr["_output_shapes"].list.shape.add().dim.add(size=8)
    graph = replace(graph, inputs=(TensorSpec("image", "image:0", "float32", (1, 8, 8, 3)),))
    found = assert_agrees(graph, runs=False)
    assert "x" not in found.nodes
    assert set(found.nodes["image"].attr) == {"dtype", "_output_shapes"}


def test_placeholders_keep_their_own_type() -> None:
    """What reads them takes no other; the original makes them float32 where nothing is said."""
    graph = parse("""
        x = Placeholder uint8[1,4]
        c = Cast(x) SrcT=uint8 DstT=float32
        y = Relu(c)
        input x = x:0 uint8[1,4]
        output y = y:0
    """)
    found = assert_better(graph)
    assert found.nodes["x"].attr["dtype"].type == UINT8
    assert described(found.nodes["x"]) == described(Graph.from_graph_def(theirs(graph, types=UINT8)).nodes["x"])
    optimized = optimize(graph, Request({"x": FLOAT}, ["y"], {}))
    assert optimized.notes == ["the input 'x' stays uint8, which its readers take, not float32"]
    assert optimize(graph, Request({"c": None}, ["y"], {})).graph.nodes["c"].attr["dtype"].type == FLOAT


def test_an_input_that_nothing_needs_is_gone() -> None:
    graph = network(conv(), norm("conv"), "other = Placeholder float32[2]")
    request = Request({"x": None, "other": None}, ["y"], {})
    expected = original.optimize_for_inference(graph.to_graph_def(), ["x", "other"], ["y"], FLOAT)
    found = optimize(graph, request)
    assert sorted(found.graph.nodes) == sorted(node.name for node in expected.node)
    assert found.notes == ["the input 'other' is gone: no output needs it"]


def missing(graph: Graph, inputs: list[str], outputs: list[str]) -> str:
    with pytest.raises(ModelError) as error:
        optimize(graph, Request(dict.fromkeys(inputs), outputs, {}))
    return str(error.value)


def test_missing_nodes_are_named() -> None:
    graph = network(conv(), norm("conv"))
    with pytest.raises(KeyError):
        original.optimize_for_inference(graph.to_graph_def(), ["X"], ["y"], FLOAT)
    assert missing(graph, ["X"], ["y"]).startswith("the graph has no input 'X'")
    assert missing(graph, ["x"], ["Y"]).startswith("the graph has no output 'Y'")
    split = network("axis = Const int32[]: 3", "parts = Split(axis, x) num_split=3", "norm = Add(parts, parts:2)")
    assert "reads its output 'parts:2'" in missing(split, ["parts"], ["y"])
