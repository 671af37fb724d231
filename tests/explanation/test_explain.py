import json
from pathlib import Path

import pytest

from mobile_export.errors import ConversionError, ModelError, TargetError
from mobile_export.explanation.explain import explain_file
from mobile_export.quantize.scheme import Scheme
from tests.explanation.models import FIRST, SECOND, network, rescale, written


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    written(network(rescale), folder, "tflite", Scheme("int8"))
    return folder


def test_a_file_is_explained_against_the_one_that_is_named(folder: Path) -> None:
    path, baseline, data = folder / "int8.tflite", folder / "float32.tflite", folder / "data.npz"
    found = explain_file(path, against=baseline, data=data, samples=3)
    assert found.samples == 3
    assert (found.file, found.against, found.data) == (path, str(baseline), str(data))
    assert found.layers[0].name == SECOND["tflite"]
    assert found.note == ""
    as_json = json.loads(json.dumps(found.as_json()))
    assert as_json["layers"][0]["name"] == SECOND["tflite"]
    assert as_json["layers"][0]["reasons"][0]["kind"] == "reads_outlier_channel"
    assert as_json["layers"][0]["reasons"][0]["settable"] == [FIRST["tflite"], SECOND["tflite"]]
    assert {layer["name"]: layer["settable"] for layer in as_json["layers"]}["Mean"] == SECOND["tflite"]


def test_infinity_is_a_string_in_json(folder: Path) -> None:
    path = folder / "float32.tflite"
    found = explain_file(path, against=path, data=folder / "data.npz", samples=1)
    assert {layer["sqnr"] for layer in found.as_json()["layers"]} == {"inf"}
    assert "Infinity" not in json.dumps(found.as_json())


def test_other_kinds_of_files_are_not_explained(tmp_path: Path) -> None:
    path = tmp_path / "model.pb"
    path.touch()
    with pytest.raises(TargetError, match=r"model.pb: is not a kind of file .*; known: .tflite, .onnx"):
        explain_file(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"none.tflite: no such file"):
        explain_file(tmp_path / "none.tflite")


def test_the_float_file_is_of_the_same_kind_and_there(folder: Path) -> None:
    other = folder / "float32.onnx"
    with pytest.raises(TargetError, match=r"float32.onnx: is not a kind of file .*; known: .tflite"):
        explain_file(folder / "int8.tflite", against=other, data=folder / "data.npz")
    with pytest.raises(TargetError, match=r"none.tflite: no such file"):
        explain_file(folder / "int8.tflite", against=folder / "none.tflite", data=folder / "data.npz")


def test_without_a_float_file_it_is_said_what_to_give(folder: Path) -> None:
    with pytest.raises(TargetError, match=r"nothing to compare it with; name the float32 file with --against, or the"):
        explain_file(folder / "int8.tflite", data=folder / "data.npz")


def test_without_samples_it_is_said_what_to_give(folder: Path) -> None:
    with pytest.raises(TargetError, match=r"there are no samples to run; name some with --data, or its target with"):
        explain_file(folder / "int8.tflite", against=folder / "float32.tflite")


def test_missing_samples_are_the_users_mistake(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"none.npz: no such data file"):
        explain_file(folder / "int8.tflite", against=folder / "float32.tflite", data=folder / "none.npz")


def test_a_damaged_file_ends_no_more_than_its_worker(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.tflite"
    path.write_bytes(b"TFL3" * 100)
    with pytest.raises(ConversionError, match=r"damaged.tflite: the LiteRT runtime does not load it"):
        explain_file(path, against=folder / "float32.tflite", data=folder / "data.npz")
