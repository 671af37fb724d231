"""Batch norms are folded as the original folds them; where that is wrong, dies or never ends, ours is right."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph
from tests.graph_text import parse
from tests.graph_transform_tool import original as original_module
from tests.graph_transform_tool import small_graphs
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, theirs
from tests.graph_transform_tool.original import OriginalAborted, OriginalError
from tests.graph_transform_tool.tf_graphs import graph_of, tf, tf1

CALL = "fold_old_batch_norms"
FUSED = "FusedBatchNorm({x}, gamma, beta, mean, variance) epsilon=0.001 is_training=false"
OLD = (
    "BatchNormWithGlobalNormalization({x}, mean, variance, beta, gamma) variance_epsilon=0.001 "
    "scale_after_normalization={scale}"
)
STATISTICS = """
gamma = Const float32[N] ~11
beta = Const float32[N] ~12
mean = Const float32[N] ~13
variance = Const float32[N] +14
"""
CONV = (
    """
x = Placeholder float32[1,6,5,2]
w = Const float32[2,2,2,4] ~1
c = Conv2D(x, w) padding=VALID strides=[1,1,1,1]
"""
    + STATISTICS.replace("N", "4")
    + f"y = {FUSED.format(x='c')}\ninput x = x:0\noutput y = y:0\n"
)
DEPTHWISE = CONV.replace("Conv2D", "DepthwiseConv2dNative").replace("float32[4]", "float32[8]")
MERGE = """b = BatchToSpaceND(c, block, crops) Tblock_shape=int32 Tcrops=int32
block = Const int32[2]: 2 2
crops = Const int32[2,2]: 0 1 0 1
"""
SPLIT = "s = SpaceToBatchND(x, block, pads) Tblock_shape=int32 Tpaddings=int32\npads = Const int32[2,2]: 0 0 0 1\n"
BATCH_TO_SPACE = CONV.replace("c = Conv2D(x, w)", SPLIT + MERGE + "c = Conv2D(s, w)").replace("Norm(c,", "Norm(b,")
CONCAT = """
x = Placeholder float32[1,6,5,2]
z = Placeholder float32[1,6,5,2]
v = Const float32[2,2,2,3] ~1
w = Const float32[2,2,2,4] ~2
c = Conv2D(x, v) padding=SAME strides=[1,1,1,1]
d = Conv2D(z, w) padding=SAME strides=[1,1,1,1]
axis = Const int32[]: 3
k = ConcatV2(c, d, axis) N=2 Tidx=int32
""" + (STATISTICS.replace("N", "7") + f"y = {FUSED.format(x='k')}\ninput x = x:0\ninput z = z:0\noutput y = y:0\n")
ROWS = CONCAT.replace("2,2,2,3", "2,2,2,4").replace("[7]", "[4]").replace("[]: 3", "[]: 1")


def right(found: Graph, graph: Graph) -> bool:
    pairs = zip(answers(found, graph), answers(graph, graph), strict=True)
    return all(one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-4) for one, other in pairs)


def folded(found: Graph) -> bool:
    return not {"FusedBatchNorm", "BatchNormWithGlobalNormalization"} & {node.op for node in found.nodes.values()}


def stays(found: Graph, graph: Graph) -> bool:
    return found.nodes == graph.nodes and all(found.constants[n] is value for n, value in graph.constants.items())


def before_2016(text: str) -> Graph:
    """A graph of a time when BatchNormWithGlobalNormalization could be used."""
    graph = parse(text)
    graph.versions.producer = 8
    return graph


@pytest.mark.parametrize("text", [CONV, DEPTHWISE])
def test_after_a_convolution(text: str) -> None:
    graph = parse(text)
    found = agree(graph, CALL)
    assert found.nodes.keys() == {"x", "w", "c", "c_bn_offset", "y"}
    assert right(found, graph)


@pytest.mark.parametrize("scale", ["true", "false"])
@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative"])
def test_the_operator_of_2015(op: str, scale: str) -> None:
    text = CONV if op == "Conv2D" else DEPTHWISE
    graph = before_2016(text.replace(FUSED.format(x="c"), OLD.format(x="c", scale=scale)))
    found = agree(graph, CALL)
    assert folded(found)
    assert right(found, graph)


@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative"])
def test_with_batch_to_space(op: str) -> None:
    channels = "float32[4]" if op == "Conv2D" else "float32[8]"
    graph = parse(BATCH_TO_SPACE.replace("Conv2D", op).replace("float32[4]", channels))
    found = agree(graph, CALL)
    assert found.nodes["y"].op == "BatchToSpaceND"
    assert found.nodes["y"].input[0] == "c/biasadd"
    assert right(found, graph)


@pytest.mark.parametrize("text", [CONCAT, ROWS])
def test_with_concat(text: str) -> None:
    graph = parse(text)
    found = agree(graph, CALL)
    assert found.nodes["y"].input[:2] == ["k_bn_in0", "k_bn_in1"]
    assert right(found, graph)


@pytest.mark.parametrize(
    "change",
    [
        ("FusedBatchNorm(", "FusedBatchNormV2("),
        ("FusedBatchNorm(", "FusedBatchNormV3("),
        ("Norm(c,", "Norm(a,"),
        ("Norm(c,", "Norm(i,"),
        ("(x, w)", "(x, j)"),
        ("gamma, beta", "h, beta"),
    ],
)
def test_what_the_original_leaves(change: tuple[str, str]) -> None:
    extra = """a = BiasAdd(c, beta)
    i = Identity(c)
    h = Identity(gamma)
    j = Identity(w)
    input"""
    graph = parse(CONV.replace(*change).replace("input", extra, 1))
    for op in ("FusedBatchNormV2", "FusedBatchNormV3"):
        if graph.nodes["y"].op == op:
            graph.nodes["y"].attr["U"].type = 1
    unused = {"a", "i", "h", "j"} - {name for name in "aihj" if graph.consumers()[name]}
    graph.remove(unused)
    assert stays(agree(graph, CALL), graph)


def test_concat_of_three_or_of_others_stays() -> None:
    three = parse(CONCAT.replace("(c, d, axis) N=2", "(c, d, d, axis) N=3").replace("[7]", "[11]"))
    assert stays(agree(three, CALL), three)
    relu = parse(CONCAT.replace("(c, d, axis)", "(c, r, axis)").replace("axis =", "r = Relu(d)\naxis ="))
    assert stays(agree(relu, CALL), relu)
    first = parse(CONCAT.replace("ConcatV2(c, d, axis) N=2 Tidx=int32", "Concat(axis, c, d) N=2"))
    assert stays(agree(first, CALL), first)


def test_data_format_goes_to_the_bias() -> None:
    found = agree(parse(CONV.replace("strides=", "data_format=NHWC strides=")), CALL)
    assert found.nodes["y"].attr["data_format"].s == b"NHWC"
    first = CONV.replace("strides=", "data_format=NCHW strides=").replace("is_training", "data_format=NCHW is_training")
    found = agree(parse(first), CALL)
    assert found.nodes["y"].attr["data_format"].s == b"NCHW"


def test_one_after_the_other_and_side_by_side() -> None:
    def build() -> None:
        h = tf1.placeholder(tf.float32, [1, 8, 8, 3], "x")
        rng = np.random.default_rng(0)

        def layer(h: tf.Tensor, channels: int) -> tf.Tensor:
            kernel = rng.normal(size=(3, 3, int(h.shape[-1]), channels)).astype(np.float32)
            numbers = rng.uniform(0.5, 1.5, (4, channels)).astype(np.float32)
            return tf.nn.relu(
                tf1.nn.fused_batch_norm(tf.nn.conv2d(h, kernel, 1, "SAME"), *numbers, is_training=False)[0]
            )

        h = layer(layer(h, 4), 4)
        tf.concat([layer(h, 2), layer(h, 3)], 3, name="y")

    graph = graph_of(build, ["x"], ["y"])
    for node in graph.nodes.values():
        if node.op == "FusedBatchNormV3":
            node.op = "FusedBatchNorm"
            node.attr.pop("U")
    found = agree(graph, CALL)
    assert folded(found)
    assert right(found, graph)


def test_the_newer_operator_in_a_whole_network_stays() -> None:
    agree(small_graphs.conv_net(), CALL)


@pytest.mark.parametrize("name", ["gamma", "beta", "variance"])
def test_numbers_of_another_shape_are_an_error(name: str) -> None:
    for shape in ("[1,4]", "[3]", "[]"):
        graph = parse(CONV.replace(f"{name} = Const float32[4]", f"{name} = Const float32{shape}"))
        with pytest.raises(OriginalError, match=f"(?i){name} input to batch norm has bad shape"):
            theirs(graph, CALL)
        with pytest.raises(ModelError, match=f"(?i)node 'y': {name} input to batch norm has bad shape"):
            ours(graph, CALL)


def test_the_given_graph_stays_as_it_is() -> None:
    graph = parse(CONV)
    before, nodes = graph.constants["w"].copy(), graph.copy().nodes
    ours(graph, CALL)
    assert np.array_equal(graph.constants["w"], before)
    assert graph.nodes == nodes


def test_better_versions_stay() -> None:
    found, expected = ours_is_better(parse(CONV), CALL)
    assert (found.versions.producer, expected.versions.producer) == (2000, 0)


WRONG_NUMBERS = {
    "a second reader of the convolution": ("output y = y:0", "r = Relu(c)\noutput y = y:0\noutput r = r:0"),
    "the convolution is an output": ("output y = y:0", "output y = y:0\noutput c = c:0"),
    "weights that two convolutions share": (
        "output y = y:0",
        "d = Conv2D(x, w) padding=SAME strides=[1,1,1,1]\noutput y = y:0\noutput d = d:0",
    ),
    "weights that are an output": ("output y = y:0", "output y = y:0\noutput w = w:0"),
}


@pytest.mark.parametrize("change", WRONG_NUMBERS.values(), ids=WRONG_NUMBERS.keys())
def test_better_where_somebody_else_looks(change: tuple[str, str]) -> None:
    graph = parse(CONV.replace(*change))
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert stays(found, graph)


def test_better_shared_weights_under_two_batch_norms() -> None:
    other = re.sub("(gamma|beta|mean|variance)", r"\1_d", STATISTICS.replace("N", "4") + f"z = {FUSED.format(x='d')}")
    text = CONV + f"d = Conv2D(x, w) padding=SAME strides=[1,1,1,1]\n{other}\noutput z = z:0"
    graph = parse(text)
    found, expected = ours_is_better(graph, CALL)
    assert not right(expected, graph)
    assert stays(found, graph)


def test_better_shared_numbers_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(original_module, "SECONDS", 3)
    graph = parse(
        CONV.replace(
            "output y = y:0",
            "v = Const float32[1,2,2,4] ~5\nd = Conv2D(x, v) padding=SAME strides=[1,1,1,1]\n"
            f"z = {FUSED.format(x='d')}\noutput y = y:0\noutput z = z:0",
        )
    )
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, OriginalAborted), "an endless loop"
    assert found.nodes.keys() == {"x", "w", "v", "c", "d", "c_bn_offset", "d_bn_offset", "y", "z"}
    assert right(found, graph)


def test_better_numbers_that_are_read_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(original_module, "SECONDS", 3)
    graph = parse(
        CONV.replace(
            "output y = y:0",
            "z = Mul(x, q)\nq = Sum(beta, a) Tidx=int32\na = Const int32[]: 0\noutput y = y:0\noutput z = z:0",
        )
    )
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, OriginalAborted), "an endless loop"
    assert folded(found)
    assert "beta" in found.nodes
    assert right(found, graph)


def test_better_branches_of_one_image() -> None:
    graph = parse(
        CONCAT.replace("Conv2D(z, w)", "Conv2D(x, w)").replace("k = Concat", "r = Relu(z)\noutput r = r:0\nk = Concat")
    )
    found, expected = ours_is_better(graph, CALL)
    assert "more than one node named 'x'" in str(expected)
    assert folded(found)
    assert right(found, graph)


def test_better_both_branches_are_one() -> None:
    graph = parse(CONCAT.replace("(c, d, axis)", "(d, d, axis)").replace("[7]", "[8]"))
    found, expected = ours_is_better(graph, CALL)
    assert "more than one node" in str(expected)
    assert stays(found, graph)


def test_better_statistics_that_are_read() -> None:
    graph = parse(CONV.replace("output y = y:0", "z = Relu(y:1)\noutput y = y:0\noutput z = z:0"))
    found, expected = ours_is_better(graph, CALL)
    with pytest.raises(ModelError):
        answers(expected, graph)
    assert stays(found, graph)


def test_better_training() -> None:
    graph = parse(CONV.replace("is_training=false", "is_training=true"))
    for name in ("mean", "variance"):
        graph.constants[name] = np.zeros(0, np.float32)
    found, expected = ours_is_better(graph, CALL)
    assert "bad shape" in str(expected)
    assert stays(found, graph)

    unsaid = parse(CONV.replace(" is_training=false", ""))  # which means that it is
    found, expected = ours_is_better(unsaid, CALL)
    assert folded(expected)
    assert stays(found, unsaid)


def test_better_an_epsilon_that_is_not_written_down() -> None:
    graph = parse(CONV.replace("epsilon=0.001 ", ""))
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, OriginalAborted)
    assert folded(found)
    assert right(found, graph)


def test_better_another_number_of_channels() -> None:
    graph = parse(CONV.replace("float32[4]", "float32[5]"))
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, OriginalAborted)
    assert stays(found, graph)


def test_better_the_last_axis_by_its_other_name() -> None:
    graph = parse(CONCAT.replace("[]: 3", "[]: -1"))
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, OriginalAborted)
    assert folded(found)
    assert right(found, graph)


def test_better_channels_first_side_by_side() -> None:
    first = "data_format=NCHW strides="
    text = (
        CONCAT.replace("strides=", first)
        .replace("is_training", "data_format=NCHW is_training")
        .replace("[]: 3", "[]: 1")
    )
    graph = parse(text)
    found, expected = ours_is_better(graph, CALL)
    assert isinstance(expected, OriginalAborted)
    assert [node.op for node in found.nodes.values()].count("BiasAdd") == 2
    assert [found.constants[name].size for name in ("c_bn_offset", "d_bn_offset")] == [3, 4]


def test_better_channels_in_two_places() -> None:
    graph = parse(CONV.replace("is_training", "data_format=NCHW is_training").replace("[1,6,5,2]", "[1,5,5,2]"))
    found, expected = ours_is_better(graph, CALL)
    assert folded(expected)
    assert stays(found, graph)


def test_better_numbers_that_are_not_finite() -> None:
    graph = parse(CONV.replace("variance = Const float32[4] +14", "variance = Const float32[4]: 1 -1 1 1"))
    found, expected = ours_is_better(graph, CALL)
    assert np.isnan(expected.constants["w"]).any()
    assert stays(found, graph)


@pytest.mark.parametrize(("text", "name"), [(CONV, "c_bn_offset"), (BATCH_TO_SPACE, "c/biasadd"), (CONCAT, "k_bn_in0")])
def test_better_names_that_are_taken(text: str, name: str) -> None:
    graph = parse(text.replace("output y", f"{name} = Relu(x)\nother = Relu({name})\noutput other = other:0\noutput y"))
    found, expected = ours_is_better(graph, CALL)
    assert "more than one node" in str(expected)
    assert folded(found)
    assert right(found, graph)


def test_better_control_edges_stay() -> None:
    graph = parse(CONV.replace("variance)", "variance, ^e)").replace("output", "e = NoOp(^x)\noutput"))
    graph.nodes["w"].input.append("^x")
    found, expected = ours_is_better(graph, CALL)
    assert "^e" not in expected.nodes["y"].input
    assert found.nodes["y"].input[:] == ["c", "c_bn_offset", "^e"]
    assert found.nodes["c_bn_offset"].input[:] == found.nodes["w"].input[:] == ["^x"]
    assert right(found, graph)


def test_better_in_a_loop() -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [1, 5, 5, 2], "x")
        rng = np.random.default_rng(0)

        def body(i: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            kernel = tf.constant(rng.normal(size=(3, 3, 2, 2)).astype(np.float32))
            numbers = [tf.constant(v) for v in rng.uniform(0.5, 1.5, (4, 2)).astype(np.float32)]
            return i + 1, tf1.nn.fused_batch_norm(tf.nn.conv2d(h, kernel, 1, "SAME"), *numbers, is_training=False)[0]

        tf.identity(tf.while_loop(lambda i, _: i < 2, body, [tf.constant(0), x])[1], "y")

    graph = graph_of(build, ["x"], ["y"])
    norm = next(node for node in graph.nodes.values() if node.op == "FusedBatchNormV3")
    norm.op = "FusedBatchNorm"
    norm.attr.pop("U")
    found, expected = ours_is_better(graph, CALL)
    with pytest.raises(ModelError):
        answers(expected, graph)
    assert folded(found)
    assert right(found, graph)


@pytest.mark.parametrize("made", [small_graphs.branch, small_graphs.loop])
def test_graphs_without_any(made: Callable[[], Graph]) -> None:
    graph = made()
    assert stays(agree(graph, CALL), graph)


def test_nodes_with_missing_inputs_are_no_trouble() -> None:
    for text in (CONV, BATCH_TO_SPACE, CONCAT):
        for name in ("y", "b", "c", "k"):
            graph = parse(text)
            if name in graph.nodes:
                del graph.nodes[name].input[:]
                assert stays(ours(graph, CALL), graph)
