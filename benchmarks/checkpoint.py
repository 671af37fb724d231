"""A TF1 checkpoint of a network like MobileNet, with random weights: what the other benchmarks convert.

    python -m benchmarks.checkpoint FOLDER [--megabytes 97] [--side 96]

FOLDER gets model.ckpt.* with the meta graph, samples.npz for calibration, and target.toml with the artifacts that an
app would ask for. From `input` [N, side, side, 3] to the logits `output` [N, 1000]: a strided convolution, and blocks
of depthwise and pointwise ones, each with a batch norm and ReLU6, wide enough for that many megabytes of weights.
Batch norms remember the samples, as in a network that was trained on such.
"""

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import apart
from mobile_export.session import import_tensorflow

FIRST = 32  # channels at width 1, as all below
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)  # and strides
CLASSES = 1000
SAMPLES = 50
PATCHES = 6  # a picture is as many patches wide and high: patches still differ after pooling, where noise does not

TARGET = """\
name = "benchmark"
platform = "any"

[model]
source = "model.ckpt"

[[model.inputs]]
name = "input"
tensor = "input:0"
shape = [1, {side}, {side}, 3]

[[model.outputs]]
name = "output"
tensor = "output:0"

[data]
calibration = {{ source = "samples.npz", samples = {samples} }}
"""

ARTIFACT = """
[[artifacts]]
name = "{format}_{precision}"
format = "{format}"
precision = "{precision}"
"""

ARTIFACTS = (
    ("tflite", "float32"),
    ("tflite", "float16"),
    ("tflite", "dynamic"),
    ("tflite", "int8"),
    ("onnx", "float32"),
    ("memmapped", "float32"),
)


def make_checkpoint(
    folder: Path,
    megabytes: float = 97.0,
    side: int = 96,
    artifacts: tuple[tuple[str, str], ...] = ARTIFACTS,
    samples: int = SAMPLES,
) -> Path:
    """Write all of it; the target file."""
    if side % PATCHES:
        raise ValueError(f"a picture of {PATCHES} patches cannot be {side} pixels wide")
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _pictures(side, samples)
    np.savez(folder / "samples.npz", input=pictures)
    apart(_write_checkpoint, folder / "model.ckpt", _width(megabytes), pictures)
    target = folder / "target.toml"
    listed = "".join(ARTIFACT.format(format=name, precision=precision) for name, precision in artifacts)
    target.write_text(TARGET.format(side=side, samples=samples) + listed)
    return target


def _width(megabytes: float) -> float:
    """By what all channels are multiplied, so that float32 weights are that large."""
    channels = [FIRST, *(channels for channels, _ in BLOCKS)]
    pointwise = sum(before * after for before, after in itertools.pairwise(channels))
    wanted, classifier = megabytes * 1e6 / 4, channels[-1] * CLASSES
    return float((-classifier + (classifier**2 + 4 * pointwise * wanted) ** 0.5) / (2 * pointwise))


def _channels(at_width_1: int, width: float) -> int:
    """A multiple of eight, as MobileNets have it."""
    return max(8, round(at_width_1 * width / 8) * 8)


def _pictures(side: int, samples: int) -> Any:
    """Between -1 and 1; float32 of [samples, side, side, 3]."""
    patches = np.random.default_rng(1).uniform(-1, 1, (samples, PATCHES, PATCHES, 3)).astype(np.float32)
    size = side // PATCHES
    return patches.repeat(size, axis=1).repeat(size, axis=2)


def _write_checkpoint(prefix: Path, width: float, pictures: Any) -> None:
    """Variables are set one by one from NumPy: initializers would be constants in the graph, or random operators."""
    tf = import_tensorflow()
    tf1 = tf.compat.v1
    with tf1.Graph().as_default(), tf1.Session() as session:
        network = _Network(tf, width, pictures.shape, training=True)
        network.load(session, {})
        moments = session.run(network.moments, {"input:0": pictures})
    with tf1.Graph().as_default(), tf1.Session() as session:
        _Network(tf, width, pictures.shape, training=False).load(session, moments)
        tf1.train.Saver().save(session, str(prefix), write_state=False)


