"""A mirrored border and a convolution become one operator as in the original; where that is not the same, they stay."""

import numpy as np
import pytest

from mobile_export.errors import ModelError
from tests.graph_text import parse
from tests.graph_transform_tool.fusible import padded, right, stays
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better

CALL = "fuse_pad_and_conv"


@pytest.mark.parametrize("mode", ["REFLECT", "SYMMETRIC"])
@pytest.mark.parametrize(("padding", "step"), [("VALID", 1), ("SAME", 1), ("VALID", 2), ("SAME", 2)])
def test_one_operator(mode: str, padding: str, step: int) -> None:
    graph = parse(padded(mode, padding, step))
    found = agree(graph, CALL)
    assert found.nodes.keys() == {"x", "p", "w", "y"}
    assert found.nodes["y"].op == "FusedPadConv2D"
    assert right(found, graph)


def test_a_plain_border_stays() -> None:
    graph = parse(padded().replace("MirrorPad", "Pad").replace(" mode=REFLECT", ""))
    assert stays(agree(graph, CALL), graph)


def test_a_border_that_is_read_elsewhere_stays() -> None:
    graph = parse(padded() + "q = Relu(m)\noutput q = q:0")
    assert stays(agree(graph, CALL), graph)


def test_one_of_two_branches_in_one_run() -> None:
    text = padded().replace("output y = y:0", "output y = z:0")
    second = "q = MirrorPad(x, p) mode=SYMMETRIC\nv = Const float32[1,2,2,3] ~2\n"
    graph = parse(text + second + "d = Conv2D(q, v) padding=VALID strides=[1,1,1,1]\nz = Add(y, d)\n")
    assert [node.op for node in agree(graph, CALL).nodes.values()].count("FusedPadConv2D") == 1
    assert right(agree(graph, f"{CALL} {CALL}"), graph)


def test_a_resized_image() -> None:
    graph = parse(padded().replace("(x, p)", "(r, p)") + "size = Const int32[2]: 9 8\nr = ResizeBilinear(x, size)\n")
    assert right(agree(graph, CALL), graph)


def test_an_unknown_number_of_images() -> None:
    agree(parse(padded().replace("[1,6,5,2]", "[?,?,?,?]")), CALL)


def test_better_several_images() -> None:
    graph = parse(padded().replace("[1,6,5,2]", "[2,6,5,2]"))
    found, expected = ours_is_better(graph, CALL)
    first, second = answers(expected, graph)[0]
    assert np.array_equal(first, second), "TensorFlow answers for the first image alone"
    assert stays(found, graph)


def test_better_groups() -> None:
    graph = parse(padded().replace("[1,6,5,2]", "[1,6,5,6]"))
    found, expected = ours_is_better(graph, CALL)
    with pytest.raises(ModelError):
        answers(expected, graph)
    assert stays(found, graph)


def test_a_foreign_operator_before_it() -> None:
    graph = parse(padded().replace("MirrorPad(x,", "MirrorPad(q,") + "q = OfOurOwn(x)\n")
    assert "FusedPadConv2D" in {node.op for node in agree(graph, CALL).nodes.values()}


def test_better_channels_that_come_first() -> None:
    graph = parse(padded().replace("strides", "data_format=NCHW strides").replace("[1,2,2,3]", "[1,2,8,3]"))
    found, expected = ours_is_better(graph, CALL)
    assert expected.nodes["y"].op == "FusedPadConv2D"
    assert stays(found, graph)


def test_better_dilations() -> None:
    graph = parse(padded().replace("strides", "dilations=[1,2,2,1] strides"))
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert stays(found, graph)


def test_better_explicit_padding() -> None:
    graph = parse(padded(padding="EXPLICIT").replace("strides", "explicit_paddings=[0,0,1,1,0,1,0,0] strides"))
    found, expected = ours_is_better(graph, CALL)
    with pytest.raises(ModelError, match="EXPLICIT"):
        answers(expected, graph)
    assert stays(found, graph)


def test_better_long_paddings() -> None:
    graph = parse(padded().replace("p = Const int32", "p = Const int64").replace("mode=", "Tpaddings=int64 mode="))
    found, expected = ours_is_better(graph, CALL)
    with pytest.raises(ModelError):
        answers(expected, graph)
    assert stays(found, graph)


def test_better_a_border_that_is_an_output() -> None:
    graph = parse(padded() + "output m = m:0")
    found, expected = ours_is_better(graph, CALL)
    assert "m" not in expected.nodes
    assert stays(found, graph)


def test_integers_stay() -> None:
    graph = parse(padded())
    for name in ("m", "y"):
        graph.nodes[name].attr["T"].type = 3
    assert stays(ours(graph, CALL), graph)
