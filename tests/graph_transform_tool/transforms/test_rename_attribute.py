"""rename_attribute beside the original's."""

import pytest

from mobile_export.errors import TargetError
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, ours, theirs
from tests.graph_transform_tool.original import OriginalError

TEXT = """
a = Const float32[2]: 1 2
m1 = Mul(a, a) foo=2
m2 = Mul(m1, a) foo=3 bar=7
add = Add(m1, m2) foo=4
output add = add:0
"""


@pytest.mark.parametrize(
    ("parameters", "bars"),
    [
        ("old_attribute_name=foo, new_attribute_name=bar", [2, 7, 4]),
        ('old_attribute_name=foo, new_attribute_name=bar, op_name="*"', [2, 7, 4]),
        ("old_attribute_name=foo, new_attribute_name=bar, op_name=Mul", [2, 7, 0]),
        ("old_attribute_name=baz, new_attribute_name=bar", [0, 7, 0]),
        ("old_attribute_name=bar, new_attribute_name=bar", [0, 7, 0]),
    ],
)
def test_names(parameters: str, bars: list[int]) -> None:
    found = agree(parse(TEXT), f"rename_attribute({parameters})", order=True)
    assert [found.nodes[name].attr["bar"].i for name in ("m1", "m2", "add")] == bars


def test_the_value_of_a_const_stays() -> None:
    agree(parse(TEXT), "rename_attribute(old_attribute_name=foo, new_attribute_name=value, op_name=Mul)")
    with pytest.raises(TargetError, match="'a' is a Const and needs its value"):
        ours(parse(TEXT), "rename_attribute(old_attribute_name=value, new_attribute_name=foo)")


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "(old_attribute_name=a)",
        "(new_attribute_name=a)",
        "(old_attribute_name=a, old_attribute_name=b, new_attribute_name=c)",
    ],
)
def test_errors(parameters: str) -> None:
    with pytest.raises(OriginalError, match="expects exactly one"):
        theirs(parse(TEXT), f"rename_attribute{parameters}")
    with pytest.raises(TargetError, match=r"^rename_attribute: .*(is missing; write|times; give it once)"):
        ours(parse(TEXT), f"rename_attribute{parameters}")