class _Network:
    """Layers in the current graph, and how their variables are to be drawn.

    In training, batch norms normalize by what they see, which is then in `moments`, by the name of the variable that
    remembers it in inference.
    """

    def __init__(self, tf: Any, width: float, shape: tuple[int, ...], training: bool) -> None:
        self._tf, self._width, self._training = tf, width, training
        self._variables: dict[str, tuple[Any, float, float]] = {}  # with mean and standard deviation
        self.moments: dict[str, Any] = {}
        self._build(tf.compat.v1.placeholder(tf.float32, [None, *shape[1:]], "input"))

    def load(self, session: Any, known: dict[str, Any]) -> None:
        """Give all variables values: those that are known, and others the same in every graph of this width."""
        rng = np.random.default_rng(0)
        for name, (variable, mean, deviation) in self._variables.items():
            drawn = rng.standard_normal(variable.shape.as_list(), np.float32)
            drawn *= np.float32(deviation)
            drawn += np.float32(mean)
            variable.load(known.get(name, drawn), session)

    def _build(self, here: Any) -> None:
        here = self._convolution("stem", here, (3, 3, 3, _channels(FIRST, self._width)), stride=2)
        for number, (channels, stride) in enumerate(BLOCKS):
            name, before = f"block{number}", here.shape[-1]
            here = self._depthwise(f"{name}/depthwise", here, stride)
            here = self._convolution(f"{name}/pointwise", here, (1, 1, before, _channels(channels, self._width)), 1)
        pooled = self._tf.reduce_mean(here, [1, 2])
        logits = self._tf.matmul(pooled, self._weights("logits/weights", (pooled.shape[-1], CLASSES)))
        self._tf.add(logits, self._variable("logits/biases", (CLASSES,), 0.0, 0.1), name="output")

    def _variable(self, name: str, shape: tuple[int, ...], mean: float, deviation: float) -> Any:
        zeros = self._tf.compat.v1.zeros_initializer()
        made = self._tf.compat.v1.get_variable(name, shape, self._tf.float32, zeros, use_resource=True)
        self._variables[name] = (made, mean, deviation)
        return made

    def _weights(self, name: str, shape: tuple[int, ...]) -> Any:
        """So spread that what comes out of a ReLU keeps its variance."""
        return self._variable(name, shape, 0.0, float(np.sqrt(2 / np.prod(shape[:-1]))))

    def _convolution(self, name: str, here: Any, shape: tuple[int, ...], stride: int) -> Any:
        weights = self._weights(f"{name}/weights", shape)
        return self._normalized(name, self._tf.nn.conv2d(here, weights, [1, stride, stride, 1], "SAME"))

    def _depthwise(self, name: str, here: Any, stride: int) -> Any:
        weights = self._variable(f"{name}/weights", (3, 3, here.shape[-1], 1), 0.0, float(np.sqrt(2 / 9)))
        return self._normalized(name, self._tf.nn.depthwise_conv2d(here, weights, [1, stride, stride, 1], "SAME"))

    def _normalized(self, name: str, here: Any) -> Any:
        """A batch norm, and ReLU6; most values lie where that is linear, since random layers that fold make chaos."""
        size = (here.shape[-1],)
        scale = [self._variable(f"{name}/gamma", size, 1.0, 0.1), self._variable(f"{name}/beta", size, 1.5, 0.3)]
        seen = [self._variable(f"{name}/mean", size, 0.0, 0.0), self._variable(f"{name}/variance", size, 1.0, 0.0)]
        norm, mean, variance = self._tf.compat.v1.nn.fused_batch_norm(
            here, *scale, *([] if self._training else seen), epsilon=1e-3, is_training=self._training
        )
        self.moments |= {f"{name}/mean": mean, f"{name}/variance": variance}
        return self._tf.nn.relu6(norm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=97.0)
    parser.add_argument("--side", type=int, default=96)
    given = parser.parse_args()
    print(make_checkpoint(given.folder, given.megabytes, given.side))


if __name__ == "__main__":
    main()
