"""Resizes and paddings before convolutions."""

import time

import pytest

from mobile_export.classic.inference.fuse_resize_and_conv import fuse_resize_and_conv
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import dtype_number_of
from tests.classic.inference.harness import (
    HEAD,
    PADDINGS,
    RESIZE,
    TAIL,
    assert_agrees,
    assert_better,
    assert_same_answers,
    conv,
    network,
    norm,
    ops,
    ours,
    pad,
)
from tests.graph_text import parse

EXACT: dict[str, tuple[Graph, list[str]]] = {
    "resize": (network(*RESIZE, conv("norm", "large, w")), ["FusedResizeAndPadConv2D", "Relu"]),
    "pad": (network(*pad("x"), conv("norm", "padded, w")), ["FusedPadConv2D", "Relu"]),
    "pad, symmetric": (network(*pad("x", "SYMMETRIC"), conv("norm", "padded, w")), ["FusedPadConv2D", "Relu"]),
    "resize and pad": (network(*RESIZE, *pad("large"), conv("norm", "padded, w")), ["FusedResizeAndPadConv2D", "Relu"]),
    "resize for two": (
        network(*RESIZE, conv("one", "large, w"), conv("two", "large, w"), "norm = Add(one, two)"),
        ["FusedResizeAndPadConv2D", "FusedResizeAndPadConv2D", "Add", "Relu"],
    ),
    "resize, read elsewhere": (
        network(
            *RESIZE,
            conv("one", "large, w"),
            "mean_of = Mean(one, all) Tidx=int32",
            "all = Const int32[3]: 1 2 3",
            "top = Mean(large, all) Tidx=int32",
            "norm = Add(mean_of, top)",
        ),
        ["ResizeBilinear", "FusedResizeAndPadConv2D", "Mean", "Mean", "Add", "Relu"],
    ),
    "resize, then batch norm": (
        network(*RESIZE, conv("conv", "large, w"), norm("conv")),
        ["FusedResizeAndPadConv2D", "BiasAdd", "Relu"],
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_the_same_nodes_and_bits(case: str) -> None:
    graph, expected = EXACT[case]
    assert ops(assert_agrees(graph)) == expected


def test_toco_compatible_keeps_resizes_and_paddings() -> None:
    graph = network(*RESIZE, *pad("large"), conv("norm", "padded, w"))
    assert ops(assert_agrees(graph, toco_compatible=True)) == ["ResizeBilinear", "MirrorPad", "Conv2D", "Relu"]


BETTER: dict[str, tuple[Graph, list[str]]] = {
    "half-pixel centers": (
        network(
            "size = Const int32[2]: 16 12",
            "large = ResizeBilinear(x, size) half_pixel_centers=true",
            conv("norm", "large, w"),
        ),
        ["ResizeBilinear", "Conv2D", "Relu"],
    ),
    "half-pixel centers, then a pad": (
        network(
            "size = Const int32[2]: 16 12",
            "large = ResizeBilinear(x, size) half_pixel_centers=true",
            *pad("large"),
            conv("norm", "padded, w"),
        ),
        ["ResizeBilinear", "FusedPadConv2D", "Relu"],
    ),
    "dilations": (
        network(*pad("x"), conv("norm", "padded, w") + " dilations=[1,2,2,1]"),
        ["MirrorPad", "Conv2D", "Relu"],
    ),
    "explicit paddings": (
        network(
            *pad("x"), conv("norm", "padded, w").replace("SAME", "EXPLICIT") + " explicit_paddings=[0,0,1,1,1,1,0,0]"
        ),
        ["MirrorPad", "Conv2D", "Relu"],
    ),
    "paddings of 64 bits": (
        network(
            PADDINGS.replace("int32", "int64"),
            "padded = MirrorPad(x, paddings) mode=REFLECT Tpaddings=int64",
            conv("norm", "padded, w"),
        ),
        ["MirrorPad", "Conv2D", "Relu"],
    ),
    "padded channels": (
        network(
            "paddings = Const int32[4,2]: 0 0 1 1 1 1 1 0",
            "padded = MirrorPad(x, paddings) mode=REFLECT Tpaddings=int32",
            "w4 = Const float32[3,3,4,8] ~9",
            conv("norm", "padded, w4"),
        ),
        ["MirrorPad", "Conv2D", "Relu"],
    ),
    "one resize and pad for two": (
        network(
            *RESIZE,
            *pad("large"),
            conv("one", "padded, w"),
            "all = Const int32[3]: 1 2 3",
            "top = Mean(padded, all) Tidx=int32",
            "bottom = Mean(one, all) Tidx=int32",
            "norm = Add(top, bottom)",
        ),
        ["ResizeBilinear", "MirrorPad", "FusedResizeAndPadConv2D", "Mean", "Mean", "Add", "Relu"],
    ),
    "a resized image of bytes": (
        network(
            "size = Const int32[2]: 16 12",
            "bytes = Cast(x) SrcT=float32 DstT=uint8",
            "large = ResizeBilinear(bytes, size) align_corners=false T=uint8",
            conv("norm", "large, w"),
        ),
        ["Cast", "ResizeBilinear", "Conv2D", "Relu"],
    ),
    "groups": (
        network("w1 = Const float32[3,3,1,6] ~9", *pad("x"), conv("norm", "padded, w1")),
        ["MirrorPad", "Conv2D", "Relu"],
    ),
    "groups behind a convolution": (
        network(
            "w4 = Const float32[3,3,4,6] ~9", conv(), "relu = Relu(conv)", *pad("relu"), conv("norm", "padded, w4")
        ),
        ["Conv2D", "Relu", "MirrorPad", "Conv2D", "Relu"],
    ),
    "a batch": (
        parse(HEAD.replace("[1,8,8,3]", "[2,8,8,3]") + "\n".join([*pad("x"), conv("norm", "padded, w")]) + TAIL),
        ["MirrorPad", "Conv2D", "Relu"],
    ),
    "a batch behind a pad that stays": (
        parse(
            HEAD.replace("[1,8,8,3]", "[2,8,8,3]")
            + "\n".join(["w3 = Const float32[3,3,3,3] ~9", *pad("x"), conv("first", "padded, w3")])
            + "\nagain = MirrorPad(first, paddings) mode=REFLECT Tpaddings=int32\n"
            + conv("norm", "again, w")
            + TAIL
        ),
        ["MirrorPad", "Conv2D", "MirrorPad", "Conv2D", "Relu"],
    ),
}


@pytest.mark.parametrize("case", BETTER)
def test_right_where_the_original_is_wrong(case: str) -> None:
    graph, expected = BETTER[case]
    assert ops(assert_better(graph)) == expected


def test_alignment_by_default() -> None:
    """The original copies the attribute that is not there as an empty one."""
    size, _ = RESIZE
    graph = network(size, "large = ResizeBilinear(x, size)", conv("norm", "large, w"))
    assert ops(assert_same_answers(graph)) == ["FusedResizeAndPadConv2D", "Relu"]


def test_a_batch_of_unknown_size_is_told_of_the_kernels() -> None:
    graph = parse(HEAD.replace("[1,8,8,3]", "[?,8,8,3]") + "\n".join([*pad("x"), conv("norm", "padded, w")]) + TAIL)
    assert ops(ours(graph).graph) == ["FusedPadConv2D", "Relu"]
    assert "one image at a time" in ours(graph).notes[0]
    assert ours(network(*pad("x"), conv("norm", "padded, w"))).notes == []


def in_bfloat16(*middle: str) -> Graph:
    """A convolution of `padded`, which `middle` makes of `half`, in bfloat16."""
    graph = network(
        "half = Cast(x) SrcT=float32",
        "w16 = Cast(w) SrcT=float32",
        *middle,
        conv("conv", "padded, w16"),
        "norm = Cast(conv) DstT=float32",
    )
    for name, key in (("half", "DstT"), ("w16", "DstT"), ("padded", "T"), ("conv", "T"), ("norm", "SrcT")):
        graph.nodes[name].attr[key].type = dtype_number_of("bfloat16")
    return graph


def test_bfloat16() -> None:
    """FusedPadConv2D takes it, FusedResizeAndPadConv2D does not."""
    assert ops(assert_agrees(in_bfloat16(*pad("half")))) == ["Cast", "Cast", "FusedPadConv2D", "Cast", "Relu"]
    resized = in_bfloat16(RESIZE[0], "padded = ResizeBilinear(half, size) align_corners=false")
    assert "ResizeBilinear" in ops(ours(resized).graph)


def test_time_grows_with_the_graph() -> None:
    """With the square of its size, it would be 20 seconds."""
    layers = []
    for i in range(5000):
        layers += [f"r{i} = ResizeBilinear({f'c{i - 1}' if i else 'x'}, size)", conv(f"c{i}", f"r{i}, w3")]
    graph = network("size = Const int32[2]: 8 8", "w3 = Const float32[3,3,3,3] ~9", *layers, "norm = Relu(c4999)")
    start = time.process_time()
    found = fuse_resize_and_conv(graph)
    assert sum(node.op == "FusedResizeAndPadConv2D" for node in found.nodes.values()) == 5000
    assert time.process_time() - start < 8
