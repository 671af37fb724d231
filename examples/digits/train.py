"""Train this example's model as TensorFlow 1 programs do, and leave what they leave: a checkpoint, a graph.

    python examples/digits/train.py [--out DIR] [--epochs N] [--seed S] [--logdir DIR]

The graph is the one that trained: labels, loss, gradients, optimizer, summaries and saver are all in it, and
batch normalization and dropout ask the placeholder `is_training` what to do. It reads `input`, float32
[N, 28, 28, 1] with pixels from 0 to 1, and gives `probabilities`, float32 [N, 10].
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

tf1 = tf.compat.v1
Tensor = Any  # TensorFlow publishes no types
Images = NDArray[np.float32]
Labels = NDArray[np.int64]

HERE = Path(__file__).resolve().parent
LEAST_ACCURACY = 0.975
CLASSES = 10
TRAINING_IMAGES = 10_000
EPOCHS = 8
SEED = 1
BATCH = 100
SHIFT = 2  # pixels by which a batch is moved, at most; digits have a blank border of four
LEARNING_RATE = 2e-2
WEIGHT_DECAY = 5e-5
NORM_DECAY, NORM_EPSILON = 0.95, 1e-3
DROPOUT = 0.1
STEM_CHANNELS = 16
BLOCKS = ((32, 1), (64, 2), (64, 1), (128, 1))  # channels and stride of each separable block


class Model(NamedTuple):
    """What a session feeds and fetches."""

    images: Tensor
    labels: Tensor
    is_training: Tensor
    accuracy: Tensor
    loss: Tensor
    train: Tensor
    summary: Tensor


# The network


def channels_of(x: Tensor) -> int:
    return int(x.shape[-1])


def kernel(name: str, shape: list[int], fan_in: int) -> Tensor:
    """A weight variable, with its decay among the regularization losses."""
    start = tf1.truncated_normal_initializer(stddev=(2.0 / fan_in) ** 0.5)
    weights = tf1.get_variable(name, shape, tf.float32, start)
    decay = tf1.multiply(tf1.nn.l2_loss(weights), WEIGHT_DECAY, name=f"{name}_decay")
    tf1.add_to_collection(tf1.GraphKeys.REGULARIZATION_LOSSES, decay)
    return weights


def batch_norm(x: Tensor, is_training: Tensor) -> Tensor:
    """Normalize by the batch when training, by the moving averages otherwise."""
    with tf1.variable_scope("batch_norm"):
        shape = [channels_of(x)]
        gamma = tf1.get_variable("gamma", shape, tf.float32, tf1.ones_initializer())
        beta = tf1.get_variable("beta", shape, tf.float32, tf1.zeros_initializer())
        moving_mean = tf1.get_variable("moving_mean", shape, tf.float32, tf1.zeros_initializer(), trainable=False)
        moving_variance = tf1.get_variable(
            "moving_variance", shape, tf.float32, tf1.ones_initializer(), trainable=False
        )

        def by_batch() -> tuple[Tensor, Tensor, Tensor]:
            y, mean, variance = tf1.nn.fused_batch_norm(x, gamma, beta, epsilon=NORM_EPSILON)
            return y, mean, variance

        def by_moving_averages() -> tuple[Tensor, Tensor, Tensor]:
            y, mean, variance = tf1.nn.fused_batch_norm(
                x, gamma, beta, moving_mean, moving_variance, epsilon=NORM_EPSILON, is_training=False
            )
            return y, mean, variance

        y, mean, variance = tf1.cond(is_training, by_batch, by_moving_averages)
        for average, value in ((moving_mean, mean), (moving_variance, variance)):
            update = tf1.assign_sub(average, (average - value) * (1 - NORM_DECAY))
            tf1.add_to_collection(tf1.GraphKeys.UPDATE_OPS, update)
        return y


def convolution(x: Tensor, channels: int, size: int, stride: int, is_training: Tensor) -> Tensor:
    """Convolution, batch normalization, ReLU6."""
    inputs = channels_of(x)
    weights = kernel("weights", [size, size, inputs, channels], size * size * inputs)
    x = tf1.nn.conv2d(x, weights, [1, stride, stride, 1], "SAME")
    return tf1.nn.relu6(batch_norm(x, is_training))


def depthwise(x: Tensor, stride: int, is_training: Tensor) -> Tensor:
    """3x3 depthwise convolution, batch normalization, ReLU6."""
    weights = kernel("depthwise_weights", [3, 3, channels_of(x), 1], 9)
    x = tf1.nn.depthwise_conv2d(x, weights, [1, stride, stride, 1], "SAME")
    return tf1.nn.relu6(batch_norm(x, is_training))


def network(images: Tensor, is_training: Tensor) -> Tensor:
    """Logits [N, 10] of the images."""
    with tf1.variable_scope("stem"):
        x = convolution(images, STEM_CHANNELS, 3, 2, is_training)
    for number, (channels, stride) in enumerate(BLOCKS, 1):
        with tf1.variable_scope(f"block{number}/depthwise"):
            x = depthwise(x, stride, is_training)
        with tf1.variable_scope(f"block{number}/pointwise"):
            x = convolution(x, channels, 1, 1, is_training)
    with tf1.variable_scope("head"):
        x = tf1.reduce_mean(x, axis=[1, 2], name="pool")
        rate = tf1.cond(is_training, lambda: tf1.constant(DROPOUT), lambda: tf1.constant(0.0))
        x = tf1.nn.dropout(x, rate=rate)
        weights = kernel("weights", [channels_of(x), CLASSES], channels_of(x))
        biases = tf1.get_variable("biases", [CLASSES], tf.float32, tf1.zeros_initializer())
        return tf1.nn.bias_add(tf1.matmul(x, weights), biases, name="logits")


# Training


def training_step(loss: Tensor, steps: int) -> Tensor:
    """One step of Adam under a cosine schedule, with the moving averages brought up to date."""
    global_step = tf1.train.get_or_create_global_step()
    rate = tf1.train.cosine_decay(LEARNING_RATE, global_step, steps)
    tf1.summary.scalar("learning_rate", rate)
    with tf1.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
        return tf1.train.AdamOptimizer(rate).minimize(loss, global_step, name="train")


def build(steps: int) -> Model:
    """The whole training graph, in the default graph."""
    images = tf1.placeholder(tf.float32, [None, 28, 28, 1], "input")
    labels = tf1.placeholder(tf.int64, [None], "label")
    is_training = tf1.placeholder_with_default(False, [], "is_training")

    logits = network(images, is_training)
    tf1.nn.softmax(logits, name="probabilities")

    with tf1.name_scope("loss"):
        cross_entropy = tf1.losses.sparse_softmax_cross_entropy(labels, logits)
        loss = tf1.add(cross_entropy, tf1.losses.get_regularization_loss(), name="total")
    with tf1.name_scope("accuracy"):
        correct = tf1.equal(tf1.argmax(logits, 1), labels)
        accuracy = tf1.reduce_mean(tf1.cast(correct, tf.float32), name="value")
    tf1.summary.scalar("loss", loss)
    tf1.summary.scalar("accuracy", accuracy)
    train_op = training_step(loss, steps)
    return Model(images, labels, is_training, accuracy, loss, train_op, tf1.summary.merge_all())


def load(name: str) -> tuple[Images, Labels]:
    """Images from 0 to 1, and their labels."""
    with np.load(HERE / name) as arrays:
        images, labels = arrays["image"], arrays["label"]
    if images.dtype == np.uint8:
        images = images.astype(np.float32) / np.float32(255)
    return images, labels.astype(np.int64)


def batches(count: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """All full batches of one epoch, as indices, shuffled."""
    order = random.permutation(count)
    for start in range(0, count - BATCH + 1, BATCH):
        yield order[start : start + BATCH]


def shifted(images: Images, random: np.random.Generator) -> Images:
    """The images of a batch, all moved by the same few pixels."""
    return np.roll(images, random.integers(-SHIFT, SHIFT, 2, endpoint=True), axis=(1, 2))


def fit(session: Any, model: Model, epochs: int, seed: int, writer: Any | None) -> None:
    """Train, and print each epoch's mean loss and accuracy on the batches it trained on."""
    images, labels = load("training.npz")
    random = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        measured = []
        for batch in batches(len(images), random):
            feed = {
                model.images: shifted(images[batch], random),
                model.labels: labels[batch],
                model.is_training: True,
            }
            fetches = [model.train, model.summary, model.loss, model.accuracy]
            _, summary, *values = session.run(fetches, feed)
            measured.append(values)
        loss, accuracy = np.mean(measured, axis=0)
        print(f"epoch {epoch}/{epochs}: loss {loss:.3f}, training accuracy {accuracy:.2%}", flush=True)
        if writer:
            writer.add_summary(summary, epoch)


