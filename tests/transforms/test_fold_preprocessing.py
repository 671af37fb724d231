"""Preprocessing in the graph: to raw values it answers as the model does to preprocessed ones, in few nodes."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mobile_export.data.preprocess import Preprocessed
from mobile_export.graphs.graph import Graph, node_name
from mobile_export.runner import run_samples
from mobile_export.session import Session, import_tensorflow
from mobile_export.target import Preprocessing
from mobile_export.transforms import relative_difference
from mobile_export.transforms.fold_preprocessing import fold_preprocessing
from tests.formats.tf_graphs import make_graph, weights

tf = import_tensorflow()

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 3)).astype(np.uint8)
SCALE = 1 / 255
IMAGENET = Preprocessing(scale=SCALE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
CAFFE = Preprocessing(mean=(103.9, 116.8, 123.7), channel_order="bgr")
BOTH = Preprocessing(scale=SCALE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), channel_order="bgr")
SCALED = Preprocessing(scale=SCALE)
CENTRED = Preprocessing(scale=2 * SCALE, mean=(1.0,))
RECIPES = {"imagenet": IMAGENET, "caffe": CAFFE, "both": BOTH, "scaled": SCALED, "centred": CENTRED}


def graph_of(
    build: Callable[[Any], Any], shape: tuple[int | None, ...] = (None, 6, 6, 3), dtype: Any = tf.float32
) -> Graph:
    def both(tf1: Any) -> tuple[list[Any], list[Any]]:
        x = tf1.placeholder(dtype, shape, name="x")
        return [x], [tf.identity(build(x), "y")]

    return make_graph(both, ["image"], ["scores"])


def conv(x: Any, padding: Any, *shape: int) -> Any:
    return tf.nn.conv2d(x, weights(1, *shape), 1, padding)


def valid(x: Any) -> Any:
    return conv(x, "VALID", 3, 3, 3, 4)


def with_bias(x: Any) -> Any:
    return tf.nn.relu(tf.nn.bias_add(valid(x), weights(2, 4)))


def with_a_bias_that_others_read(x: Any) -> Any:
    bias = tf.constant(weights(2, 4))
    return tf.nn.bias_add(tf.nn.bias_add(valid(x), bias), bias)


def read_twice_behind(x: Any) -> Any:
    y = valid(x)
    return tf.nn.relu(y) + y


def same(x: Any) -> Any:
    return tf.nn.bias_add(conv(x, "SAME", 3, 3, 3, 4), weights(2, 4))


def explicit(x: Any) -> Any:
    return conv(x, [[0, 0], [1, 0], [2, 1], [0, 0]], 3, 3, 3, 4)


def depthwise(x: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, weights(1, 3, 3, 3, 2), [1, 1, 1, 1], "VALID")


def depthwise_same(x: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, weights(1, 3, 3, 3, 2), [1, 1, 1, 1], "SAME")


def grouped(x: Any) -> Any:
    return tf.nn.conv2d(x, weights(1, 3, 3, 1, 6), 1, "VALID")


def two_readers(x: Any) -> Any:
    return valid(x) + tf.reduce_mean(x)


def shared_weights(x: Any) -> Any:
    w = tf.constant(weights(1, 3, 3, 3, 3))
    return tf.nn.conv2d(tf.nn.conv2d(x, w, 1, "VALID"), w, 1, "VALID")


def padded_before(x: Any) -> Any:
    return valid(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))


def unless_scaled(op: str) -> dict[str, list[str]]:
    return {recipe: [] if recipe == "scaled" else [op] for recipe in RECIPES}


FEW = {
    valid: unless_scaled("BiasAdd"),
    with_bias: {recipe: [] for recipe in RECIPES},
    with_a_bias_that_others_read: unless_scaled("BiasAdd"),
    read_twice_behind: unless_scaled("BiasAdd"),
    same: unless_scaled("AddV2"),
    explicit: unless_scaled("AddV2"),
    depthwise: {"imagenet": ["BiasAdd"], "scaled": [], "both": ["AddV2", "Mul", "ReverseV2"]},
    depthwise_same: {"imagenet": ["AddV2"], "scaled": []},
    grouped: {"imagenet": ["AddV2", "Mul"], "scaled": ["Mul"]},
    two_readers: {"imagenet": ["AddV2", "Mul"], "caffe": ["AddV2", "ReverseV2"]},
    shared_weights: {"imagenet": ["AddV2", "Mul"]},
    padded_before: {"both": ["AddV2", "Mul", "ReverseV2"], "scaled": ["Mul"]},
}
"""By the model: what each recipe adds besides constants."""


def difference(graph: Graph, folded: Graph, how: Preprocessing, raw: np.ndarray) -> float:
    with Session(graph) as before, Session(folded) as after:
        expected = run_samples(Preprocessed(before, {"image": how}), {"image": raw})
        answers = run_samples(after, {"image": raw})
    return max(relative_difference(expected[name], answers[name]) for name in expected)


def added(graph: Graph, folded: Graph) -> list[str]:
    ops = [Counter(node.op for node in g.nodes.values() if node.op != "Const") for g in (folded, graph)]
    return sorted((ops[0] - ops[1]).elements())


@pytest.mark.parametrize(
    ("build", "recipe", "nodes"), [(build, recipe, n) for build, few in FEW.items() for recipe, n in few.items()]
)
def test_raw_values_get_the_answers_of_preprocessed_ones(build: Any, recipe: str, nodes: list[str]) -> None:
    graph, how = graph_of(build), RECIPES[recipe]
    before = graph.copy()
    folded = fold_preprocessing(graph, {"image": how})
    assert graph.same_as(before)
    assert folded.problems() == []
    assert (folded.inputs, [spec.name for spec in folded.outputs]) == (graph.inputs, ["scores"])
    assert difference(graph, folded, how, IMAGES) < 1e-5
    assert difference(graph, graph, how, IMAGES) > 0.1  # or nothing is proved
    assert added(graph, folded) == nodes
    seen: set[str] = set()
    for name, node in folded.nodes.items():
        assert {node_name(i) for i in node.input} <= seen
        seen.add(name)


@pytest.mark.parametrize("transposed", [False, True])
def test_matrix_products_take_it(transposed: bool) -> None:
    how = BOTH
    w = weights(1, 5, 3) if transposed else weights(1, 3, 5)
    graph = graph_of(lambda x: tf.nn.bias_add(tf.matmul(x, w, transpose_b=transposed), weights(2, 5)), (None, 3))
    folded = fold_preprocessing(graph, {"image": how})
    assert added(graph, folded) == []
    assert difference(graph, folded, how, IMAGES[0, 0]) < 1e-5


def test_other_layouts_of_a_matrix_product_get_nodes() -> None:
    graph = graph_of(lambda x: tf.matmul(x, weights(1, 2, 5), transpose_a=True), (2, 3))
    assert added(graph, fold_preprocessing(graph, {"image": IMAGENET})) == ["AddV2", "Mul"]


def test_channels_in_front_get_nodes() -> None:
    def nchw(x: Any) -> Any:
        return tf.raw_ops.Conv2D(
            input=x, filter=weights(1, 1, 1, 3, 4), strides=[1, 1, 1, 1], padding="VALID", data_format="NCHW"
        )

    graph = graph_of(nchw, (None, 3, 6, 3))
    assert added(graph, fold_preprocessing(graph, {"image": SCALED})) == ["Mul"]


def test_an_input_that_is_an_output_is_answered_preprocessed() -> None:
    graph = graph_of(lambda x: x)
    graph.outputs = (*graph.outputs, graph.inputs[0].__class__("given", "x:0", "float32", None))
    folded = fold_preprocessing(graph, {"image": BOTH})
    assert difference(graph, folded, BOTH, IMAGES) < 1e-6


def test_other_types_keep_theirs() -> None:
    for dtype in (tf.float16, tf.float64):
        graph = graph_of(lambda x: x * 2, dtype=dtype)
        folded = fold_preprocessing(graph, {"image": BOTH})
        assert difference(graph, folded, BOTH, IMAGES) < 0.01


def test_what_has_no_preprocessing_stays() -> None:
    graph = graph_of(valid)
    neutral = fold_preprocessing(graph, {"image": Preprocessing()})
    assert added(graph, neutral) == []
    assert difference(graph, neutral, Preprocessing(), IMAGES) == 0
    assert added(graph, fold_preprocessing(graph, {})) == []
