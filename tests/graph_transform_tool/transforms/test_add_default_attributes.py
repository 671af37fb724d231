"""add_default_attributes beside the original's."""

import pytest

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.run import transform
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import FunctionDef
from mobile_export.transform_string import parse_calls
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, ours, theirs
from tests.graph_transform_tool.original import OriginalError
from tests.graph_transform_tool.small_graphs import branch, conv_net, loop

TEXT = """
x = Placeholder float32[2]
a = LRN(x)
b = LRN(x) depth_radius=3
m = MatMul(x, x) transpose_a=true
y = AddN(a, b, m) N=3
input x = x:0
output y = y:0
"""
CUSTOM = "x = Placeholder float32[2]\ny = Custom(x)\ninput x = x\noutput y = y"


def test_defaults_are_added_and_values_kept() -> None:
    found = agree(parse(TEXT), "add_default_attributes", order=True)
    assert (found.nodes["a"].attr["depth_radius"].i, found.nodes["b"].attr["depth_radius"].i) == (5, 3)
    assert found.nodes["m"].attr["transpose_a"].b
    assert "transpose_b" in found.nodes["m"].attr


def test_graphs_of_real_shape() -> None:
    for graph in (conv_net(), loop(), branch()):
        for node in graph.nodes.values():
            for key in set(node.attr) - {"T", "dtype", "value", "shape", "N", "frame_name"}:
                del node.attr[key]
        agree(graph, "add_default_attributes", order=True)


def with_function() -> Graph:
    graph = parse(CUSTOM)
    function = FunctionDef()
    function.signature.name = "Custom"
    function.signature.input_arg.add(name="x", type=1)
    function.signature.output_arg.add(name="z", type=1)
    function.node_def.add(name="r", op="LRN", input=["x"]).attr["T"].type = 1
    function.ret["z"] = "r:output:0"
    graph.library.function.append(function)
    return graph


def test_functions_are_known_and_stay_as_they_are() -> None:
    found = agree(with_function(), "add_default_attributes", order=True)
    assert "depth_radius" not in found.library.function[0].node_def[0].attr


def test_an_operator_that_is_not_known_is_an_error() -> None:
    with pytest.raises(OriginalError, match="Custom"):
        theirs(parse(CUSTOM), "add_default_attributes")
    with pytest.raises(ModelError, match="node 'y': TensorFlow has no operator 'Custom'"):
        ours(parse(CUSTOM), "add_default_attributes")
    agree(parse(CUSTOM), "add_default_attributes(ignore_errors=true)")
    done = transform(parse(CUSTOM), ["x"], ["y"], parse_calls("add_default_attributes(ignore_errors=true)"))
    assert "Custom" in done.notes[0]