def evaluate(session: Any, model: Model) -> float:
    """Accuracy on the evaluation images, with `is_training` at its default."""
    images, labels = load("evaluation.npz")
    return float(session.run(model.accuracy, {model.images: images, model.labels: labels}))


def save(session: Any, out: Path) -> None:
    """Write model.ckpt.*, checkpoint and graph.pbtxt, without absolute paths."""
    out.mkdir(parents=True, exist_ok=True)
    saver = tf1.train.Saver(save_relative_paths=True)
    saver.save(session, str(out / "model.ckpt"))
    tf1.train.write_graph(session.graph, str(out), "graph.pbtxt")


def train(out: Path, epochs: int = EPOCHS, seed: int = SEED, logdir: Path | None = None) -> float:
    """Train, write the model into `out`, and return its accuracy on the evaluation images.

    Switches TensorFlow to its version 1 behaviour for the whole process.
    """
    tf1.logging.set_verbosity(tf1.logging.ERROR)
    tf1.disable_v2_behavior()
    with tf1.Graph().as_default() as graph, tf1.Session() as session:
        tf1.set_random_seed(seed)
        model = build(epochs * (TRAINING_IMAGES // BATCH))
        session.run(tf1.global_variables_initializer())
        writer = tf1.summary.FileWriter(str(logdir), graph) if logdir else None
        fit(session, model, epochs, seed, writer)
        save(session, out)
        return evaluate(session, model)


def main() -> int:
    parser = argparse.ArgumentParser(description="Train the example model.")
    parser.add_argument("--out", type=Path, default=HERE / "model", help="folder of the model (default: model, here)")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--logdir", type=Path, help="write summaries for TensorBoard into this folder")
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error("--epochs must be at least 1")
    started = time.perf_counter()
    accuracy = train(arguments.out, arguments.epochs, arguments.seed, arguments.logdir)
    print(f"evaluation accuracy {accuracy:.2%} after {time.perf_counter() - started:.1f} s")
    if accuracy < LEAST_ACCURACY:
        print(f"error: the accuracy is below {LEAST_ACCURACY:.1%}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
