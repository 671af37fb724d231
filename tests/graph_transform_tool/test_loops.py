"""Loops of recurrent networks through all clean-ups, where the original breaks them."""

import numpy as np
import pytest

from tests.graph_transform_tool.harness import answers, ours, ours_is_better
from tests.loops import LAYERS, loop_graph

CLEAN_UPS = [
    "strip_unused_nodes",
    "remove_nodes(op=Identity, op=CheckNumerics)",
    "merge_duplicate_nodes",
    "remove_control_dependencies",
    "obfuscate_names",
    "insert_logging",
]


@pytest.mark.parametrize("build", LAYERS.values(), ids=LAYERS)
def test_answers_stay(build) -> None:
    graph = loop_graph(build, 1, passes=())
    np.testing.assert_array_equal(answers(ours(graph, " ".join(CLEAN_UPS)), graph), answers(graph, graph))


@pytest.mark.parametrize("clean_up", ["remove_control_dependencies", "insert_logging"])
def test_the_original_breaks_them(clean_up: str) -> None:
    graph = loop_graph(LAYERS["stopping"], 1, passes=())
    found, expected = ours_is_better(graph, clean_up)
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))
    with pytest.raises(Exception, match=r"loop|which only a Merge can"):
        answers(expected, graph)
