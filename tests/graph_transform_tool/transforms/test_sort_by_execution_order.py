"""The tool's execution order, node by node."""

import pytest

from mobile_export.errors import ModelError
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, ours

TREE = """
d = Add(b, c)
x = Placeholder float32[2]
c = Mul(x, w)
w = Const float32[2]: 1 2
b = Relu(x)
e = NoOp(^d)
f = Identity(d, ^e)
input x = x:0
output f = f:0
"""


def test_the_same_order() -> None:
    assert list(agree(parse(TREE), "sort_by_execution_order", order=True).nodes)[-1] == "f"


def test_a_cycle_is_an_error() -> None:
    graph = parse(TREE)
    graph.nodes["b"].input[0] = "f"
    with pytest.raises(ModelError, match="cycle"):
        ours(graph, "sort_by_execution_order")
