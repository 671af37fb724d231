"""Batch norms that are operators."""

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph
from tests.classic.inference.harness import (
    FOLDED,
    NAME,
    TAIL,
    assert_agrees,
    assert_better,
    assert_does_more,
    assert_same_answers,
    conv,
    network,
    norm,
    old_norm,
    ops,
    ours,
    theirs,
)
from tests.graph_transform_tool.harness import tally

EXACT: dict[str, tuple[Graph, list[str]]] = {
    "V3": (network(conv(), norm("conv")), FOLDED),
    "V1": (network(conv(), norm("conv", "")), FOLDED),
    "the batch norm of 2015": (network(conv(), old_norm("conv", "true")), FOLDED),
    "without gamma": (network(conv(), old_norm("conv", "false")), FOLDED),
    "BiasAdd": (network(conv(), "sum = BiasAdd(conv, b) data_format=NHWC", norm("sum")), FOLDED),
    "Add": (network(conv(), "sum = Add(conv, b)", norm("sum")), FOLDED),
    "AddV2, turned round": (network(conv(), "sum = AddV2(b, conv)", norm("sum", "")), FOLDED),
    "a bias for all channels": (
        network("s = Const float32[]: 3", conv(), "sum = AddV2(conv, s)", old_norm("sum", "true")),
        FOLDED,
    ),
    "depthwise": (
        network(
            "d = Const float32[3,3,4,2] ~9",
            "w4 = Const float32[1,1,3,4] ~8",
            conv("first", "x, w4"),
            "conv = DepthwiseConv2dNative(first, d) strides=[1,2,2,1] padding=VALID data_format=NHWC",
            norm("conv"),
        ),
        ["Conv2D", "DepthwiseConv2dNative", "BiasAdd", "Relu"],
    ),
    "not behind a convolution": (
        network(conv(), "relu = Relu(conv)", norm("relu")),
        ["Conv2D", "Relu", "FusedBatchNormV3", "Relu"],
    ),
    "a bias that is no constant": (
        network("c = Relu(b)", conv(), "sum = Add(conv, c)", norm("sum")),
        ["Relu", "Conv2D", "Add", "FusedBatchNormV3", "Relu"],
    ),
    "weights that are no constant": (
        network("v = Relu(w)", conv("conv", "x, v"), norm("conv")),
        ["Relu", "Conv2D", "FusedBatchNormV3", "Relu"],
    ),
    "one of two sums of convolutions": (
        network(conv(), conv("second"), "norm = Add(conv, second)"),
        ["Conv2D", "Conv2D", "Add", "Relu"],
    ),
    "weights shared by two": (
        network(
            conv(),
            conv("second"),
            norm("conv").replace("norm =", "first ="),
            norm("second").replace("norm =", "other ="),
            "norm = Sub(first, other)",
        ),
        ["Conv2D", "Conv2D", "BiasAdd", "BiasAdd", "Sub", "Relu"],
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_the_same_nodes_and_bits(case: str) -> None:
    graph, expected = EXACT[case]
    assert ops(assert_agrees(graph)) == expected


BETTER: dict[str, tuple[Graph, list[str]]] = {
    "weights that are an output, and have the name of new ones": (
        network(
            "conv_weights = Const float32[3,3,3,8] ~1",
            conv("conv", "x, conv_weights"),
            norm("conv"),
            tail=TAIL + "output kept = conv_weights:0",
        ),
        FOLDED,
    ),
    "two consumers": (
        network(conv(), norm("conv").replace("norm =", "bn ="), "norm = Add(bn, conv)"),
        ["Conv2D", "FusedBatchNormV3", "Add", "Relu"],
    ),
    "two batch norms": (
        network(
            conv(),
            norm("conv").replace("norm =", "one ="),
            norm("conv", "").replace("norm =", "two ="),
            "norm = Sub(one, b)",
            tail=TAIL.replace("Relu(norm)", "Add(norm, two)"),
        ),
        ["Conv2D", "FusedBatchNormV3", "FusedBatchNorm", "Sub", "Add"],
    ),
    "an output before": (
        network(conv(), norm("conv"), tail=TAIL + "output before = conv:0"),
        ["Conv2D", "FusedBatchNormV3", "Relu"],
    ),
    "a sum with two consumers": (
        network(
            conv(),
            "sum = BiasAdd(conv, b) data_format=NHWC",
            norm("sum").replace("norm =", "bn ="),
            "norm = Add(bn, sum)",
        ),
        ["Conv2D", "BiasAdd", "FusedBatchNormV3", "Add", "Relu"],
    ),
    "weights that others read": (
        network(conv(), norm("conv").replace("norm =", "bn ="), conv("second"), "norm = Add(bn, second)"),
        ["Conv2D", "BiasAdd", "Conv2D", "Add", "Relu"],
    ),
    "statistics that are read": (
        network(conv(), norm("conv").replace("norm =", "bn ="), "norm = Add(bn, bn:1)"),
        ["Conv2D", "FusedBatchNormV3", "Add", "Relu"],
    ),
    "in training": (
        network(conv(), norm("conv", is_training="true", epsilon="0.001", data_format="NHWC")),
        ["Conv2D", "FusedBatchNormV3", "Relu"],
    ),
    "epsilon by default": (
        network(
            "tiny = Const float32[8]: 1e-5 1e-5 1e-5 1e-5 1e-5 1e-5 1e-5 1e-5",
            conv(),
            norm("conv", is_training="false").replace("variance", "tiny"),
        ),
        FOLDED,
    ),
    "a bias of four dimensions": (
        network("b4 = Const float32[1,1,1,8] ~8", conv(), "sum = AddV2(conv, b4)", norm("sum")),
        FOLDED,
    ),
    "a bias for each column": (
        network("columns = Const float32[8,1] ~8", conv(), "sum = AddV2(conv, columns)", norm("sum")),
        ["Conv2D", "AddV2", "FusedBatchNormV3", "Relu"],
    ),
    "half precision": (
        network(
            "half = Cast(x) SrcT=float32 DstT=float16",
            "w16 = Const float16[3,3,3,8] ~1",
            conv("conv", "half, w16") + " T=float16",
            norm("conv").replace("norm =", "bn =") + " T=float16",
            "norm = Cast(bn) SrcT=float16 DstT=float32",
        ),
        ["Cast", "Conv2D", "FusedBatchNormV3", "Cast", "Relu"],
    ),
    "names that are taken": (
        network(
            "conv_bn_offset = Const float32[8] ~8",
            "conv_weights = Const float32[3,3,3,8] ~9",
            conv(),
            norm("conv").replace("norm =", "bn ="),
            conv("second", "x, conv_weights"),
            "sum = Add(bn, second)",
            "norm = Add(sum, conv_bn_offset)",
        ),
        ["Conv2D", "BiasAdd", "Conv2D", "Add", "Add", "Relu"],
    ),
}


@pytest.mark.parametrize("case", BETTER)
def test_right_where_the_original_is_wrong(case: str) -> None:
    graph, expected = BETTER[case]
    assert ops(assert_better(graph)) == expected


def channels_first(*middle: str) -> Graph:
    """A graph that no processor runs: for these, convolutions have their channels last."""
    graph = network(*middle)
    for node in graph.nodes.values():
        if "data_format" in node.attr:
            node.attr["data_format"].s = b"NCHW"
    return graph


@pytest.mark.parametrize("bias", [True, False])
def test_channels_first(bias: bool) -> None:
    middle = ["sum = BiasAdd(conv, b) data_format=NHWC", norm("sum")] if bias else [norm("conv")]
    assert ops(assert_agrees(channels_first(conv(), *middle), runs=False)) == FOLDED


def test_a_vector_added_to_channels_first_is_no_bias() -> None:
    """It has a number for each column of the image; the original takes it for one of each channel."""
    tally(NAME, "better")
    graph = channels_first(conv(), "sum = Add(conv, b)", norm("sum"))
    assert "Add" not in [node.op for node in theirs(graph).node]
    assert ops(ours(graph).graph) == ["Conv2D", "Add", "FusedBatchNormV3", "Relu"]


def test_a_layout_other_than_the_convolutions_stays() -> None:
    tally(NAME, "better")
    graph = channels_first(conv(), norm("conv"))
    graph.nodes["norm"].attr["data_format"].s = b"NHWC"
    assert "FusedBatchNormV3" not in [node.op for node in theirs(graph).node]
    assert ops(ours(graph).graph) == ["Conv2D", "FusedBatchNormV3", "Relu"]


def test_version_2() -> None:
    assert ops(assert_does_more(network(conv(), norm("conv", "V2")))) == FOLDED


def test_a_layout_by_default() -> None:
    """The original copies the attribute that is not there as an empty one."""
    plain = conv().replace(" data_format=NHWC", "")
    graph = network(plain, norm("conv", is_training="false", epsilon="0.001"))
    assert ops(assert_same_answers(graph)) == FOLDED


def test_a_negative_variance_stays() -> None:
    """Of a channel that has one, the answer is no number."""
    tally(NAME, "better")
    graph = network("less = Const float32[8]: -1 -1 1 1 1 1 1 1", conv(), norm("conv").replace("variance", "less"))
    with pytest.raises(ValueError, match=r"nonnegative|domain"):
        theirs(graph)
    assert "FusedBatchNormV3" in ops(ours(graph).graph)


def test_a_repeated_value_takes_no_memory() -> None:
    graph = network("large = Const float32[1,1,3,8] ~1", conv("conv", "x, large"), norm("conv"))
    graph.set_constant("large", np.broadcast_to(np.float32(0.5), (1 << 13, 1 << 12, 3, 8)))  # 3 GB
    scaled = ours(graph).graph.constants["conv_weights"]
    assert scaled.shape == (1 << 13, 1 << 12, 3, 8)
    assert scaled.strides == (0, 0, 0, 4)
