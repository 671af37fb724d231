"""Three operators become one as in the original; where that would answer otherwise, they stay."""

import pytest

from mobile_export.errors import ModelError
from tests.graph_text import parse
from tests.graph_transform_tool import small_graphs
from tests.graph_transform_tool.fusible import resized_and_padded, right, stays
from tests.graph_transform_tool.harness import agree, answers, ours_is_better

CALL = "fuse_resize_pad_and_conv"


@pytest.mark.parametrize("corners", ["false", "true"])
@pytest.mark.parametrize("mode", ["REFLECT", "SYMMETRIC"])
@pytest.mark.parametrize(("padding", "step"), [("VALID", 1), ("SAME", 1), ("VALID", 2), ("SAME", 2)])
def test_one_operator(corners: str, mode: str, padding: str, step: int) -> None:
    graph = parse(resized_and_padded(corners, mode, padding, step))
    found = agree(graph, CALL)
    assert found.nodes.keys() == {"x", "size", "p", "w", "y"}
    assert found.nodes["y"].op == "FusedResizeAndPadConv2D"
    assert right(found, graph)


@pytest.mark.parametrize("reader", ["q = Relu(r)\noutput q = q:0", "q = Relu(m)\noutput q = q:0"])
def test_what_is_read_elsewhere_stays(reader: str) -> None:
    graph = parse(resized_and_padded() + reader)
    assert stays(agree(graph, CALL), graph)


def test_operands_may_be_read_elsewhere() -> None:
    text = resized_and_padded() + "q = Relu(w)\noutput q = q:0\nz = Relu(x)\noutput z = z:0\n"
    assert right(agree(parse(text), CALL), parse(text))


def test_others_stay() -> None:
    graph = small_graphs.conv_net()
    assert stays(agree(graph, CALL), graph)


@pytest.mark.parametrize("name", ["r", "m"])
def test_better_an_output_in_the_middle(name: str) -> None:
    graph = parse(resized_and_padded() + f"output {name} = {name}:0")
    found, expected = ours_is_better(graph, CALL)
    assert name not in expected.nodes
    assert stays(found, graph)


def test_better_half_pixel_centers() -> None:
    graph = parse(resized_and_padded().replace("align_corners=false", "align_corners=false half_pixel_centers=true"))
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert stays(found, graph)


def test_better_dilations() -> None:
    graph = parse(resized_and_padded().replace("strides", "dilations=[1,2,2,1] strides"))
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert stays(found, graph)


def test_better_an_image_of_another_type() -> None:
    text = (
        resized_and_padded()
        .replace("align_corners=false", "align_corners=false T=uint8")
        .replace("(x, size)", "(u, size)")
    )
    graph = parse(text + "u = Cast(x) SrcT=float32 DstT=uint8\n")
    found, expected = ours_is_better(graph, CALL)
    with pytest.raises(ModelError):
        answers(expected, graph)
    assert stays(found, graph)


def test_better_control_edges_stay() -> None:
    graph = parse(resized_and_padded().replace("(r, p)", "(r, p, ^e)") + "e = NoOp(^x)\n")
    found, expected = ours_is_better(graph, CALL)
    assert list(expected.nodes["y"].input) == ["x", "size", "p", "w"]
    assert list(found.nodes["y"].input) == ["x", "size", "p", "w", "^e"]
    assert right(found, graph)
