"""Lists of transforms as articles and build scripts have them, beside the original, name by name."""

import pytest

from mobile_export.errors import TargetError
from tests.graph_text import parse
from tests.graph_transform_tool.harness import agree, ours

NET = """
    x = Placeholder float32[1,8,8,3]
    w = Const float32[3,3,3,8] ~1
    c = Conv2D(x, w) strides=[1,1,1,1] padding=SAME
    gamma = Const float32[8] +2
    beta = Const float32[8] ~3
    mean = Const float32[8] ~4
    variance = Const float32[8] +5
    norm = FusedBatchNorm(c, gamma, beta, mean, variance) is_training=false epsilon=0.001
    relu = Relu(norm)
    v = Const float32[3,3,8,16] ~6
    d = Conv2D(relu, v) strides=[1,1,1,1] padding=SAME
    y = Relu6(d)
    lost = Relu(relu)
    input x = x:0
    output y = y:0
"""
OPTIMIZE = (
    "add_default_attributes strip_unused_nodes fold_constants(ignore_errors=true) fold_batch_norms fold_old_batch_norms"
)


@pytest.mark.parametrize(
    "transforms",
    [
        OPTIMIZE,
        f"{OPTIMIZE} round_weights(num_steps=256)",
        f"{OPTIMIZE} quantize_weights",
        f"{OPTIMIZE} quantize_weights quantize_nodes strip_unused_nodes",
        f"{OPTIMIZE} quantize_nodes quantize_weights strip_unused_nodes",
        "strip_unused_nodes remove_nodes(op=Identity) obfuscate_names",
    ],
)
def test_the_same_nodes(transforms: str) -> None:
    agree(parse(NET), transforms)


@pytest.mark.parametrize("transform", ["strip_unused_nodes", "fold_constants"])
def test_nothing_is_dropped_without_outputs(transform: str) -> None:
    graph = parse(NET)
    graph.outputs = ()
    with pytest.raises(TargetError, match=f"{transform}: no outputs are named, so that nothing would stay"):
        ours(graph, transform)
