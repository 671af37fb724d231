"""obfuscate_names beside the original's."""

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import NodeDef
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, same_answers
from tests.graph_transform_tool.small_graphs import branch, colocation, conv_net, loop, with_colocation

TREE = """
add1 = Add(add2, add3)
add2 = Add(c1, c2)
add3 = Add(c3, c4)
c1 = Const float32[]: 1
c2 = Const float32[]: 2
c3 = Const float32[]: 3
c4 = Const float32[]: 4
output add1 = add1
"""


def test_a_tree() -> None:
    found = agree(parse(TREE), "obfuscate_names", order=True)
    assert list(found.nodes) == ["add1", "0", "1", "2", "3", "4", "5"]


def test_many_nodes() -> None:
    graph = Graph(outputs=parse(TREE).outputs)
    for i in range(4000):
        graph.nodes[f"node {i}"] = NodeDef(name=f"node {i}", op="NoOp")
    graph.nodes["add1"] = NodeDef(name="add1", op="NoOp", input=["^node 0", "^node 3999"])
    names = list(agree(graph, "obfuscate_names", order=True).nodes)
    assert (names[9:12], names[35:38], names[61:64]) == (["9", "a", "b"], ["z", "A", "B"], ["Z", "10", "11"])
    assert len(set(names)) == 4001


def test_names_that_are_taken_are_passed_over() -> None:
    text = """
    x = Placeholder float32[2]
    1 = Placeholder float32[2]
    a = Relu(x)
    b = Add(a, 1)
    0 = Neg(b)
    input x = x:0
    input one = 1:0
    output zero = 0:0
    """
    found = agree(parse(text), "obfuscate_names", order=True)
    assert list(found.nodes) == ["x", "1", "2", "3", "0"]


def test_graphs_of_real_shape() -> None:
    for graph in (conv_net(), loop(), branch()):
        agree(graph, "obfuscate_names", order=True)
        same_answers(graph, "obfuscate_names")


def test_an_output_named_with_its_port_keeps_its_name() -> None:
    """The original compares the strings."""
    text = """
    x = Placeholder float32[4]
    i = Const int32[]: 0
    s = Split(i, x) num_split=2
    input x = x:0
    output s = s:1
    """
    found, expected = ours_is_better(parse(text), "obfuscate_names")
    assert "s" not in expected.nodes
    assert list(found.nodes) == ["x", "0", "s"]


def test_colocation_follows() -> None:
    graph = with_colocation(parse(TREE), "add1", "c4")
    found, expected = ours_is_better(graph, "obfuscate_names")
    with pytest.raises(Exception, match="colocate"):
        answers(expected, graph)
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))
    assert colocation(found, "add1") == [b"loc:@5"]


def test_constants_and_ports() -> None:
    found = ours(
        parse(
            "c = Const float32[2]: 1 2\ni = Const int32[]: 0\ns = Split(i, c) num_split=2\ny = Neg(s:1)\noutput y = y"
        ),
        "obfuscate_names",
    )
    assert list(found.nodes["y"].input) == ["2:1"]
    assert found.constants.keys() == {"0", "1"}
