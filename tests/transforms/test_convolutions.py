"""What the folds of convolutions share."""

import tracemalloc

import numpy as np
import pytest

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graph_transform_tool.transforms.fold_batch_norms import fold_batch_norms
from mobile_export.graph_transform_tool.transforms.fold_old_batch_norms import fold_old_batch_norms
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import NodeDef
from mobile_export.transforms.convolutions import distinct, output_channels, scaled
from mobile_export.transforms.fold_affine import fold_affine
from tests.graph_text import parse

LARGE = (1 << 13, 1 << 12, 3, 8)
"""The shape of 3 GB of float32."""
SCALED = """
    x = Placeholder float32[1,8,8,3]
    w = Const float32[1,1,3,8] ~1
    s = Const float32[8] +2
    conv = Conv2D(x, w) strides=[1,1,1,1] padding=SAME data_format=NHWC
    y = Mul(conv, s)
    input x = x:0
    output y = y:0
"""
NORMALIZED = SCALED.replace(
    "y = Mul(conv, s)", "y = FusedBatchNorm(conv, s, s, s, s) is_training=false epsilon=0.001 data_format=NHWC"
)


FOLDS = [
    (fold_affine, SCALED),
    (fold_affine, NORMALIZED),
    (lambda graph: fold_batch_norms(graph, Parameters("", {})), SCALED),
    (lambda graph: fold_old_batch_norms(graph, Parameters("", {})), NORMALIZED),
]


@pytest.mark.parametrize(("fold", "text"), FOLDS)
def test_a_repeated_value_takes_no_memory(fold, text: str) -> None:
    graph = parse(text)
    graph.constants["w"] = np.broadcast_to(np.float32(0.5), LARGE)
    found = fold(graph)
    assert [node.op for node in found.nodes.values() if node.op in ("Mul", "FusedBatchNorm")] == []
    assert found.constants["w"].shape == LARGE
    assert found.constants["w"].strides == (0, 0, 0, 4)


@pytest.mark.parametrize(("fold", "text"), FOLDS)
def test_repeated_values_for_ever_so_many_channels_take_no_memory(fold, text: str) -> None:
    graph, channels = parse(text), 1 << 29
    graph.constants["w"] = np.broadcast_to(np.float32(0.5), (1, 1, 3, channels))
    graph.constants["s"] = np.broadcast_to(np.float32(2), (channels,))
    tracemalloc.start()
    fold(graph)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20


def test_a_format_that_is_no_text_is_none() -> None:
    graph = parse(SCALED)
    graph.nodes["conv"].attr["data_format"].s = b"\xff"
    assert isinstance(fold_affine(graph), Graph)


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize(
    ("op", "shape", "transposed"),
    [
        ("Conv2D", (2, 3, 4, 6), False),
        ("DepthwiseConv2dNative", (2, 3, 3, 2), False),
        ("MatMul", (4, 6), False),
        ("MatMul", (6, 4), True),
    ],
)
def test_columns_are_scaled_and_rounded_once(op: str, shape: tuple[int, ...], transposed: bool, kind: str) -> None:
    node = NodeDef(op=op)
    node.attr["transpose_b"].b = transposed
    rng = np.random.default_rng(0)
    weights, scale = rng.normal(size=shape).astype(np.float32), rng.normal(size=6).astype(kind)
    found = scaled(node, weights, scale)
    columns = weights.reshape(*shape[:2], 6) if op == "DepthwiseConv2dNative" else weights
    expected = (scale[:, np.newaxis] if transposed else scale) * columns
    assert output_channels(node, weights) == 6
    assert found.dtype == np.float32
    assert np.array_equal(found, expected.astype(np.float32).reshape(shape))


def test_distinct_elements() -> None:
    assert distinct(np.broadcast_to(np.float32(3), (5, 7))).shape == (1, 1)
    assert distinct(np.broadcast_to(np.arange(7), (5, 7))).tolist() == [list(range(7))]
    assert distinct(np.zeros((2, 0))).size == 0
    assert distinct(np.array(3)).shape == ()
