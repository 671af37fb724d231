"""One small network in two formats, sound or broken on purpose, with the files that are made of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.explanation.comparison import Compared, LayerError, compare
from mobile_export.explanation.sources import Source
from mobile_export.formats import FORMATS, Request
from mobile_export.graphs.graph import Graph
from mobile_export.quantize.scheme import Scheme
from mobile_export.samples import Samples, save_samples
from tests.formats.tf_graphs import make_graph, samples_for, weights

Change = Callable[[dict[str, np.ndarray]], None]
"""Changes the weights `w1`, `b1`, `w2`, `b2`, `w3` in place."""
FIRST = {"tflite": "first", "onnx": "first"}
"""What converters call the first layer's values after its activation."""
SECOND = {"tflite": "second", "onnx": "Conv2D_1"}
"""What they call what the second convolution writes."""


def network(change: Change | None = None) -> Graph:
    """Two convolutions with a plain ReLU behind each, mean, a dense layer, softmax."""
    values = {
        "w1": weights(1, 3, 3, 3, 16),
        "b1": weights(2, 16) * 0.3,
        "w2": weights(3, 3, 3, 16, 32),
        "b2": weights(5, 32) * 0.3,
        "w3": weights(4, 32, 10),
    }
    if change is not None:
        change(values)

    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        image = tf.placeholder(tf.float32, [None, 12, 12, 3], name="input")
        h = tf.nn.relu(tf.nn.conv2d(image, values["w1"], 1, "SAME") + values["b1"], name="first")
        h = tf.nn.relu(tf.nn.conv2d(h, values["w2"], 2, "SAME") + values["b2"], name="second")
        return [image], [tf.nn.softmax(tf.matmul(tf.reduce_mean(h, [1, 2]), values["w3"]), name="output")]

    return make_graph(build, ["image"], ["probabilities"])


def rescale(values: dict[str, np.ndarray], channel: int = 5, factor: float = 1000) -> None:
    """Multiply a channel between the convolutions, and divide it again: the same function, as ReLU is plain."""
    values["w1"][..., channel] *= factor
    values["b1"][channel] *= factor
    values["w2"][:, :, channel] /= factor


def written(graph: Graph, folder: Path, name: str, scheme: Scheme, calibration: Samples | None = None) -> Path:
    """The file of a scheme; beside it, `float32.SUFFIX` and the samples `data.npz`, which were calibrated on."""
    unit = FORMATS[name]
    samples = samples_for(graph, 16)
    save_samples(folder / "data.npz", samples)
    path = folder / f"{scheme.precision}{unit.suffix}"
    requests = [
        Request("a", folder / f"float32{unit.suffix}"),
        Request("b", path, scheme.precision, scheme=scheme, allow_float_operators=True),
    ]
    unit.write(graph, requests, calibration or samples)
    return path


def explained(path: Path, samples: int = 16) -> Compared:
    """What is found about a file that `written` has made."""
    name = path.suffix.removeprefix(".")
    return compare(name, path, path.with_stem("float32"), Source(path.with_name("data.npz"), "data"), samples)


def layers_of(path: Path) -> dict[str, LayerError]:
    """The same, by layer."""
    return {layer.name: layer for layer in explained(path).layers}


def kinds(layer: LayerError) -> list[str]:
    """Of its reasons."""
    return [reason.kind for reason in layer.reasons]
