"""Batch normalization in arithmetic."""

import pytest

from mobile_export.graphs.graph import Graph
from tests.classic.inference.harness import (
    FOLDED,
    TAIL,
    assert_agrees,
    assert_better,
    assert_does_more,
    conv,
    decomposed,
    network,
    ops,
)

EXACT: dict[str, tuple[Graph, list[str]]] = {
    "as TensorFlow 1 has it": (network(conv(), *decomposed("conv")), FOLDED),
    "turned round": (network(conv(), *decomposed("conv", last="offset, product")), FOLDED),
    "without gamma": (network(conv(), *decomposed("conv", gamma=False)), FOLDED),
    "after a bias": (
        network(conv(), "sum = BiasAdd(conv, b)  data_format=NHWC", *decomposed("sum")),
        FOLDED,
    ),
    "after a Relu": (
        network(conv(), "relu = Relu(conv)", *decomposed("relu")),
        ["Conv2D", "Relu", "FusedBatchNorm", "Relu"],
    ),
    "of no convolution": (
        network(
            "w8 = Const float32[8,1,8] ~1",
            "wide = Mul(w8, b)",
            *decomposed("wide"),
            tail=TAIL.replace("input x = x:0", ""),
        ),
        ["Mul", "Add", "Rsqrt", "Mul", "Mul", "Mul", "Sub", "Add", "Relu"],
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_the_same_nodes_and_bits(case: str) -> None:
    graph, expected = EXACT[case]
    assert ops(assert_agrees(graph)) == expected


BETTER: dict[str, tuple[Graph, list[str]]] = {
    "read in between": (
        network(conv(), *[line.replace("norm =", "bn =") for line in decomposed("conv")], "norm = Add(bn, scale)"),
        ["Conv2D", "Add", "Rsqrt", "Mul", "BiasAdd", "Add", "Relu"],
    ),
    "of one number": (
        network(
            "one = Const float32[1]: 2",
            conv(),
            *[
                line.replace("gamma", "one").replace("variance", "one").replace("mean,", "one,").replace("beta", "one")
                for line in decomposed("conv")
            ],
        ),
        ["Conv2D", "Add", "Rsqrt", "Mul", "Mul", "Mul", "Sub", "Add", "Relu"],
    ),
    "without gamma, twice in a scope": (
        network(
            conv(),
            conv("second"),
            "one/shifted = Add(variance, epsilon)",
            "one/Rsqrt = Rsqrt(one/shifted)",
            "one/Rsqrt_1 = Rsqrt(one/shifted)",
            "product = Mul(conv, one/Rsqrt)",
            "moved = Mul(mean, one/Rsqrt)",
            "offset = Sub(beta, moved)",
            "bn = Add(product, offset)",
            "product_1 = Mul(second, one/Rsqrt_1)",
            "moved_1 = Mul(mean, one/Rsqrt_1)",
            "offset_1 = Sub(beta, moved_1)",
            "bn_1 = Add(product_1, offset_1)",
            "norm = Sub(bn, bn_1)",
        ),
        ["Conv2D", "Conv2D", "BiasAdd", "BiasAdd", "Sub", "Relu"],
    ),
    "of the second output": (
        network(
            "axis = Const int32[]: 3",
            "w16 = Const float32[3,3,3,16] ~9",
            conv("conv", "x, w16"),
            "parts = Split(axis, conv) num_split=2",
            *decomposed("parts:1"),
        ),
        ["Conv2D", "Split", "Add", "Rsqrt", "Mul", "Mul", "Mul", "Sub", "Add", "Relu"],
    ),
}


@pytest.mark.parametrize("case", BETTER)
def test_right_where_the_original_is_wrong(case: str) -> None:
    graph, expected = BETTER[case]
    assert ops(assert_better(graph)) == expected


SPARED: dict[str, tuple[Graph, list[str]]] = {
    "layout by default": (network(conv().replace(" data_format=NHWC", ""), *decomposed("conv")), FOLDED),
    "as TensorFlow 2 has it": (network(conv(), *decomposed("conv", "AddV2")), FOLDED),
}
"""Graphs that the original leaves as they are; and the operators that ours has then."""


@pytest.mark.parametrize("case", SPARED)
def test_folded_where_the_original_folds_nothing(case: str) -> None:
    graph, expected = SPARED[case]
    assert ops(assert_does_more(graph)) == expected
