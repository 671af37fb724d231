"""backport_concatv2 beside the original's."""

import numpy as np
import pytest

from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours_is_better

TEXT = """
x = Placeholder float32[2,3]
a = Const float32[2,1] ~1
axis = Const int32[]: 1
c = ConcatV2(x, a, axis) N=2 Tidx=int32
y = Relu(c)
input x = x:0
output y = y:0
"""


def test_the_axis_comes_first() -> None:
    found = agree(parse(TEXT), "backport_concatv2")
    assert list(found.nodes["c"].input) == ["axis", "x", "a"]
    np.testing.assert_array_equal(answers(found, parse(TEXT)), answers(parse(TEXT), parse(TEXT)))


def test_several_in_a_row() -> None:
    text = TEXT.replace("y = Relu(c)", "d = ConcatV2(c, x, axis) N=2 Tidx=int32\ny = Relu(d)")
    assert not any(node.op == "ConcatV2" for node in agree(parse(text), "backport_concatv2").nodes.values())


def test_an_axis_of_int64_is_cast() -> None:
    graph = parse(TEXT.replace("axis = Const int32", "axis = Const int64").replace("Tidx=int32", "Tidx=int64"))
    found, expected = ours_is_better(graph, "backport_concatv2")
    with pytest.raises(Exception, match="int64"):
        answers(expected, graph)
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))
    assert list(found.nodes["c"].input) == ["c/axis", "x", "a"]


def test_control_inputs_come_last() -> None:
    graph = parse(TEXT.replace("a, axis)", "a, axis, ^n)") + "n = NoOp(^x)")
    found, expected = ours_is_better(graph, "backport_concatv2")
    assert expected.nodes["c"].input[0] == "^n"
    assert list(found.nodes["c"].input) == ["axis", "x", "a", "^n"]
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))
