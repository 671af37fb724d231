"""Factors per channel go into weights as the original folds them, and where that is wrong they stay."""

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph
from tests.graph_text import parse
from tests.graph_transform_tool import small_graphs
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better
from tests.graph_transform_tool.original import OriginalError
from tests.graph_transform_tool.tf_graphs import graph_of, tf, tf1

CONV = """
x = Placeholder float32[1,6,5,2]
w = Const float32[1,2,2,3] ~1
c = Conv2D(x, w) padding=VALID strides=[1,1,1,1]
s = Const float32[3] ~2
y = Mul(c, s)
input x = x:0
output y = y:0
"""
MATMUL = """
x = Placeholder float32[6,2]
w = Const float32[2,3] ~1
c = MatMul(x, w)
s = Const float32[3] ~2
y = Mul(c, s)
input x = x:0
output y = y:0
"""
DEPTHWISE = CONV.replace("Conv2D", "DepthwiseConv2dNative").replace("float32[3]", "float32[6]")


def right(found: Graph, graph: Graph) -> bool:
    return np.allclose(answers(found, graph)[0], answers(graph, graph)[0], rtol=1e-5, atol=1e-5)


def stays(graph: Graph, call: str = "fold_batch_norms") -> bool:
    return agree(graph, call).nodes.keys() == graph.nodes.keys()


@pytest.mark.parametrize("text", [CONV, MATMUL, DEPTHWISE])
def test_each_operator(text: str) -> None:
    graph = parse(text)
    found = agree(graph, "fold_batch_norms", tolerance=0)
    assert found.nodes.keys() == {"x", "w", "y"}
    assert found.nodes["y"].op == graph.nodes["c"].op
    assert right(found, graph)


@pytest.mark.parametrize(
    "change",
    [
        ("Mul(c, s)", "Mul(s, c)"),  # the factors have to be the second operand
        ("y = Mul(c, s)", "m = Mul(c, s)\nr = Relu(c)\ny = Add(m, r)"),
        ("y = Mul(c, s)", "m = Mul(c, s)\nd = Conv2D(x, w) padding=VALID strides=[1,1,1,1]\ny = Add(m, d)"),
        ("y = Mul(c, s)", "m = Mul(c, s)\ny = Add(m, s)"),
        (
            "y = Mul(c, s)",
            "m = Mul(c, s)\nr = Relu(x, ^s)\nq = Sum(r, a) Tidx=int32\na = Const int32[]: 3\ny = Add(m, m)",
        ),
        ("Conv2D(x, w)", "Conv2D(x, i)\ni = Identity(w)"),
        ("Mul(c, s)", "Mul(i, s)\ni = Identity(c)"),
    ],
)
def test_what_the_original_leaves(change: tuple[str, str]) -> None:
    graph = parse(
        CONV.replace(*change).replace("c = Conv2D(x, i)\ni = Identity(w) ", "i = Identity(w)\nc = Conv2D(x, i) ")
    )
    if "^s" in change[1]:
        graph.nodes["y"].input.append("^r")
    assert stays(graph)


@pytest.mark.parametrize("shape", ["[]", "[1,1,1,3]", "[1]", "[3,1]"])
def test_better_factors_that_are_broadcast_are_no_batch_norm(shape: str) -> None:
    graph = parse(CONV.replace("float32[3]", f"float32{shape}").replace("float32[1,6,5,2]", "float32[1,6,4,2]"))
    found, expected = ours_is_better(graph, "fold_batch_norms")
    assert isinstance(expected, OriginalError)
    assert "Mul constant input to batch norm has bad shape" in str(expected)
    assert found.nodes == graph.nodes
    assert all(found.constants[name] is value for name, value in graph.constants.items())


def test_better_a_scalar_beside_a_batch_norm() -> None:
    """The error of the original ends the pipeline before the batch norm is folded."""
    text = CONV.replace(
        "y = Mul(c, s)",
        """m = Mul(c, s)
v = Const float32[1,1,3,3] ~3
r = Relu(m)
d = Conv2D(r, v) padding=SAME strides=[1,1,1,1]
h = Const float32[]: 0.5
y = Mul(d, h)""",
    )
    found, expected = ours_is_better(parse(text), "fold_batch_norms")
    assert isinstance(expected, OriginalError)
    assert found.nodes.keys() == {"x", "w", "m", "r", "v", "d", "h", "y"}
    assert right(found, parse(text))


def test_one_of_two_branches_in_one_run() -> None:
    graph = parse(
        CONV.replace(
            "y = Mul(c, s)",
            """m = Mul(c, s)
v = Const float32[1,2,2,3] ~3
d = Conv2D(x, v) padding=VALID strides=[1,1,1,1]
t = Const float32[3] ~4
n = Mul(d, t)
y = Add(m, n)""",
        )
    )
    assert [node.op for node in agree(graph, "fold_batch_norms").nodes.values()].count("Mul") == 1
    assert right(agree(graph, "fold_batch_norms fold_batch_norms"), graph)


