"""Dilated convolutions are spread as the original spreads them; where it shifts or breaks the result, ours does not."""

import re
import sys

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.transforms.flatten_atrous_conv import flatten_atrous_conv
from mobile_export.graphs.graph import Graph
from tests.graph_text import parse
from tests.graph_transform_tool import small_graphs
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better
from tests.graph_transform_tool.original import OriginalAborted
from tests.graph_transform_tool.tf_graphs import graph_of, tf, tf1

CALL = "flatten_atrous_conv"
ATROUS = """
x = Placeholder float32[1,3,3,2]
block = Const int32[2]: 2 2
pads = Const int32[2,2]: 1 2 1 2
s = SpaceToBatchND(x, block, pads) Tblock_shape=int32 Tpaddings=int32
w = Const float32[2,2,2,3] ~1
c = Conv2D(s, w) padding=VALID strides=[1,1,1,1] data_format=NHWC use_cudnn_on_gpu=true
crops = Const int32[2,2]: 0 1 0 1
y = BatchToSpaceND(c, block, crops) Tblock_shape=int32 Tcrops=int32
input x = x:0
output y = y:0
"""
DEPTHWISE = ATROUS.replace("Conv2D", "DepthwiseConv2dNative").replace(" use_cudnn_on_gpu=true", "")


def right(found: Graph, graph: Graph) -> bool:
    one, other = answers(found, graph)[0], answers(graph, graph)[0]
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-5, atol=1e-5)


def stays(found: Graph, graph: Graph) -> bool:
    return found.nodes == graph.nodes and all(found.constants[n] is value for n, value in graph.constants.items())


@pytest.mark.parametrize("text", [ATROUS, DEPTHWISE])
def test_each_operator(text: str) -> None:
    graph = parse(text)
    found = agree(graph, CALL, tolerance=0)
    assert found.nodes.keys() == {"x", "w", "y"}
    assert (found.nodes["y"].op, found.constants["w"].shape) == (graph.nodes["c"].op, (3, 3, 2, 3))
    assert right(found, graph)


@pytest.mark.parametrize(("kernel", "rates", "size"), [((3, 3), (2, 3), (8, 9)), ((1, 5), (4, 2), (7, 7))])
@pytest.mark.parametrize("depthwise", [False, True])
def test_what_tensorflow_makes_of_dilations(
    kernel: tuple[int, int], rates: tuple[int, int], size: tuple[int, int], depthwise: bool
) -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [2, *size, 2], "x")
        weights = tf.constant(np.random.default_rng(0).normal(size=(*kernel, 2, 3)).astype(np.float32))

        def convolve(x: tf.Tensor, padding: str) -> tf.Tensor:
            op = tf.raw_ops.DepthwiseConv2dNative if depthwise else tf.raw_ops.Conv2D
            return op(input=x, filter=weights, padding=padding, strides=[1, 1, 1, 1])

        shape = weights.shape[:2]
        space_to_batch = tf1.nn.with_space_to_batch
        h = space_to_batch(x, rates, "SAME", lambda x, _, padding: convolve(x, padding), shape, [1, 2])
        tf.nn.relu(h, name="y")

    graph = graph_of(build, ["x"], ["y"])
    for node in graph.nodes.values():
        if node.op == "DepthwiseConv2dNative":
            node.attr["data_format"].s = b"NHWC"
    found = agree(graph, CALL)
    assert "BatchToSpaceND" not in {node.op for node in found.nodes.values()}
    assert right(found, graph)


@pytest.mark.parametrize(
    "change",
    [
        ("output", "r = Relu(s)\noutput r = r:0\noutput"),
        ("output", "r = Relu(c)\noutput r = r:0\noutput"),
        ("output", "r = Cast(crops) SrcT=int32 DstT=float32\noutput r = r:0\noutput"),
        ("output", "r = Cast(block) SrcT=int32 DstT=float32\noutput r = r:0\noutput"),
        ("(c, block", "(r, block"),
    ],
)
def test_what_the_original_leaves(change: tuple[str, str]) -> None:
    text = ATROUS.replace(*change)
    graph = parse(text.replace("crops =", "r = Relu(c)\ncrops =") if "(r, block" in text else text)
    assert stays(agree(graph, CALL), graph)


@pytest.mark.parametrize("made", [small_graphs.conv_net, small_graphs.loop])
def test_graphs_without_any(made: object) -> None:
    graph = made()
    assert stays(agree(graph, CALL), graph)


def test_before_and_after_old_batch_norms() -> None:
    graph = parse(
        ATROUS.replace("y = BatchToSpaceND", "b = BatchToSpaceND").replace(
            "input",
            "n = Const float32[3] +3\n"
            + "".join(f"n{i} = Const float32[3] +{i}\n" for i in range(3))
            + "y = FusedBatchNorm(b, n, n0, n1, n2) epsilon=0.001 is_training=false\ninput",
            1,
        )
    )
    assert right(agree(graph, "flatten_atrous_conv fold_old_batch_norms"), graph)
    assert right(agree(graph, "fold_old_batch_norms flatten_atrous_conv"), graph)


