"""remove_device beside the original's."""

from tests.graph_transform_tool.harness import agree
from tests.graph_transform_tool.small_graphs import conv_net, with_colocation


def test_no_device_is_left() -> None:
    graph = with_colocation(conv_net(), "y", "x")
    for index, node in enumerate(graph.nodes.values()):
        node.device = ("", "/device:CPU:0", "/job:worker/task:3")[index % 3]
    found = agree(graph, "remove_device", order=True)
    assert not any(node.device for node in found.nodes.values())
    assert graph.nodes.keys() == found.nodes.keys()
