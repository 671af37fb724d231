"""remove_attribute beside the original's."""

import pytest

from mobile_export.errors import ModelError, TargetError
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, ours, tally, theirs
from tests.graph_transform_tool.original import OriginalError
from tests.graph_transform_tool.small_graphs import conv_net, with_colocation

TEXT = """
a = Const float32[2]: 1 2
b = Const float32[2]: 3 4
m1 = Mul(a, b) foo=2
m2 = Mul(m1, b) foo=3
add = Add(m1, m2) foo=4
output add = add:0
"""


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        ("attribute_name=foo", set()),
        ('attribute_name=foo, op_name="*"', set()),
        ("attribute_name=foo, op_name=Mul", {"add"}),
        ("attribute_name=foo, op_name=Relu", {"m1", "m2", "add"}),
        ("attribute_name=bar", {"m1", "m2", "add"}),
    ],
)
def test_nodes_without_it(parameters: str, left: set[str]) -> None:
    found = agree(parse(TEXT), f"remove_attribute({parameters})", order=True)
    assert {name for name, node in found.nodes.items() if "foo" in node.attr} == left


def test_what_people_remove() -> None:
    found = agree(with_colocation(conv_net(), "y", "x"), "remove_attribute(attribute_name=_class)", order=True)
    assert "_class" not in found.nodes["y"].attr
    assert "shape" not in agree(conv_net(), "remove_attribute(attribute_name=shape)").nodes["x"].attr


def test_the_value_of_a_const_stays() -> None:
    agree(parse(TEXT), "remove_attribute(attribute_name=value, op_name=Mul)")
    everywhere = "remove_attribute(attribute_name=value)"
    with pytest.raises(ModelError, match="'a': its value is not of the type"):
        theirs(parse(TEXT), everywhere)
    with pytest.raises(TargetError, match="'a' is a Const and needs its value"):
        ours(parse(TEXT), everywhere)
    tally(everywhere, "better")


@pytest.mark.parametrize(
    "parameters",
    ["", "(op_name=Mul)", "(attribute_name=a, attribute_name=b)", "(attribute_name=a, op_name=b, op_name=c)"],
)
def test_errors(parameters: str) -> None:
    with pytest.raises(OriginalError, match="expects"):
        theirs(parse(TEXT), f"remove_attribute{parameters}")
    with pytest.raises(TargetError, match=r"^remove_attribute: .*(is missing; write|times; give it once)"):
        ours(parse(TEXT), f"remove_attribute{parameters}")