def test_one_after_the_other() -> None:
    graph = parse(
        CONV.replace(
            "y = Mul(c, s)",
            """m = Mul(c, s)
v = Const float32[1,1,3,4] ~3
r = Relu(m)
d = Conv2D(r, v) padding=SAME strides=[1,2,2,1]
t = Const float32[4] ~4
y = Mul(d, t)""",
        )
    )
    found = agree(graph, "fold_batch_norms")
    assert found.nodes.keys() == {"x", "w", "m", "r", "v", "y"}
    assert right(found, graph)


def test_a_whole_network() -> None:
    assert stays(small_graphs.conv_net())

    def build() -> None:
        h = tf1.placeholder(tf.float32, [1, 6, 5, 2], "x")
        rng = np.random.default_rng(0)
        for channels in (3, 4):
            kernel = tf.constant(rng.normal(size=(3, 3, int(h.shape[-1]), channels)).astype(np.float32))
            scale, shift = (tf.constant(rng.normal(size=channels).astype(np.float32)) for _ in range(2))
            h = tf.nn.relu(tf.add(tf.nn.conv2d(h, kernel, 1, "SAME") * scale, shift))
        tf.identity(h, "y")

    graph = graph_of(build, ["x"], ["y"])
    found = agree(graph, "fold_batch_norms")
    assert "Mul" not in {node.op for node in found.nodes.values()}
    assert right(found, graph)


def test_the_given_graph_stays_as_it_is() -> None:
    graph = parse(CONV)
    before = graph.constants["w"].copy()
    ours(graph, "fold_batch_norms")
    assert np.array_equal(graph.constants["w"], before)
    assert "s" in graph.nodes


def test_better_transposed_weights() -> None:
    graph = parse(
        MATMUL.replace("float32[2,3]", "float32[3,2]").replace("MatMul(x, w)", "MatMul(x, w) transpose_b=true")
    )
    found, expected = ours_is_better(graph, "fold_batch_norms")
    assert "bad shape" in str(expected)
    assert found.nodes.keys() == {"x", "w", "y"}
    assert right(found, graph)

    square = parse(MATMUL.replace("[6,2]", "[6,3]").replace("[2,3]", "[3,3]").replace("w)", "w) transpose_b=true"))
    found, expected = ours_is_better(square, "fold_batch_norms")
    assert not right(expected, square)
    assert right(found, square)


def test_better_channels_that_come_first() -> None:
    graph = parse(
        CONV.replace("strides=[1,1,1,1]", "strides=[1,1,1,1] data_format=NCHW").replace("[1,6,5,2]", "[1,2,6,4]")
    )
    found, expected = ours_is_better(graph, "fold_batch_norms")
    assert expected.nodes.keys() == {"x", "w", "y"}, "folded over the width, as if that were the channels"
    assert found.nodes.keys() == graph.nodes.keys()


def test_better_a_convolution_that_is_an_output() -> None:
    graph = parse(CONV + "output c = c:0")
    found, expected = ours_is_better(graph, "fold_batch_norms")
    assert "c" not in expected.nodes
    assert found.nodes.keys() == graph.nodes.keys()


def test_better_weights_that_are_the_image_too() -> None:
    graph = parse("""
    x = Placeholder float32[2,2]
    w = Const float32[2,2] ~1
    c = MatMul(w, w)
    s = Const float32[2] ~2
    m = Mul(c, s)
    y = Add(m, x)
    input x = x:0
    output y = y:0
    """)
    found, expected = ours_is_better(graph, "fold_batch_norms")
    assert isinstance(expected, ModelError), "there are two of the weights"
    assert right(found, graph)


def test_better_control_edges_stay() -> None:
    graph = parse(CONV.replace("Mul(c, s)", "Mul(c, s, ^e)\ne = NoOp(^x)"))
    graph.nodes["c"].input.append("^e")
    graph.nodes["w"].input.append("^x")
    found, expected = ours_is_better(graph, "fold_batch_norms")
    assert (list(found.nodes["y"].input), list(found.nodes["w"].input)) == (["x", "w", "^e"], ["^x"])
    assert not expected.nodes["w"].input
    assert right(found, graph)


def test_better_other_types() -> None:
    for dtype, folds in (("float64", True), ("float16", False)):
        graph = parse(
            MATMUL.replace("float32", dtype).replace("(x, w)", f"(x, w) T={dtype}").replace("s)", f"s) T={dtype}")
        )
        found, expected = ours_is_better(graph, "fold_batch_norms")
        assert isinstance(expected, Exception), "it dies"
        assert ("c" not in found.nodes) == folds
