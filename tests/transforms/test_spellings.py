"""The default transforms on what TensorFlow's own functions write: batch normalization, dropout, training switches.

Each graph is rewritten by the runner, which holds every step to its promise; here the end is compared with TensorFlow.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.session import Session, import_tensorflow
from mobile_export.transforms import DEFAULT, apply, named, relative_difference

tf = import_tensorflow()
tf1 = tf.compat.v1
CHANNELS = 6
NORM_OPS = "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Rsqrt Sqrt Mul Sub RealDiv Add AddV2".split()


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def positive(seed: int, *shape: int) -> np.ndarray:
    return np.abs(numbers(seed, *shape)) + 0.1


X4 = numbers(1, 5, 8, 8, 4)
X2 = numbers(2, 5, 4)


def rewritten(build: Callable[[Any], Any], x: np.ndarray, expected: Callable[[Any], Any] | None = None) -> Graph:
    """The graph of `build` after the default transforms, which still answers as it did (or as `expected` does)."""
    answer = answer_of(expected or build, x)
    graph, _ = apply(graph_of(build, x), named(DEFAULT), {"x": x})
    with Session(graph) as session:
        assert relative_difference(answer, session({"x": x})["y"]) <= 1e-4
    return graph


def graph_of(build: Callable[[Any], Any], x: np.ndarray) -> Graph:
    with tf.Graph().as_default() as made:
        y = tf.identity(build(placeholder(x)), "y")
    shapes = ((-1, *x.shape[1:]), None if y.shape.rank is None else (-1, *y.shape[1:]))
    specs = [(TensorSpec(n, f"{n}:0", x.dtype.name, shape),) for n, shape in zip("xy", shapes, strict=True)]
    return Graph.from_graph_def(made.as_graph_def(), *specs)


def placeholder(x: np.ndarray) -> Any:
    return tf1.placeholder(x.dtype, [None, *x.shape[1:]], "x")


def answer_of(build: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    config = tf1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True  # it folds until weights overflow
    with tf.Graph().as_default(), tf1.Session(config=config) as session:
        fed = placeholder(x)
        return session.run(build(fed), {fed: x})


def ops_in_order(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes.values()]


def ops(graph: Graph, among: list[str]) -> list[str]:
    return sorted(node.op for node in graph.nodes.values() if node.op in among)


# Batch normalization


def conv(x: Any, channels: int = CHANNELS, seed: int = 3, **options: Any) -> Any:
    return tf.nn.conv2d(x, numbers(seed, 3, 3, x.shape[-1], channels), 1, "SAME", **options)


def depthwise(x: Any, **options: Any) -> Any:
    strides = [1, 1, 1, 1] if options else [1, 2, 2, 1]
    return tf.nn.depthwise_conv2d(tf.concat([x, x], -1)[..., :3], numbers(4, 3, 3, 3, 2), strides, "SAME", **options)


def conv1d(x: Any) -> Any:
    return tf.nn.conv1d(x[:, 0], numbers(3, 3, 4, CHANNELS), 1, "SAME")


LINEAR: dict[str, Callable[[Any], Any]] = {
    "conv": conv,
    "conv and bias": lambda x: tf.nn.bias_add(conv(x), numbers(5, CHANNELS)),
    "conv plus bias": lambda x: conv(x) + numbers(5, CHANNELS),
    "dilated conv": lambda x: conv(x, dilations=2),
    "atrous conv": lambda x: tf.nn.atrous_conv2d(x, numbers(3, 3, 3, 4, CHANNELS), 2, "SAME"),
    "atrous conv and bias": lambda x: tf.nn.bias_add(
        tf.nn.atrous_conv2d(x, numbers(3, 3, 3, 4, CHANNELS), 3, "VALID"), numbers(5, CHANNELS)
    ),
    "conv1d": conv1d,
    "depthwise": depthwise,
    "atrous depthwise": lambda x: depthwise(x, dilations=[2, 2]),
    "separable": lambda x: tf.nn.separable_conv2d(
        x, numbers(6, 3, 3, 4, 2), numbers(7, 1, 1, 8, CHANNELS), [1, 1, 1, 1], "SAME"
    ),
    "matmul": lambda x: tf.matmul(x, numbers(8, 4, CHANNELS)),
    "matmul transposed": lambda x: tf.matmul(x, numbers(8, CHANNELS, 4), transpose_b=True),
    "matmul and bias": lambda x: tf1.nn.xw_plus_b(x, numbers(8, 4, CHANNELS), numbers(5, CHANNELS)),
}
FLAT = {name for name in LINEAR if name.startswith("matmul")}
NOT_IMAGES = {*FLAT, "conv1d"}


def statistics(channels: int = CHANNELS) -> dict[str, Any]:
    return {
        "mean": tf.constant(numbers(11, channels)),
        "variance": tf.constant(positive(12, channels)),
        "offset": tf.constant(numbers(13, channels)),
        "scale": tf.constant(numbers(14, channels)),
    }


def fused(op: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda h: op(x=h, epsilon=1e-2, is_training=False, **statistics())[0]


def decomposed(**changes: None) -> Callable[[Any], Any]:
    return lambda h: tf.nn.batch_normalization(h, **{**statistics(), **changes}, variance_epsilon=1e-3)


def by_hand(h: Any) -> Any:
    s = statistics()
    return (h - s["mean"]) / tf.sqrt(s["variance"] + 1e-3) * s["scale"] + s["offset"]


def by_hand_scale_first(h: Any) -> Any:
    s = statistics()
    return s["offset"] + s["scale"] * ((h - s["mean"]) * tf.math.rsqrt(s["variance"] + 1e-3))


NORMS: dict[str, Callable[[Any], Any]] = {
    "V1": fused(tf.raw_ops.FusedBatchNorm),
    "V2": fused(tf.raw_ops.FusedBatchNormV2),
    "V3": fused(tf.raw_ops.FusedBatchNormV3),
    "fused": lambda h: tf1.nn.fused_batch_norm(h, **statistics(), is_training=False)[0],
    "decomposed": decomposed(),
    "no scale": decomposed(scale=None),
    "no offset": decomposed(offset=None),
    "neither": decomposed(scale=None, offset=None),
    "by hand": by_hand,
    "by hand, scale first": by_hand_scale_first,
}
FUSED = {"V1", "V2", "V3", "fused"}


@pytest.mark.parametrize(
    ("linear", "norm"),
    [(linear, norm) for linear in LINEAR for norm in NORMS if not (linear in NOT_IMAGES and norm in FUSED)],
)
def test_batch_norm_is_folded(linear: str, norm: str) -> None:
    graph = rewritten(lambda x: tf.nn.relu(NORMS[norm](LINEAR[linear](x))), X2 if linear in FLAT else X4)
    assert ops(graph, NORM_OPS) == []
    assert len(ops(graph, ["BiasAdd"])) == 1


@pytest.mark.parametrize("scaled", [False, True])
def test_the_first_batch_norm_of_all_is_folded(scaled: bool) -> None:
    """BatchNormWithGlobalNormalization is in no graph since 2016, and in Inception as it was published."""

    def build(x: Any) -> Any:
        s = statistics() if scaled else {**statistics(), "scale": tf.ones([CHANNELS])}
        return tf.raw_ops.FusedBatchNorm(x=conv(x), epsilon=1e-2, is_training=False, **s)[0]

    before = graph_of(build, X4)
    node = before.nodes["FusedBatchNorm"]
    x, gamma, beta, mean, variance = node.input
    node.op = "BatchNormWithGlobalNormalization"
    node.attr.clear()
    node.attr["T"].type = 1
    node.attr["variance_epsilon"].f = 1e-2
    node.attr["scale_after_normalization"].b = scaled
    node.input[:] = [x, mean, variance, beta, gamma]
    before.versions.producer = 8
    graph, _ = apply(before, named(["remove_identities", "fold_affine"]), {"x": X4})
    assert ops_in_order(graph) == ["Placeholder", "Const", "Conv2D", "BiasAdd", "Const"]
    with Session(graph) as session:
        assert relative_difference(answer_of(build, X4), session({"x": X4})["y"]) <= 1e-4


def test_a_network_of_many() -> None:
    def build(x: Any) -> Any:
        h = tf.nn.relu6(NORMS["V3"](conv(x)))
        h = tf.nn.relu6(NORMS["decomposed"](tf.nn.depthwise_conv2d(h, numbers(4, 3, 3, 6, 1), [1, 2, 2, 1], "SAME")))
        h = NORMS["V1"](conv(h)) + conv(h, seed=9)
        return tf.nn.softmax(NORMS["by hand"](tf.matmul(tf.reduce_mean(h, [1, 2]), numbers(15, 6, 6))))

    graph = rewritten(build, X4)
    assert ops(graph, NORM_OPS) == ["AddV2"]
    assert len(ops(graph, ["BiasAdd"])) == 4


def two_readers(x: Any) -> Any:
    h = conv(x)
    return NORMS["V3"](h) + h


def shared_weights(x: Any) -> Any:
    w = tf.constant(numbers(3, 3, 3, 4, CHANNELS))
    first, second = (tf.nn.conv2d(v, w, 1, "SAME") for v in (x, tf.nn.relu(x)))
    return NORMS["V3"](first) + second


def training_mode(x: Any) -> Any:
    s = statistics()
    return tf1.nn.fused_batch_norm(conv(x), s["scale"], s["offset"], is_training=True)[0]


def batch_statistics(x: Any) -> Any:
    h = conv(x)
    mean, variance = tf.nn.moments(h, [0, 1, 2])
    return tf.nn.batch_normalization(h, mean, variance, numbers(13, CHANNELS), numbers(14, CHANNELS), 1e-3)


def further_output(x: Any) -> Any:
    y, mean, *_ = tf.raw_ops.FusedBatchNormV3(x=conv(x), epsilon=1e-2, is_training=False, **statistics())
    return y + mean


def computed_weights(x: Any) -> Any:
    return NORMS["V3"](tf.nn.conv2d(x, numbers(3, 3, 3, 4, CHANNELS) * tf.reduce_max(x), 1, "SAME"))


def along_the_width(x: Any) -> Any:
    return conv(x, channels=8) * tf.constant(numbers(16, 8, 1))


def broadcast(x: Any) -> Any:
    return conv(x, channels=1) * tf.constant(numbers(16, 3))


def infinite(x: Any) -> Any:
    return tf.where(tf.math.is_finite(conv(x)), conv(x) / tf.constant([0.0, 1, 1, 1, 1, 1]), 1.0)


def overflowing(x: Any) -> Any:
    return tf.nn.conv2d(x * 1e-20, numbers(3, 3, 3, 4, CHANNELS) * 1e10, 1, "SAME") * 1e30


@pytest.mark.parametrize(
    ("build", "kept"),
    [
        (two_readers, ["AddV2", "FusedBatchNormV3"]),
        (shared_weights, ["AddV2", "FusedBatchNormV3"]),
        (training_mode, ["FusedBatchNormV3"]),
        (batch_statistics, ["AddV2", "AddV2", "Mul", "Mul", "Mul", "Rsqrt", "Sub"]),
        (further_output, ["AddV2", "FusedBatchNormV3"]),
        (computed_weights, ["FusedBatchNormV3", "Mul"]),
        (along_the_width, ["Mul"]),
        (broadcast, ["Mul"]),
        (infinite, ["RealDiv"]),
        (overflowing, ["Mul", "Mul"]),
    ],
)
def test_batch_norm_stays(build: Callable[[Any], Any], kept: list[str]) -> None:
    graph = rewritten(build, X4)
    assert ops(graph, NORM_OPS) == kept
    assert ops(graph, ["BiasAdd"]) == []


def shared_statistics(x: Any) -> Any:
    s = statistics()
    return tf.concat(
        [
            tf.raw_ops.FusedBatchNormV3(x=conv(x, seed=seed), epsilon=1e-2, is_training=False, **s)[0]
            for seed in (3, 17)
        ],
        -1,
    )


def twins(x: Any) -> Any:
    return tf.concat([tf.nn.relu(NORMS["V3"](conv(x))) for _ in range(2)], -1)


@pytest.mark.parametrize(("build", "count"), [(shared_statistics, 2), (twins, 1)])
def test_what_is_shared_is_folded_where_weights_are_not(build: Callable[[Any], Any], count: int) -> None:
    graph = rewritten(build, X4)
    assert ops(graph, NORM_OPS) == []
    assert len(ops(graph, ["BiasAdd", "Conv2D"])) == 2 * count


@pytest.mark.parametrize("version", ["FusedBatchNormV2", "FusedBatchNormV3"])
def test_half_precision_answers_the_same(version: str) -> None:
    def build(x: Any) -> Any:
        h = tf.nn.conv2d(x, numbers(3, 3, 3, 4, CHANNELS).astype(np.float16), 1, "SAME")
        return getattr(tf.raw_ops, version)(x=h, epsilon=1e-2, is_training=False, **statistics())[0]

    assert ops(rewritten(build, X4.astype(np.float16)), NORM_OPS) == [version]


# Dropout


def floor(x: Any, keep: Any) -> Any:
    """TensorFlow 1.0 to 1.12."""
    return tf.math.divide(x, keep) * tf.floor(keep + tf.random.uniform(tf.shape(x)))


def select(x: Any, rate: Any) -> Any:
    return tf.where(tf.random.uniform(tf.shape(x)) >= rate, x / (1 - rate), tf.zeros_like(x))


def select_dropped(x: Any) -> Any:
    return tf.where(tf.random.uniform(tf.shape(x)) < 0.3, 0.0, x / 0.7)


def spatial(x: Any) -> Any:
    images = tf.reshape(x, [-1, 1, 1, 4])
    return tf.reshape(tf.nn.dropout(images, 0.3, noise_shape=[tf.shape(images)[0], 1, 1, 4]), [-1, 4])


def fed(*shape: int | None) -> Any:
    return tf1.placeholder(tf.float32, list(shape) if shape else None)


DROPOUTS: dict[str, Callable[[Any], Any]] = {
    "keep_prob": lambda x: tf1.nn.dropout(x, keep_prob=0.7),
    "keep_prob fed": lambda x: tf1.nn.dropout(x, keep_prob=tf1.placeholder(tf.float32, [])),
    "keep_prob fed, any shape": lambda x: tf1.nn.dropout(x, keep_prob=tf1.placeholder(tf.float32)),
    "keep_prob by default": lambda x: tf1.nn.dropout(x, keep_prob=tf1.placeholder_with_default(0.6, [])),
    "rate, TF1": lambda x: tf1.nn.dropout(x, rate=0.3),
    "rate": lambda x: tf.nn.dropout(x, 0.3, seed=7),
    "rate fed": lambda x: tf.nn.dropout(x, tf1.placeholder(tf.float32, [])),
    "noise_shape": lambda x: tf.nn.dropout(x, 0.3, noise_shape=[1, 4]),
    "spatial": spatial,
    "stateless": lambda x: tf.nn.experimental.stateless_dropout(x, 0.3, seed=[1, 2]),
    "general": lambda x: tf.nn.experimental.general_dropout(x, 0.3, tf.random.uniform),
    "floor": lambda x: floor(x, 0.7),
    "floor fed": lambda x: floor(x, tf1.placeholder(tf.float32)),
    "select": lambda x: select(x, 0.3),
    "select the other way round": select_dropped,
    "select fed": lambda x: select(x, tf1.placeholder(tf.float32, [])),
    "two": lambda x: tf.nn.dropout(tf.nn.relu(tf.nn.dropout(x, 0.3)) - tf.nn.relu(-x), 0.4),
}


@pytest.mark.parametrize("dropout", DROPOUTS.values(), ids=DROPOUTS)
def test_dropout_is_removed(dropout: Callable[[Any], Any]) -> None:
    def layer(x: Any) -> Any:
        return tf.nn.tanh(tf.matmul(x, numbers(8, 4, CHANNELS)))

    graph = rewritten(lambda x: layer(dropout(x)), X2, lambda x: layer(tf.nn.relu(x) - tf.nn.relu(-x)))
    assert not [node.op for node in graph.nodes.values() if "Random" in node.op]
    assert [node.name for node in graph.nodes.values() if node.op == "Placeholder"] == ["x"]


@pytest.mark.parametrize("v2", [False, True], ids=["switch", "if"])
@pytest.mark.parametrize("phase", [lambda: tf1.placeholder_with_default(False, []), lambda: tf.constant(False)])
def test_learning_phase(phase: Callable[[], Any], v2: bool) -> None:
    """As Keras writes dropout and batch normalization into a graph."""

    def build(x: Any, training: Any) -> Any:
        h = conv(x)
        s = statistics()
        moments = tf.nn.moments(h, [0, 1, 2])
        mean = tf1.cond(training, lambda: moments[0], lambda: s["mean"])
        variance = tf1.cond(training, lambda: moments[1], lambda: s["variance"])
        h = tf.nn.batch_normalization(h, mean, variance, s["offset"], s["scale"], 1e-3)
        return tf1.cond(training, lambda: tf.nn.dropout(h, 0.4), lambda: tf.identity(h))

    with_control_flow = tf1.enable_control_flow_v2 if v2 else tf1.disable_control_flow_v2
    with_control_flow()
    try:
        graph = rewritten(lambda x: build(x, phase()), X4)
    finally:
        tf1.enable_control_flow_v2()
    assert [op for op in ops_in_order(graph) if op != "Const"] == ["Placeholder", "Conv2D", "BiasAdd"]
    assert not graph.library.function
