"""backport_tensor_array_v3 beside the original's."""

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import VersionDef
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, answers, ours_is_better
from tests.loops import loop_graph, recurrent

TEXT = """
size = Const int32[]: 1
array = TensorArrayV3(size) dtype=float32 element_shape=[1,2] dynamic_size=false clear_after_read=true
handle = Identity(array)
flow = Identity(array:1)
grad = TensorArrayGradV3(array, array:1) source=foo
grad_handle = Identity(grad)
grad_flow = Identity(grad:1)
done = NoOp(^array, ^grad)
output handle = handle:0
output grad = grad_handle:0
"""
OLD = 20
"""A producer from before the second version was withdrawn; later, TensorFlow does not load it."""


def test_handles_and_flows() -> None:
    found = agree(parse(TEXT), "backport_tensor_array_v3")
    assert list(found.nodes["flow"].input) == ["array/replacement_flow_node"]
    assert list(found.nodes["grad"].input) == ["array", "array/replacement_flow_node"]


@pytest.mark.parametrize("use", ["Write", "Read", "Gather", "Scatter", "Concat", "Split", "Size", "Close"])
def test_uses(use: str) -> None:
    text = f"h = Placeholder float32[]\nu = TensorArray{use}V3(h)\ninput h = h:0\noutput u = u:0"
    assert agree(parse(text), "backport_tensor_array_v3").nodes["u"].op == f"TensorArray{use}V2"


def test_other_graphs_stay() -> None:
    agree(
        parse("x = Placeholder float32[2]\ny = Relu(x)\ninput x = x\noutput y = y"),
        "backport_tensor_array_v3",
        order=True,
    )


def test_a_loop_that_writes_and_reads() -> None:
    graph = loop_graph(recurrent, 1, passes=())
    found, expected = ours_is_better(graph, "backport_tensor_array_v3")
    assert not any(node.op.startswith("TensorArray") and node.op.endswith("V3") for node in found.nodes.values())
    with pytest.raises(Exception, match=r"identical_element_shapes|string"):
        answers(dated(expected), graph)
    np.testing.assert_array_equal(answers(found, graph), answers(graph, graph))


def dated(graph: Graph) -> Graph:
    graph.versions = VersionDef(producer=OLD)
    return graph
