"""Batch norms and ranges found in graphs as TensorFlow makes them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mobile_export.data_checks.traces import Factor, Norm, Range, first_norms, first_steps
from mobile_export.graphs.graph import Graph
from mobile_export.session import import_tensorflow
from tests.data_checks.evidence import as_graph
from tests.graph_text import parse

MEAN, VARIANCE = np.array([0.5, -1.0, 2.0], np.float32), np.array([1.0, 4.0, 0.25], np.float32)
ONES, ZEROS = np.ones(3, np.float32), np.zeros(3, np.float32)

Layer = Callable[[Any, Any], Any]
"""TensorFlow and a tensor of three channels to another one."""


def built(layer: Layer, shape: tuple[int | None, ...] = (None, 8, 8, 3)) -> Graph:
    tf = import_tensorflow().compat.v1
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, shape, name="x")
        return as_graph(graph, {"x": x}, layer(tf, x))


def fused(tf: Any, x: Any, mean: np.ndarray = MEAN, variance: np.ndarray = VARIANCE, layout: str = "NHWC") -> Any:
    return tf.nn.fused_batch_norm(x, ONES, ZEROS, mean, variance, 1e-3, layout, is_training=False)[0]


def spelled_out(tf: Any, x: Any) -> Any:
    return tf.nn.batch_normalization(x, MEAN, VARIANCE, ZEROS, ONES * 2, 1e-3)


FORMS: dict[str, Layer] = {
    "fused": fused,
    "spelled out": spelled_out,
    "without gamma": lambda tf, x: tf.nn.batch_normalization(x, MEAN, VARIANCE, ZEROS, None, 1e-3),
    "behind identities": lambda tf, x: tf.nn.batch_normalization(
        x, tf.identity(tf.constant(MEAN)), tf.identity(tf.constant(VARIANCE)), ZEROS, ONES, 1e-3
    ),
    "channels first": lambda tf, x: fused(tf, tf.transpose(x, [0, 3, 1, 2]), layout="NCHW"),
}


@pytest.mark.parametrize("layer", FORMS.values(), ids=FORMS)
def test_forms(layer: Layer) -> None:
    graph = built(lambda tf, x: tf.nn.relu(layer(tf, x + 1.0)))
    (norm,) = first_norms(graph)
    np.testing.assert_allclose(norm.mean, MEAN)
    np.testing.assert_allclose(norm.variance, VARIANCE + 1e-3)
    assert norm.axis == (1 if "Transpose" in {node.op for node in graph.nodes.values()} else -1)
    assert norm.tensor in graph.nodes


def test_the_operator_of_2015() -> None:
    graph = parse(
        """
        input x = x:0 float32[?,8,8,3]
        x = Placeholder float32[?,8,8,3]
        gamma = Const float32[3] +1
        beta = Const float32[3] ~2
        mean = Const float32[3] ~3
        variance = Const float32[3] +4
        norm = BatchNormWithGlobalNormalization(x, mean, variance, beta, gamma) variance_epsilon=0.001
        output y = norm:0
        """
    )
    (norm,) = first_norms(graph)
    np.testing.assert_allclose(norm.mean, graph.constants["mean"])
    np.testing.assert_allclose(norm.variance, graph.constants["variance"] + 0.001)


def test_only_the_first_ones() -> None:
    graph = built(lambda tf, x: fused(tf, tf.nn.relu(fused(tf, x))) + spelled_out(tf, x))
    assert len(first_norms(graph)) == 2


NO_NORMS: dict[str, Layer] = {
    "untrained": lambda tf, x: fused(tf, x, ZEROS, ONES),
    "not finite": lambda tf, x: fused(tf, x, MEAN * np.float32(np.nan)),
    "of the batch itself": lambda tf, x: tf.nn.fused_batch_norm(x, ONES, ZEROS)[0],
    "layer normalization": lambda tf, x: tf.nn.batch_normalization(
        x, *tf.nn.moments(x, [1, 2], keepdims=True), ZEROS, ONES, 1e-3
    ),
    "a plain root": lambda tf, x: x * tf.math.rsqrt(tf.constant(VARIANCE)),
    "none": lambda tf, x: tf.nn.relu(x),
    "not of the data": lambda tf, x: tf.reduce_mean(x, [1, 2]) + tf.reduce_mean(fused(tf, tf.ones([1, 4, 4, 3]))),
}


@pytest.mark.parametrize("layer", NO_NORMS.values(), ids=NO_NORMS)
def test_what_has_seen_no_training(layer: Layer) -> None:
    assert first_norms(built(layer)) == []


def test_inside_of_a_loop_nothing_can_be_seen() -> None:
    import_tensorflow().compat.v1.disable_control_flow_v2()
    graph = built(lambda tf, x: tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, fused(tf, h)), (0, x))[1])
    assert "FusedBatchNormV3" in {node.op for node in graph.nodes.values()}
    assert first_norms(graph) == []


def test_constants_that_would_fill_the_memory_are_left_alone() -> None:
    def huge(tf: Any, x: Any) -> Any:
        return tf.nn.batch_normalization(x, MEAN, tf.fill([1 << 30, 1, 1, 3], 2.0), ZEROS, ONES, 1e-3)

    assert first_norms(built(huge)) == []


def test_distance() -> None:
    norm = Norm("norm", "x", -1, np.array([0.0, 2.0, 5.0]), np.array([1.0, 4.0, 9.0]))
    mean, variance = norm.mean, norm.variance
    assert norm.distance(mean, variance + mean**2) == pytest.approx(0, abs=1e-3)
    shifted = mean + 1.5 * np.sqrt(variance)
    assert norm.distance(shifted, variance + shifted**2) == pytest.approx(1.5, rel=1e-3)
    assert norm.distance(mean, variance * np.e**2 + mean**2) == pytest.approx(1, rel=1e-3)
    assert norm.distance(mean, np.array([1.0, np.inf, 1.0])) == np.inf
    dead = mean.copy()
    dead[0] = 100.0
    assert norm.distance(dead, variance + dead**2) == pytest.approx(0, abs=1e-3)


STEPS: dict[str, tuple[Layer, list[object]]] = {
    "fake quantization": (
        lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, -1.0, 1.0, name="q"),
        [Range("q", "x", -1.0, 1.0, True)],
    ),
    "its attributes": (
        lambda tf, x: tf.quantization.fake_quant_with_min_max_args(tf.identity(x), 0.0, 255.0, name="q"),
        [Range("q", "x", 0.0, 255.0, True)],
    ),
    "a clip": (
        lambda tf, x: tf.raw_ops.ClipByValue(t=x, clip_value_min=0.0, clip_value_max=1.0, name="c"),
        [Range("c", "x", 0.0, 1.0, False)],
    ),
    "a factor": (lambda tf, x: tf.multiply(x, 0.5, name="m"), [Factor("m", "x", 0.5)]),
    "from the left": (lambda tf, x: tf.multiply(0.5, x, name="m"), [Factor("m", "x", 0.5)]),
    "a quotient": (lambda tf, x: tf.divide(x, -4.0, name="m"), [Factor("m", "x", 0.25)]),
    "zero": (lambda tf, x: tf.multiply(x, 0.0), []),
    "a factor of each channel": (lambda tf, x: x * MEAN, []),
    "the reciprocal": (lambda tf, x: tf.math.reciprocal(x), []),
    "by another tensor": (lambda tf, x: x * tf.reduce_mean(x), []),
    "a bound on one side": (lambda tf, x: tf.maximum(x, 1e-6), []),
    "two readers": (lambda tf, x: x * 0.5 + tf.nn.relu(x), []),
    "a layer": (lambda tf, x: tf.nn.relu(x), []),
}


@pytest.mark.parametrize(("layer", "steps"), STEPS.values(), ids=STEPS)
def test_first_steps(layer: Layer, steps: list[object]) -> None:
    assert first_steps(built(layer)) == steps
