"""rename_node beside the original's."""

import pytest

from mobile_export.errors import TargetError
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graph_transform_tool.transforms.rename_node import rename_node
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, theirs
from tests.graph_transform_tool.original import OriginalError
from tests.graph_transform_tool.small_graphs import colocation, with_colocation

TEXT = """
x = Placeholder float32[4]
i = Const int32[]: 0
super/deep/s = Split(i, x) num_split=2
n = NoOp(^super/deep/s)
y = Add(super/deep/s, super/deep/s:1, ^n)
input x = x:0
output y = y:0
"""


def test_a_name_changes_for_all_who_read_it() -> None:
    found = agree(parse(TEXT), "rename_node(old_node_name=super/deep/s, new_node_name=s)", order=True)
    assert list(found.nodes["y"].input) == ["s", "s:1", "^n"]
    assert list(found.nodes["n"].input) == ["^s"]


def test_a_constant_keeps_its_value() -> None:
    assert "index" in agree(parse(TEXT), "rename_node(old_node_name=i, new_node_name=index)").constants


def test_a_node_that_is_not_there() -> None:
    agree(parse(TEXT), "rename_node(old_node_name=nowhere, new_node_name=s)", order=True)


@pytest.mark.parametrize(("old", "new"), [("x", "input"), ("y", "output")])
def test_inputs_and_outputs_stay_under_the_new_name(old: str, new: str) -> None:
    text = f"rename_node(old_node_name={old}, new_node_name={new})"
    expected = theirs(parse(TEXT), text)
    found = rename_node(parse(TEXT), Parameters("rename_node", {"old_node_name": [old], "new_node_name": [new]}))
    assert list(found.nodes) == list(expected.nodes)
    assert not found.problems()
    assert {spec.tensor for spec in (*found.inputs, *found.outputs)} == {"x:0", "y:0"} - {f"{old}:0"} | {f"{new}:0"}


def test_colocation_follows() -> None:
    graph = with_colocation(parse(TEXT), "y", "super/deep/s")
    found, expected = ours_is_better(graph, "rename_node(old_node_name=super/deep/s, new_node_name=s)")
    with pytest.raises(Exception, match="colocate"):
        answers(expected, graph)
    answers(found, graph)
    assert colocation(found, "y") == [b"loc:@s"]


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ("", "old_node_name is missing"),
        ("(old_node_name=x)", "new_node_name is missing"),
        ("(old_node_name=x, new_node_name=y)", "there is a node 'y' already"),
        ("(old_node_name=x, new_node_name=x)", "there is a node 'x' already"),
    ],
)
def test_errors(parameters: str, error: str) -> None:
    with pytest.raises(OriginalError):
        theirs(parse(TEXT), f"rename_node{parameters}")
    with pytest.raises(TargetError, match=f"^rename_node: {error}"):
        ours(parse(TEXT), f"rename_node{parameters}")


@pytest.mark.parametrize("new", ["a:0", "^a", ""])
def test_a_name_that_no_node_can_have(new: str) -> None:
    with pytest.raises(TargetError, match="no node can be named"):
        ours(parse(TEXT), f'rename_node(old_node_name=i, new_node_name="{new}")')
