"""rename_op beside the original's."""

import numpy as np
import pytest

from mobile_export.errors import TargetError
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, ours, theirs
from tests.graph_transform_tool.original import OriginalError

TEXT = """
a = Const float32[20] ~1
b = Const float32[2]: 1 2
m1 = Mul(b, b)
m2 = Mul(m1, b)
add = Add(m1, m2)
output add = add:0
"""


def test_operators() -> None:
    found = agree(parse(TEXT), "rename_op(old_op_name=Mul, new_op_name=Multiply)", order=True)
    assert [node.op for node in found.nodes.values()] == ["Const", "Const", "Multiply", "Multiply", "Add"]
    agree(parse(TEXT), "rename_op(old_op_name=Relu, new_op_name=Elu)", order=True)


def test_constants_take_their_values_with_them() -> None:
    away = "rename_op(old_op_name=Const, new_op_name=HostConst)"
    back = "rename_op(old_op_name=HostConst, new_op_name=Const)"
    assert not agree(parse(TEXT), away).constants
    np.testing.assert_array_equal(agree(parse(TEXT), f"{away} {back}").constants["a"], parse(TEXT).constants["a"])


@pytest.mark.parametrize("parameters", ["", "(old_op_name=a)", "(new_op_name=a)", "(old_op_name=a, old_op_name=b)"])
def test_errors(parameters: str) -> None:
    with pytest.raises(OriginalError, match="expects exactly one"):
        theirs(parse(TEXT), f"rename_op{parameters}")
    with pytest.raises(TargetError, match=r"^rename_op: .*(is missing; write|times; give it once)"):
        ours(parse(TEXT), f"rename_op{parameters}")
