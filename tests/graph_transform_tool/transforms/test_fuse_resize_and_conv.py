"""Resizing and convolution become one operator as in the original; where that would answer otherwise, they stay."""

import numpy as np
import pytest

from mobile_export.errors import ModelError
from tests.graph_text import parse
from tests.graph_transform_tool.fusible import resized, resized_and_padded, right, stays
from tests.graph_transform_tool.harness import agree, answers, ours_is_better
from tests.graph_transform_tool.original import OriginalAborted
from tests.graph_transform_tool.tf_graphs import graph_of, tf, tf1

CALL = "fuse_resize_and_conv"


@pytest.mark.parametrize("corners", ["false", "true"])
@pytest.mark.parametrize(("padding", "step"), [("VALID", 1), ("SAME", 1), ("VALID", 2), ("SAME", 2)])
def test_one_operator(corners: str, padding: str, step: int) -> None:
    graph = parse(resized(corners, padding, step))
    found = agree(graph, CALL)
    assert found.nodes.keys() == {"x", "size", "w", "y_dummy_paddings", "y"}
    assert right(found, graph)


def test_what_else_there_is_stays() -> None:
    for text in (resized_and_padded(), resized() + "q = Relu(r)\noutput q = q:0"):
        graph = parse(text)
        assert stays(agree(graph, CALL), graph)


def test_another_port() -> None:
    text = resized().replace("float32[1,6,5,2]", "float32[1,6,5,4]").replace("(x, size)", "(p:1, size)")
    graph = parse(text + "axis = Const int32[]: 3\np = Split(axis, x) num_split=2\n")
    assert right(agree(graph, CALL), graph)


def test_two_of_the_same_weights_in_one_run() -> None:
    text = resized().replace("output y = y:0", "output y = z:0")
    second = "q = ResizeBilinear(x, size) align_corners=true\nd = Conv2D(q, w) padding=VALID strides=[1,1,1,1]\n"
    graph = parse(text + second + "z = Add(y, d)\n")
    found = agree(graph, CALL)
    assert [node.op for node in found.nodes.values()].count("FusedResizeAndPadConv2D") == 1
    assert right(agree(graph, f"{CALL} {CALL}"), graph)


def test_better_alignment_that_is_not_written_down() -> None:
    graph = parse(resized().replace(" align_corners=false", ""))
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, OriginalAborted)
    assert right(found, graph)


def test_better_half_pixel_centers() -> None:
    graph = parse(resized().replace("align_corners=false", "align_corners=false half_pixel_centers=true"))
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert stays(found, graph)


def test_better_channels_that_come_first() -> None:
    graph = parse(resized().replace("strides", "data_format=NCHW strides").replace("[1,2,2,3]", "[1,2,12,3]"))
    found, expected = ours_is_better(graph, CALL)
    assert expected.nodes["y"].op == "FusedResizeAndPadConv2D"
    assert stays(found, graph)


def test_better_a_name_that_is_taken() -> None:
    graph = parse(resized() + "y_dummy_paddings = Relu(x)\noutput z = y_dummy_paddings:0\n")
    found, expected = ours_is_better(graph, CALL)
    assert "more than one node" in str(expected)
    assert right(found, graph)


def test_better_in_a_loop() -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [1, 5, 5, 2], "x")
        kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 2)).astype(np.float32)

        def body(i: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            h = tf1.image.resize_bilinear(h, [7, 7])
            return i + 1, tf.nn.conv2d(h, tf.constant(kernel), 1, "VALID")

        tf.identity(tf.while_loop(lambda i, _: i < 2, body, [tf.constant(0), x])[1], "y")

    graph = graph_of(build, ["x"], ["y"])
    found, expected = ours_is_better(graph, CALL)
    assert "FusedResizeAndPadConv2D" in {node.op for node in found.nodes.values()}
    with pytest.raises(ModelError):
        answers(expected, graph)
    assert right(found, graph)
