"""The gate can fail: what is wrong with data, labels or weights ends in exit 1, says so, and publishes nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mobile_export.session import import_tensorflow

pytestmark = pytest.mark.e2e

Samples = dict[str, np.ndarray]


def digits(example: Path) -> Samples:
    with np.load(example / "examples/digits/evaluation.npz") as archive:
        return dict(archive)


def target(example: Path, folder: Path, data: Samples, more: str = "", passes: str = "default") -> Path:
    """The example's model with `data` for evaluation, as a float32 and an int8 file."""
    np.savez(folder / "evaluation.npz", **data)
    model, calibration = example / "examples/digits/model/model.ckpt", example / "examples/digits/calibration.npz"
    path = folder / "digits.toml"
    path.write_text(f"""
name = "digits"
[model]
source = "{model.as_posix()}"
inputs = [{{ name = "image", tensor = "input:0", shape = [1, 28, 28, 1] }}]
outputs = [{{ name = "probabilities", tensor = "probabilities:0" }}]
[data]
calibration = {{ source = "{calibration.as_posix()}" }}
evaluation = {{ source = "evaluation.npz"{more} }}
[transforms]
passes = "{passes}"
[[artifacts]]
name = "digits_float32"
format = "tflite"
[[artifacts]]
name = "digits_int8"
format = "tflite"
precision = "int8"
""")
    return path


def labels_of_another_set(data: Samples) -> Samples:
    return data | {"label": np.random.default_rng(0).integers(0, 10, len(data["label"]))}


def shuffled(data: Samples) -> Samples:
    return data | {"image": np.random.default_rng(0).permutation(data["image"])}


def counted_from_one(data: Samples) -> Samples:
    return data | {"label": (data["label"] + 1) % 10}


def divided_again(data: Samples) -> Samples:
    return data | {"image": (data["image"] / 255).astype(data["image"].dtype)}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (labels_of_another_set, ["do not belong to this model or are in another order", "(blind)"]),
        (shuffled, ["do not belong to this model or are in another order", "(blind)"]),
        (counted_from_one, ["count classes from another number than the model", "far better with -1", "(labels)"]),
        (divided_again, ["after × 255", "(normalization)"]),
    ],
)
def test_wrong_data(
    wrong: Callable[[Samples], Samples], words: list[str], example: Path, tmp_path: Path, mobile_export
) -> None:
    """Each is told apart from the others: by the name of the check, and by what it says."""
    ran = mobile_export("build", target(example, tmp_path, wrong(digits(example))), "--out", tmp_path / "out")
    assert ran.code == 1, ran.err
    assert all(word in ran.err for word in words), ran.err
    assert not (tmp_path / "out/digits").exists()


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_samples(count: int, example: Path, tmp_path: Path, mobile_export) -> None:
    few = {name: array[:count] for name, array in digits(example).items()}
    path = target(example, tmp_path, few)
    sure = 'precision = "int8"\nlimits = { confidence = 0.95 }'
    path.write_text(path.read_text().replace('precision = "int8"', sure))
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 1, ran.err
    assert f"cannot tell with {count} sample" in " ".join(ran.out.split())
    assert not (tmp_path / "out/digits").exists()


def test_right_data(example: Path, tmp_path: Path, mobile_export) -> None:
    path = target(example, tmp_path, digits(example), ", expected = 0.98")
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert (ran.code, [line for line in ran.err.splitlines() if line.startswith(("error", "warning"))]) == (0, [])


def corrupted(example: Path, folder: Path) -> Path:
    """The example's checkpoint with the sign of one layer's weights turned, under a checksum that is right."""
    tf = import_tensorflow()
    prefix = example / "examples/digits/model/model.ckpt"
    reader = tf.train.load_checkpoint(str(prefix))
    values = {name: reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())}
    kernel = max(values, key=lambda name: values[name].size)
    values[kernel] = -values[kernel]
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt"),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )
    (folder / "model.ckpt.meta").write_bytes(prefix.with_name("model.ckpt.meta").read_bytes())
    return folder / "model.ckpt"


def test_a_model_that_is_worse_than_it_was(example: Path, tmp_path: Path, mobile_export) -> None:
    path = target(example, tmp_path, digits(example), ", expected = 0.98")
    right = (example / "examples/digits/model/model.ckpt").as_posix()
    path.write_text(path.read_text().replace(right, corrupted(example, tmp_path).as_posix()))
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 1, ran.err
    assert "data.evaluation.expected: 0.98 was expected" in ran.err
    assert not (tmp_path / "out/digits").exists()


def test_a_model_that_is_a_little_worse_than_it_was_is_warned_of(example: Path, tmp_path: Path, mobile_export) -> None:
    ran = mobile_export(
        "build", target(example, tmp_path, digits(example), ", expected = 0.999"), "--out", tmp_path / "out"
    )
    assert ran.code == 0
    assert "warning: digits: data.evaluation.expected: 0.999 was expected" in ran.err


def test_weights_that_a_transform_ruined(example: Path, tmp_path: Path, mobile_export) -> None:
    path = target(example, tmp_path, digits(example), passes="default round_weights(num_steps=2)")
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 1, ran.err
    assert "digits_float32" in ran.err
    assert "accuracy_drop" in ran.out
    assert not (tmp_path / "out/digits").exists()


@pytest.fixture(scope="module")
def colours(tmp_path_factory) -> Path:
    """A folder with a network that tells which of three colours an image has most of, and labelled images."""
    folder = tmp_path_factory.mktemp("colours")
    tf = import_tensorflow()
    tf1, rng = tf.compat.v1, np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    images = rng.random((300, 8, 8, 3), np.float32) * 0.6
    images[np.arange(300), :, :, labels] += 0.2
    images = np.cumsum(images, 1) / np.arange(1, 9)[:, None, None]  # smooth from top to bottom, as photographs are
    np.savez(folder / "rgb.npz", image=images.astype(np.float32), label=labels)
    np.savez(folder / "bgr.npz", image=images[..., ::-1].astype(np.float32), label=labels)
    with tf.Graph().as_default():
        x = tf1.placeholder(tf.float32, [None, 8, 8, 3], "input")
        w = tf1.get_variable("w", initializer=np.eye(3, dtype=np.float32)[None, None])
        tf.nn.softmax(20 * tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME")), [1, 2]), name="scores")
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            tf1.train.Saver().save(session, str(folder / "model.ckpt"))
    return folder


@pytest.mark.parametrize(("data", "code"), [("rgb", 0), ("bgr", 1)])
def test_channels_in_another_order(data: str, code: int, colours: Path, tmp_path: Path, mobile_export) -> None:
    path = tmp_path / "colours.toml"
    path.write_text(f"""
name = "colours"
[model]
source = "{(colours / "model.ckpt").as_posix()}"
inputs = [{{ name = "image", tensor = "input:0" }}]
outputs = [{{ name = "scores", tensor = "scores:0" }}]
[data]
evaluation = {{ source = "{(colours / data).as_posix()}.npz" }}
[[artifacts]]
name = "colours"
format = "onnx"
""")
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == code, ran.err
    assert ("(misread)" in ran.err) == ("reversing its channels" in ran.err) == (data == "bgr")
    assert (tmp_path / "out/colours").exists() == (data == "rgb")
