"""What built files say of their model, read back by what apps read it with."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession

from mobile_export.data.preprocess import preprocess
from mobile_export.formats import FORMATS, About, Request
from mobile_export.published.manifest import Manifest, load_manifest
from mobile_export.target import Preprocessing
from tests.formats.tf_graphs import make_graph, mobile_net
from tests.toolchains import toolchain

pytestmark = pytest.mark.e2e

READERS = Path(__file__).with_name("metadata_readers.py")
NAMES = [f"kind {number}" for number in range(10)]
IMAGES = Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
RECIPES = {
    "outside": IMAGES,
    "reversed": IMAGES.model_copy(update={"channel_order": "bgr"}),
    "folded": IMAGES.model_copy(update={"fold": True}),
}
TARGET = """
name = "NAME"
[model]
source = "model.pb"
version = "2.1"
[[model.inputs]]
name = "image"
tensor = "input:0"
shape = [1, 16, 16, 3]
preprocessing = { scale = SCALE, mean = MEAN, std = STD, channel_order = "ORDER", fold = FOLD }
[[model.outputs]]
name = "probabilities"
tensor = "output:0"
labels = "names.txt"
[data]
calibration = { source = "images.npz" }
[[artifacts]]
name = "float32"
format = "tflite"
[[artifacts]]
name = "uint8"
format = "tflite"
precision = "int8"
interface = "uint8"
[[artifacts]]
name = "onnx"
format = "onnx"
"""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Raw ones, with the whole range that such have: a uint8 edge is then what they are."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (40, 1, 1, 3)) + rng.integers(-60, 60, (40, 16, 16, 3))
    images = np.clip(colours, 0, 255).astype(np.uint8)
    images[:, 0, 0], images[:, 1, 1] = 0, 255
    return images


@pytest.fixture(scope="module")
def built(images, tmp_path_factory) -> Path:
    """The published folders of one model with three ways to preprocess."""
    folder = tmp_path_factory.mktemp("metadata")
    graph = make_graph(mobile_net, ["image"], ["probabilities"])
    (folder / "model.pb").write_bytes(graph.to_graph_def().SerializeToString())
    (folder / "names.txt").write_text("\n".join(NAMES))
    np.savez(folder / "images.npz", image=images)
    for name, how in RECIPES.items():
        values = {"NAME": name, "ORDER": how.channel_order, "FOLD": str(how.fold).lower(), "SCALE": repr(how.scale)}
        text = TARGET
        for key, value in (values | {"MEAN": str(list(how.mean)), "STD": str(list(how.std))}).items():
            text = text.replace(key, value)
        (folder / f"{name}.toml").write_text(text)
    targets = [str(folder / f"{name}.toml") for name in RECIPES]
    command = [sys.executable, "-m", "mobile_export", "build", *targets, "--out", str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def files_of(folder: Path) -> tuple[Manifest, list[Path]]:
    """The manifest of a published folder, and its .tflite files in its order."""
    manifest = load_manifest(folder)
    return manifest, [folder / entry.file for entry in manifest.artifacts if entry.format == "tflite"]


def read(command: str, *files: Path) -> list[Any]:
    python = toolchain("tflite_support") / "read"
    done = subprocess.run([python, READERS, command, *files], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_examples_files_say_what_their_target_does(example: Path) -> None:
    names = (example / "examples/digits/labels.txt").read_text().splitlines()
    for platform in ("android", "ios"):
        manifest, files = files_of(example / "out" / platform)
        tflite = [entry for entry in manifest.artifacts if entry.format == "tflite"]
        for entry, found in zip(tflite, read("show", *files), strict=True):
            said = found["metadata"]
            mixed = ", mixed" if entry.scheme.layers else ""
            assert (said["name"], said["version"]) == (entry.name, manifest.version)
            assert said["description"] == f"{entry.precision}{mixed}; by mobile-export"
            assert said["min_parser_version"] == found["parser"]
            (inner,) = said["subgraph_metadata"]
            (image,), (probabilities,) = inner["input_tensor_metadata"], inner["output_tensor_metadata"]
            assert image["name"] == "image"
            assert image.keys() == {"name", "content"}  # nothing is known of its values
            assert probabilities["name"] == "probabilities"
            assert [(one["name"], one["type"]) for one in probabilities["associated_files"]] == [
                ("probabilities_labels.txt", "TENSOR_AXIS_LABELS")
            ]
            assert {file: text.splitlines() for file, text in found["files"].items()} == {
                "probabilities_labels.txt": names
            }


@pytest.mark.parametrize("name", RECIPES)
def test_preprocessing_is_the_targets(built: Path, images: np.ndarray, name: str) -> None:
    how = RECIPES[name]
    manifest, files = files_of(built / name)
    for found in read("show", *files):
        said = found["metadata"]
        assert said["version"] == manifest.version == "2.1"
        assert said["min_parser_version"] == found["parser"]
        (image,) = said["subgraph_metadata"][0]["input_tensor_metadata"]
        content = image["content"]
        assert content["content_properties_type"] == "ImageProperties"
        space = content["content_properties"].get("color_space", "UNKNOWN")
        assert space == ("UNKNOWN" if name == "reversed" else "RGB")
        assert ("blue, green, red" in image.get("description", "")) == (name == "reversed")
        (unit,) = image["process_units"]
        assert unit["options_type"] == "NormalizationOptions"
        mean, std = (np.array(unit["options"][key]) for key in ("mean", "std"))
        raw = images[:4, ..., ::-1] if name == "reversed" else images[:4]
        expected = raw if how.fold else preprocess(images[:4], how, "float32")
        np.testing.assert_allclose((raw - mean) / std, expected, rtol=1e-5, atol=1e-5)


def test_what_is_no_colour_image_and_what_is_no_probability(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        grays, numbers = tf.placeholder(tf.float32, [None, 4, 4, 1]), tf.placeholder(tf.float32, [None, 16])
        return [grays, numbers], [tf.argmax(tf.reshape(grays, [-1, 16]) * numbers, 1)]

    graph = make_graph(build, ["grays", "numbers"], ["kind"])
    about = About("1", {"kind": tuple(NAMES)}, dict.fromkeys(("grays", "numbers"), Preprocessing(std=(2.0,))))
    FORMATS["tflite"].write(graph, [Request("a", tmp_path / "a.tflite", about=about)], None)
    (found,) = read("show", tmp_path / "a.tflite")
    (inner,) = found["metadata"]["subgraph_metadata"]
    grays, numbers = inner["input_tensor_metadata"]
    assert grays["content"]["content_properties"] == {"color_space": "GRAYSCALE"}
    assert numbers["content"]["content_properties_type"] == "FeatureProperties"
    assert grays["process_units"] == numbers["process_units"]
    assert numbers["process_units"][0]["options"] == {"mean": [0.0], "std": [2.0]}
    (labels,) = inner["output_tensor_metadata"][0]["associated_files"]
    assert labels["type"] == "TENSOR_VALUE_LABELS"


def test_an_app_that_follows_it_gets_the_models_answers(
    built: Path, images: np.ndarray, tmp_path: Path, mobile_export
) -> None:
    """The image classifier of TensorFlow Lite's Task library: it is given a raw image and a file, and nothing else."""
    np.save(tmp_path / "image.npy", images[0])
    np.savez(tmp_path / "image.npz", image=preprocess(images[:1], IMAGES, "float32"))
    (outside, _), (folded, folded_uint8) = (files_of(built / name)[1] for name in ("outside", "folded"))
    ran = mobile_export("run", outside, "--data", tmp_path / "image.npz", "--save", tmp_path / "found.npz")
    assert ran.code == 0, ran.err
    expected = np.load(tmp_path / "found.npz")["probabilities"][0]
    files = [outside, folded, folded_uint8]
    for answers, bound in zip(read("classify", tmp_path / "image.npy", *files), (1e-5, 1e-4, 0.02), strict=True):
        scores = dict(answers)
        assert next(iter(scores)) == NAMES[expected.argmax()]
        np.testing.assert_allclose([scores[name] for name in NAMES], expected, rtol=0, atol=bound)


@pytest.mark.parametrize("name", RECIPES)
def test_onnx_models_say_it_too(built: Path, name: str) -> None:
    session = InferenceSession(built / name / "assets/models" / name / "onnx.onnx")
    said = session.get_modelmeta().custom_metadata_map
    assert said.keys() == {"version", "labels.probabilities", "preprocessing.image"}
    assert said["version"] == "2.1"
    assert json.loads(said["labels.probabilities"]) == NAMES
    assert json.loads(said["preprocessing.image"]) == json.loads(RECIPES[name].model_dump_json())


def test_what_is_behind_the_model_is_verified_too(built: Path, tmp_path: Path, mobile_export) -> None:
    shutil.copytree(built / "outside", tmp_path / "outside")
    _, (file, _) = files_of(tmp_path / "outside")
    content = file.read_bytes()
    assert content.count(b"kind 7\n") == 1
    for damaged in (content.replace(b"kind 7\n", b"kind 8\n"), content[:-30]):
        file.write_bytes(damaged)
        ran = mobile_export("verify", tmp_path / "outside")
        assert ran.code == 1
        assert "float32.tflite" in ran.out + ran.err
