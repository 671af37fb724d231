"""One class for all files of a target: what it takes and gives, whatever each file holds at its edges."""

from typing import Any

import pytest

from mobile_export.apps.interface import interface_of
from mobile_export.errors import TargetError
from mobile_export.published.manifest import ArtifactEntry, Manifest
from tests.apps.manifests import entry, manifest


def test_real_values_are_public_where_a_file_holds_integers() -> None:
    whole = interface_of(manifest(entry("a", "tflite", dtype="int8", scale=0.5), entry("b", "onnx")))
    assert [(port.name, port.dtype, port.shape) for port in whole.inputs] == [("image", "float32", (1, 4))]
    assert [(v.name, v.runtime, v.inputs[0].dtype) for v in whole.variants] == [
        ("a", "litert", "int8"),
        ("b", "onnxruntime", "float32"),
    ]
    assert whole.runtimes == ("litert", "onnxruntime")


def test_formats_without_a_runtime_in_apps_are_left_out() -> None:
    whole = interface_of(manifest(entry("a", "tflite"), entry("b", "graphdef")))
    assert [variant.name for variant in whole.variants] == ["a"]


def test_paths() -> None:
    (variant,) = interface_of(manifest(entry("a", "tflite"))).variants
    assert variant.asset == "models/demo/a.tflite"
    assert variant.file_name == "a.tflite"
    assert variant.vectors == "test_assets/models/demo/a.golden"


def test_a_size_is_open_only_where_every_file_leaves_it_open() -> None:
    open_, fixed = entry("a", "onnx", shape=(-1, 4)), entry("b", "tflite", shape=(1, 4))
    assert interface_of(manifest(open_)).inputs[0].shape == (-1, 4)
    assert interface_of(manifest(open_, fixed)).inputs[0].shape == (1, 4)


def test_edges_follow_the_ports_whatever_their_order_in_a_file() -> None:
    first = entry("a", "tflite", inputs=("x", "y"))
    other = entry("b", "onnx", inputs=("y", "x"))
    whole = interface_of(manifest(first, other))
    assert [[edge.name for edge in variant.inputs] for variant in whole.variants] == [["x", "y"], ["x", "y"]]


def test_labels_and_preprocessing_belong_to_their_ports() -> None:
    how = {"scale": 1 / 255, "mean": (0.5,), "std": (0.5,), "channel_order": "rgb", "folded": False}
    whole = interface_of(manifest(entry("a", "tflite"), labels={"classes": ("x", "y")}, preprocessing={"image": how}))
    assert whole.outputs[0].labels == ("x", "y")
    assert whole.inputs[0].preprocessing is not None
    folded = manifest(entry("a", "tflite"), preprocessing={"image": {**how, "folded": True}})
    assert interface_of(folded).inputs[0].preprocessing is None


@pytest.mark.parametrize(
    ("files", "app", "message"),
    [
        ([entry("a", "tflite")], None, r"demo: the target has no \[app\]"),
        ([entry("a", "graphdef")], {"class_name": "Demo"}, "no artifact of the formats tflite, onnx, ort"),
        ([entry("a", "tflite"), entry("b", "onnx", inputs=("x",))], {"class_name": "Demo"}, "differ in their inputs"),
        (
            [entry("a", "tflite"), entry("b", "onnx", shape=(2, 4))],
            {"class_name": "Demo"},
            r"'image' is float32\[1, 4\] here and float32\[2, 4\] there",
        ),
        (
            [entry("a", "tflite"), entry("b", "onnx", shape=(1, 4, 1))],
            {"class_name": "Demo"},
            "give it a shape in the target",
        ),
        (
            [entry("a", "tflite"), entry("b", "onnx", dtype="int32")],
            {"class_name": "Demo"},
            r"float32\[1, 4\] here and int32\[1, 4\] there",
        ),
    ],
)
def test_no_class_fits(files: list[ArtifactEntry], app: Any, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        interface_of(manifest(*files, app=app))


def test_nothing_is_lost_in_the_manifest() -> None:
    whole = manifest(entry("a", "tflite"), labels={"classes": ("x",)})
    assert Manifest.model_validate_json(whole.model_dump_json()) == whole
