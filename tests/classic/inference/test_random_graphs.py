"""Graphs at random: ours answers as the graph does; and wherever the original is right, both give the same."""

import random

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph
from tests.classic.inference.harness import CONV, NORM, answers, assert_agrees, assert_better, is_wrong
from tests.graph_text import parse

CONSTANTS = """
    x = Placeholder float32[1,8,8,8]
    w0 = Const float32[3,3,8,8] ~1
    w1 = Const float32[3,3,8,8] ~2
    depth = Const float32[3,3,8,1] ~3
    v0 = Const float32[8] +4
    v1 = Const float32[8] +5
    image = Const float32[8,1] ~6
    number = Const float32[]: 0.5
    epsilon = Const float32[]: 0.001
    size = Const int32[2]: 8 8
    paddings = Const int32[4,2]: 0 0 1 1 1 1 0 0
    w2 = Identity(w0)
    v2 = Identity(v0)
    input x = x:0
"""
NODES = {
    "conv": [f"{{n}} = {CONV.format('{a}, {w}')}"],
    "depthwise": ["{n} = DepthwiseConv2dNative({a}, depth) strides=[1,1,1,1] padding=SAME data_format=NHWC"],
    "norm": [f"{{n}} = FusedBatchNorm({{a}}, {{v}}, {{u}}, {{v}}, {{u}}) {NORM}"],
    "norm 3": [f"{{n}} = FusedBatchNormV3({{a}}, {{v}}, {{u}}, {{v}}, {{u}}) {NORM} U=float32"],
    "decomposed": [
        "{n}/shifted = Add({v}, epsilon)",
        "{n}/root = Rsqrt({n}/shifted)",
        "{n}/scale = Mul({n}/root, {u})",
        "{n}/product = Mul({a}, {n}/scale)",
        "{n}/moved = Mul({v}, {n}/scale)",
        "{n}/offset = Sub({u}, {n}/moved)",
        "{n} = Add({n}/product, {n}/offset)",
    ],
    "bias": ["{n} = BiasAdd({a}, {v}) data_format=NHWC"],
    "constant": ["{n} = AddV2({a}, {c})"],
    "sum": ["{n} = Add({a}, {b})"],
    "relu": ["{n} = Relu({a})"],
    "identity": ["{n} = Identity({a})"],
    "gradient": ["{n} = StopGradient({a})"],
    "check": ["{n} = CheckNumerics({a}) message=wrong"],
    "resize": ["{n} = ResizeBilinear({a}, size) align_corners=true"],
    "pad": [
        "{n}/pad = MirrorPad({a}, paddings) mode=REFLECT",
        f"{{n}} = {CONV.format('{n}/pad, {w}')}".replace("SAME", "VALID"),
    ],
}
WEIGHTS = {"conv": 3, "norm": 2, "norm 3": 2, "bias": 2, "check": 0.5}
"""How often a kind of node comes, 1 where nothing is said."""


def random_graph(seed: int) -> Graph:
    rng = random.Random(seed)
    made, lines = ["x"], []
    for kind in rng.choices(list(NODES), [WEIGHTS.get(kind, 1) for kind in NODES], k=rng.randint(3, 10)):
        names = {
            "n": f"n{len(made)}",
            "a": rng.choice(made[-2:]),
            "b": rng.choice(made),
            "c": rng.choice(["v0", "image", "number"]),
            "u": rng.choice(["v0", "v1", "v2"]),
            "v": rng.choice(["v0", "v1", "v2"]),
            "w": rng.choice(["w0", "w1", "w2"]),
        }
        lines += [line.format_map(names) for line in NODES[kind]]
        made.append(names["n"])
    outputs = dict.fromkeys([made[-1], rng.choice(made[1:])] if rng.random() < 0.3 else [made[-1]])
    lines += [f"output y{k} = {name}:0" for k, name in enumerate(outputs)]
    return parse(CONSTANTS + "\n".join(lines))


@pytest.mark.parametrize("seeds", [range(start, start + 25) for start in range(0, 100, 25)], ids=str)
def test_right_always_and_the_same_where_the_original_is_right(seeds: range) -> None:
    for seed in seeds:
        graph = random_graph(seed)
        assert all(np.isfinite(answer).all() for answer in answers(graph.to_graph_def(), graph)), seed
        if is_wrong(graph):
            assert_better(graph)
        else:
            assert_agrees(graph)
