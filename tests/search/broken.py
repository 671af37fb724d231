"""A small network that reads digits, and others that answer the same and break plain int8.

    image ─ conv1 3×3, 12 ─ relu ─ conv2 3×3, 24 ─ relu ─ conv3 3×3, 32 ─ relu ─ dense ─ softmax

Channels between two layers around a plain ReLU can be a thousand times as large without changing any answer:
relu(a·x) = a·relu(x) for a > 0, and what reads them takes that back.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.planning.plan import choices
from mobile_export.session import import_tensorflow
from mobile_export.target import Target, load_target

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
WEIGHTS = ("conv1", "conv2", "conv3", "dense")
SHAPES = {"conv1": (3, 3, 1, 12), "conv2": (3, 3, 12, 24), "conv3": (3, 3, 24, 32), "dense": (7 * 7 * 32, 10)}
STRIDES = {"conv1": 2, "conv2": 2, "conv3": 1}
STEPS, BATCH = 250, 100

Weights = dict[str, np.ndarray]


def _answers(tf: Any, images: Any, weights: dict[str, Any]) -> Any:
    x = images
    for name, stride in STRIDES.items():
        x = tf.nn.conv2d(x, weights[name], strides=stride, padding="SAME")
        x = tf.nn.relu(tf.nn.bias_add(x, weights[f"{name}_bias"], name=f"{name}_sum"), name=f"{name}_relu")
    return tf.matmul(tf.reshape(x, [-1, 7 * 7 * 32]), weights["dense"]) + weights["dense_bias"]


@cache
def _trained() -> Weights:
    """Trained for a few seconds, with seeds."""
    tf = import_tensorflow()
    rng = np.random.default_rng(0)
    with np.load(DIGITS / "training.npz") as data:
        images, labels = data["image"].astype(np.float32) / 255, data["label"].astype(np.int32)
    weights = {
        name: tf.Variable((rng.normal(size=shape) * (2 / np.prod(shape[:-1])) ** 0.5).astype(np.float32))
        for name, shape in SHAPES.items()
    }
    weights |= {f"{name}_bias": tf.Variable(np.zeros(shape[-1], np.float32)) for name, shape in SHAPES.items()}
    moments = {name: tf.Variable(tf.zeros_like(weight)) for name, weight in weights.items()}

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, _answers(tf, x, weights)))
        for (name, weight), gradient in zip(weights.items(), tape.gradient(loss, list(weights.values())), strict=True):
            moments[name].assign(0.9 * moments[name] + gradient)
            weight.assign_sub(0.05 * moments[name])

    for _ in range(STEPS):
        rows = rng.integers(0, len(images), BATCH)
        step(images[rows], labels[rows])
    return {name: weight.numpy() for name, weight in weights.items()}


def trained() -> Weights:
    """The network's weights."""
    return dict(_trained())


def rescaled(weights: Weights, first: str, count: int, by: float = 1000.0) -> Weights:
    """The same network with channels between layer `first` and the next `by` times as large.

    They are the `count` channels that the next layer weighs most, so that losing them in rounding shows.
    """
    second = WEIGHTS[WEIGHTS.index(first) + 1]
    out, into, bias = (weights[name].copy() for name in (first, second, f"{first}_bias"))
    rows = into.reshape(-1, out.shape[-1], into.shape[-1])
    channels = np.argsort(-np.abs(rows).sum(axis=(0, 2)), kind="stable")[:count]
    out[..., channels] *= by
    bias[channels] *= by
    rows[:, channels] /= by
    return {**weights, first: out, f"{first}_bias": bias, second: into}


def save_model(weights: Weights, path: Path) -> None:
    """Write the network as a frozen graph."""
    tf1 = import_tensorflow().compat.v1
    with tf1.Graph().as_default() as graph:
        images = tf1.placeholder(tf1.float32, [None, 28, 28, 1], name="input")
        constants = {name: tf1.constant(values, name=name) for name, values in weights.items()}
        tf1.nn.softmax(_answers(tf1, images, constants), name="probabilities")
    path.write_bytes(graph.as_graph_def().SerializeToString(deterministic=True))


def make_target(folder: Path, weights: Weights, artifact: str) -> Target:
    """A target that builds one artifact of the network, judged on the example's images."""
    save_model(weights, folder / "model.pb")
    text = f"""
        name = "broken"
        model.source = "model.pb"
        model.inputs = [{{ name = "image", tensor = "input:0", shape = [1, 28, 28, 1] }}]
        model.outputs = [{{ name = "probabilities", tensor = "probabilities:0" }}]
        data.calibration = {{ source = "{DIGITS}/calibration.npz", samples = 100 }}
        data.evaluation = {{ source = "{DIGITS}/evaluation.npz", metric = "top1", samples = 300 }}
        artifacts = [{{ name = "file", {artifact} }}]
    """
    (folder / "target.toml").write_text(text)
    return load_target(folder / "target.toml", choices())
