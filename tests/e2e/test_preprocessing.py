"""Raw images in the data: whether the app preprocesses or the files do, every file answers as the model was trained."""

import json
from pathlib import Path

import numpy as np
import pytest

from mobile_export.published.manifest import GOLDEN, load_manifest
from mobile_export.samples import load_samples
from mobile_export.session import import_tensorflow

pytestmark = pytest.mark.e2e

SCALE, MEAN, STD = 0.00392156862, [0.406, 0.456, 0.485], [0.225, 0.224, 0.229]
TRAINED = f'preprocessing = {{ scale = {SCALE}, mean = {MEAN}, std = {STD}, channel_order = "bgr", fold = FOLD }}'
FILES = (("tflite", "float32"), ("tflite", "int8"), ("onnx", "float32"), ("graphdef", "float32"))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A folder with a checkpoint, and raw images with the classes that it answers to them."""
    folder = tmp_path_factory.mktemp("model")
    tf = import_tensorflow()
    tf1, rng = tf.compat.v1, np.random.default_rng(0)
    colours = rng.integers(0, 256, (60, 1, 1, 3))
    images = np.clip(colours + rng.integers(-60, 60, (60, 8, 8, 3)), 0, 255).astype(np.uint8)
    with tf.Graph().as_default():
        tf1.set_random_seed(1)
        x = tf1.placeholder(tf.float32, [None, 8, 8, 3], "input")
        w = tf1.get_variable("w", initializer=rng.normal(size=(3, 3, 3, 8)).astype(np.float32))
        h = tf.nn.relu(tf.nn.conv2d(x, w, 2, "SAME") + rng.normal(size=8).astype(np.float32))
        v = tf1.get_variable("v", initializer=rng.normal(size=(8, 5)).astype(np.float32))
        y = tf.matmul(tf.reduce_mean(h, [1, 2]), v, name="scores")
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            tf1.train.Saver().save(session, str(folder / "model.ckpt"))
            answers = session.run(y, {x: (images[..., ::-1] * np.float32(SCALE) - MEAN) / STD})
    np.savez(folder / "images.npz", image=images, label=answers.argmax(1))
    np.savez(folder / "answers.npz", scores=answers)
    return folder


def target(model: Path, name: str, preprocessing: str, data: bool = True, files=FILES) -> str:
    images = f'source = "{(model / "images.npz").as_posix()}"'
    lines = [f'name = "{name}"\n[model]\nsource = "{(model / "model.ckpt").as_posix()}"']
    lines += [f'[[model.inputs]]\nname = "image"\ntensor = "input:0"\n{preprocessing}']
    lines += ['[[model.outputs]]\nname = "scores"\ntensor = "scores:0"']
    lines += [f"[data]\ncalibration = {{ {images} }}\nevaluation = {{ {images} }}"] if data else []
    for kind, precision in files:
        lines += [f'[[artifacts]]\nname = "{kind}_{precision}"\nformat = "{kind}"\nprecision = "{precision}"']
        lines += ["limits = { accuracy = 0.95 }"] if data else []
    return "\n".join(lines)


@pytest.fixture(scope="module")
def targets(model, tmp_path_factory) -> list[Path]:
    folder, made = tmp_path_factory.mktemp("targets"), []
    for name, fold in (("outside", "false"), ("folded", "true")):
        made.append(folder / f"{name}.toml")
        made[-1].write_text(target(model, name, TRAINED.replace("FOLD", fold)))
    return made


def test_in_the_app_or_in_the_file(model, targets, tmp_path, mobile_export) -> None:
    ran = mobile_export("build", *targets, "--out", tmp_path)
    assert ran.code == 0, ran.err
    with np.load(model / "images.npz") as data, np.load(model / "answers.npz") as answers:
        raw, expected = data["image"], answers["scores"]
    ready = (raw[..., ::-1] * np.float32(SCALE) - np.float32(MEAN)) / np.float32(STD)
    for name, taken in (("outside", ready), ("folded", raw.astype(np.float32))):
        manifest, golden = load_manifest(tmp_path / name), load_samples(tmp_path / name / GOLDEN)
        assert golden["inputs/image"].dtype == np.float32
        np.testing.assert_allclose(golden["inputs/image"], taken[:2], rtol=1e-5, atol=1e-5)
        for kind, precision in FILES:
            found = golden[f"answers/{kind}_{precision}/scores"]
            bound = (1e-4 if precision == "float32" else 0.05) * np.abs(expected).max()
            np.testing.assert_allclose(found, expected[:2], rtol=0, atol=bound)
        said = manifest.preprocessing["image"]
        assert (said.mean, said.channel_order, said.folded) == (tuple(MEAN), "bgr", name == "folded")
        assert ("fold_preprocessing" in [step.name for step in manifest.transforms]) == said.folded
        assert all(np.dtype(edge.dtype) == np.float32 for a in manifest.artifacts for edge in a.inputs)
    ran = mobile_export("verify", tmp_path)
    assert ran.code == 0, ran.out


def test_a_folded_file_runs_on_raw_values(model, targets, tmp_path, mobile_export) -> None:
    assert mobile_export("build", targets[1], "--out", tmp_path, "--artifact", "onnx_float32").code == 0
    with np.load(model / "images.npz") as data, np.load(model / "answers.npz") as answers:
        np.savez(tmp_path / "raw.npz", image=data["image"].astype(np.float32))
        expected = answers["scores"]
    file = tmp_path / "folded/assets/models/folded/onnx_float32.onnx"
    ran = mobile_export("run", file, "--data", tmp_path / "raw.npz", "--save", tmp_path / "found.npz")
    assert ran.code == 0, ran.err
    np.testing.assert_allclose(load_samples(tmp_path / "found.npz")["scores"], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("fold", ["false", "true"])
def test_random_values_have_the_range_of_images(model, tmp_path, mobile_export, fold: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text(target(model, "t", TRAINED.replace("FOLD", fold), data=False, files=FILES[:1]))
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    image = load_samples(tmp_path / "out/t" / GOLDEN)["inputs/image"]
    assert (image.max() > 200) == (fold == "true")
    assert (image.min() < -1) == (fold == "false")


def test_it_belongs_to_the_key_and_leaves_no_trace_where_there_is_none(model, tmp_path, mobile_export) -> None:
    path, statuses = tmp_path / "t.toml", []
    for preprocessing in ("", "preprocessing = { scale = 0.5 }", "preprocessing = { scale = 0.5 }"):
        path.write_text(target(model, "t", preprocessing, data=False, files=FILES[:1]))
        ran = mobile_export("build", path, "--out", tmp_path / "out", "--format", "json")
        assert ran.code == 0, ran.err
        (outcome,) = json.loads(ran.out)
        statuses.append(outcome["status"])
        assert ("preprocessing" in (tmp_path / "out/t/manifest.json").read_text()) == bool(preprocessing)
        assert ("preprocessing" in outcome["manifest"]) == bool(preprocessing)
    assert statuses == ["published", "published", "current"]


@pytest.mark.parametrize(
    ("preprocessing", "code", "said"),
    [
        ("preprocessing = { std = 0 }", 2, "model.inputs[0].preprocessing.std: values are divided by it"),
        ("preprocessing = { sdt = 1 }", 2, "model.inputs[0].preprocessing.sdt: unknown key (did you mean 'std'?)"),
        ("preprocessing = { mean = [1, 2] }", 3, "model.inputs[0].preprocessing: mean has 2 values"),
        ("", 3, "images.npz: array 'image' is uint8 and the model takes float32"),
    ],
)
def test_mistakes(model, tmp_path, mobile_export, preprocessing: str, code: int, said: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text(target(model, "t", preprocessing))
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert (ran.code, "Traceback" in ran.err) == (code, False), ran.err
    assert said in ran.err
    assert not (tmp_path / "out/t").exists()


def test_what_cannot_be_folded_is_refused(model, tmp_path, mobile_export) -> None:
    """In raw values, the mean of 1e30 is 1e40, which float32 does not have."""
    path = tmp_path / "t.toml"
    preprocessing = "preprocessing = { scale = 1e-10, mean = 1e30, std = 1e30, fold = true }"
    path.write_text(target(model, "t", preprocessing, data=False, files=FILES[:1]))
    ran = mobile_export("build", path, "--out", tmp_path / "out")
    assert ran.code == 4, ran.err
    assert "model.inputs.preprocessing.fold: with preprocessing inside, the graph's answers move by" in ran.err
