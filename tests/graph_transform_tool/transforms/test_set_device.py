"""set_device beside the original's."""

import pytest

from mobile_export.errors import TargetError
from mobile_export.graphs.graph import Graph
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, ours, theirs
from tests.graph_transform_tool.original import OriginalError


def placed() -> Graph:
    graph = parse("x = Placeholder float32[2]\nr = Relu(x)\ny = Neg(r)\ninput x = x\noutput y = y")
    graph.nodes["r"].device = "/device:GPU:0"
    return graph


@pytest.mark.parametrize(
    ("parameters", "devices"),
    [
        ('(device="/device:CPU:0")', ["/device:CPU:0"] * 3),
        ("(device=/cpu)", ["/cpu"] * 3),
        ("", [""] * 3),
        ("(if_default=true)", ["", "/device:GPU:0", ""]),
        ("(device=/cpu, if_default=true)", ["/cpu", "/device:GPU:0", "/cpu"]),
        ("(device=/cpu, if_default=1)", ["/cpu", "/device:GPU:0", "/cpu"]),
        ("(device=/cpu, if_default=false)", ["/cpu"] * 3),
        ("(device=/cpu, if_default=0)", ["/cpu"] * 3),
    ],
)
def test_devices(parameters: str, devices: list[str]) -> None:
    found = agree(placed(), f"set_device{parameters}", order=True)
    assert [node.device for node in found.nodes.values()] == devices


@pytest.mark.parametrize("parameters", ["device=a, device=b", "device=a, if_default=perhaps"])
def test_errors(parameters: str) -> None:
    with pytest.raises(OriginalError):
        theirs(placed(), f"set_device({parameters})")
    with pytest.raises(TargetError, match=r"^set_device: "):
        ours(placed(), f"set_device({parameters})")