SHIFTED = {
    "padding that is none": ("1 2 1 2", "0 1 0 1"),
    "padding that is not that of SAME": ("1 2 1 2", "2 1 2 1"),
    "crops that differ": ("1 2 1 2\n", "1 4 1 4\n"),
    "a step of two": ("strides=[1,1,1,1]", "strides=[1,2,2,1]"),
    "dilations of its own": ("strides=", "dilations=[1,2,2,1] strides="),
    "another block in the end": ("y = BatchToSpaceND(c, block,", "e = Const int32[2]: 4 1\ny = BatchToSpaceND(c, e,"),
}


@pytest.mark.parametrize("change", SHIFTED.values(), ids=SHIFTED.keys())
def test_better_where_the_original_gives_another_result(change: tuple[str, str]) -> None:
    text = ATROUS.replace("[1,3,3,2]", "[1,7,7,2]").replace(*change)
    graph = parse(text)
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert right(found, graph)


def test_better_no_padding_at_all() -> None:
    graph = parse(ATROUS.replace("[1,3,3,2]", "[1,8,8,2]").replace("1 2 1 2", "0 0 0 0").replace("0 1 0 1", "0 0 0 0"))
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert found.nodes["y"].attr["padding"].s == b"VALID"
    assert right(found, graph)


def test_a_convolution_that_pads_in_the_batch() -> None:
    text = ATROUS.replace("[1,3,3,2]", "[1,8,8,2]").replace("padding=VALID", "padding=SAME")
    text = text.replace("1 2 1 2", "0 0 0 0").replace("0 1 0 1", "0 0 0 0")
    graph = parse(text.replace("[2,2,2,3]", "[3,3,2,3]"))
    assert right(agree(graph, CALL), graph)
    even = parse(text)
    found, expected = ours_is_better(even, CALL)
    assert not right(expected, even)
    assert stays(found, even)


def test_better_weights_that_are_shared() -> None:
    for reader in ("d = Conv2D(x, w) padding=SAME strides=[1,1,1,1]\noutput d = d:0", "output w = w:0"):
        graph = parse(ATROUS + reader)
        found, expected = ours_is_better(graph, CALL)
        pairs = zip(answers(expected, graph), answers(graph, graph), strict=True)
        assert any(one.shape != other.shape or (one != other).any() for one, other in pairs)
        assert stays(found, graph)


def test_better_another_port() -> None:
    split = "axis = Const int32[]: 3\np = Split(axis, x) num_split=2\ns = SpaceToBatchND(p:1, block, pads)"
    graph = parse(ATROUS.replace("[1,3,3,2]", "[1,3,3,4]").replace("s = SpaceToBatchND(x, block, pads)", split))
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert found.nodes["y"].input[0] == "p:1"
    assert right(found, graph)


def test_better_defaults_that_are_not_written_down() -> None:
    graph = parse(ATROUS.replace(" data_format=NHWC use_cudnn_on_gpu=true", ""))
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, OriginalAborted)
    assert found.nodes["y"].attr.keys() == {"T", "strides", "padding"}
    assert right(found, graph)


def test_better_weights_that_are_not_constant() -> None:
    graph = parse(ATROUS.replace("(s, w)", "(s, r)").replace("c = Conv2D", "r = Relu(w)\nc = Conv2D"))
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, (OriginalAborted, ModelError))
    assert stays(found, graph)


def test_better_control_edges_and_types_stay() -> None:
    graph = parse(ATROUS.replace("crops)", "crops, ^e)").replace("output", "e = NoOp(^x)\noutput", 1))
    found, expected = ours_is_better(graph, CALL)
    assert (list(found.nodes["y"].input), list(expected.nodes["y"].input)) == (["x", "w", "^e"], ["x", "w"])


def test_all_weights_together_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for the larger of two."""
    second = "\n".join(line for line in ATROUS.splitlines() if not line.startswith(("x", "input", "output")))
    renamed = re.sub(r"\b(block|pads|s|w|c|crops|y)\b(?!=)", r"\1_2", second).replace("(x,", "(r,")
    renamed = renamed.replace("2,2,2,3", "2,2,3,3")
    graph = parse(ATROUS.replace("output y = y:0", "r = Relu(y)\n" + renamed + "\noutput y = y_2:0"))
    assert "c_2" not in agree(graph, CALL).nodes
    room = ours(graph, CALL).constants["w_2"].nbytes
    monkeypatch.setattr(sys.modules[flatten_atrous_conv.__module__], "memory_limit", lambda _: room)
    found = ours(graph, CALL)
    assert ("c" in found.nodes) != ("c_2" in found.nodes)


def test_absurd_rates_stay() -> None:
    graph = parse(ATROUS.replace("block = Const int32[2]: 2 2", "block = Const int32[2]: 2000000000 2000000000"))
    graph.constants["pads"] = np.array([[1000000000, 1000000000]] * 2, np.int32)
    graph.constants["crops"] = np.zeros((2, 2), np.int32)
    assert stays(ours(graph, CALL), graph)
    graph.constants["block"] = np.array([0, 2], np.int32)
    assert stays(ours(graph, CALL), graph)


def test_weights_without_an_element_stay() -> None:
    graph = parse(ATROUS.replace("1 2 1 2", "0 0 0 0").replace("0 1 0 1", "1 1 1 1"))
    graph.constants["w"] = np.zeros((0, 0, 2, 3), np.float32)
    assert stays(ours(graph, CALL), graph)
