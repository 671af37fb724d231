"""remove_control_dependencies beside the original's."""

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph, control_inputs
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours_is_better
from tests.graph_transform_tool.small_graphs import branch, loop


def test_no_node_waits_for_another() -> None:
    text = """
    x = Placeholder float32[2]
    n = NoOp(^x)
    a = Relu(x, ^n)
    y = Add(x, a, ^n, ^x)
    done = NoOp(^y)
    input x = x:0
    output y = y:0
    """
    found = agree(parse(text), "remove_control_dependencies", order=True)
    assert list(found.nodes["y"].input) == ["x", "a"]
    assert not found.nodes["done"].input


@pytest.mark.parametrize("graph", [loop(), branch()], ids=["loop", "branch"])
def test_what_runs_in_a_loop_or_branch_still_does(graph: Graph) -> None:
    found, expected = ours_is_better(graph, "remove_control_dependencies")
    assert not any(control_inputs(node) for node in expected.nodes.values())
    seeds = range(6)
    truth = [answers(graph, graph, seed) for seed in seeds]
    np.testing.assert_array_equal([answers(found, graph, seed) for seed in seeds], truth)
    with pytest.raises(Exception, match=r"reads from inside of a loop and from outside|differ"):
        np.testing.assert_array_equal([answers(expected, graph, seed) for seed in seeds], truth, "differ")


def test_what_waits_outside_of_a_loop_no_longer_does() -> None:
    graph = loop()
    graph.nodes["y"].input.append("^x")
    found, _ = ours_is_better(graph, "remove_control_dependencies")
    assert not control_inputs(found.nodes["y"])
    assert any(control_inputs(node) for node in found.nodes.values())
