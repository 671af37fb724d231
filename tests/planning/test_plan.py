"""What is planned before anything heavy runs."""

import re
from pathlib import Path

import pytest

from mobile_export.errors import TargetError
from mobile_export.planning.plan import Plan, choices, load_targets, plan
from mobile_export.target import load_target

SEARCHED = '{ name = "a", format = "tflite", precision = "auto" }'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.pb").write_bytes(b"")
    (tmp_path / "data.npz").write_bytes(b"")
    (tmp_path / "own.py").write_text("def samples(): yield {}")
    return tmp_path


def planned(folder: Path, *artifacts: str, data: str = "") -> Plan:
    path = folder / "t.toml"
    path.write_text(f'name = "t"\nmodel.source = "m.pb"\n{data}\nartifacts = [{", ".join(artifacts)}]\n')
    return plan(path, load_target(path, choices()))


def test_artifacts_that_are_searched_for_have_a_search_key(folder: Path) -> None:
    assert planned(folder, SEARCHED, '{ name = "b", format = "tflite" }').search_keys.keys() == {"a"}


def test_a_search_stays_the_same_whatever_else_is_built_and_however_long_it_may_last(folder: Path) -> None:
    alone = planned(folder, SEARCHED)
    beside = planned(folder, SEARCHED, '{ name = "b", format = "onnx" }')
    longer = planned(folder, SEARCHED.replace("}", ", search.seconds = 1e6 }"))
    assert alone.versions.keys() < beside.versions.keys()
    assert alone.search_keys == beside.search_keys == longer.search_keys
    assert alone.keys["a"] == beside.keys["a"] != longer.keys["a"]


def test_a_model_is_as_old_as_its_files_unless_it_has_a_version(folder: Path) -> None:
    artifact = '{ name = "a", format = "tflite" }'
    first = planned(folder, artifact)
    assert re.fullmatch("[0-9a-f]{12}", first.version)
    assert planned(folder, artifact.replace('"a"', '"b"')).version == first.version == first.about.version
    given = planned(folder, artifact, data='model.version = "2.1"')
    assert given.version == "2.1"
    assert given.keys["a"] != first.keys["a"]
    (folder / "m.pb").write_bytes(b"other")
    assert planned(folder, artifact).version != first.version


def test_files_say_what_the_target_knows_of_the_model(folder: Path) -> None:
    (folder / "names.txt").write_text("cat\ndog\n")
    known = (
        'model.inputs = [{ name = "x", preprocessing = { scale = 0.5 } }, { name = "z" }]\n'
        'model.outputs = [{ name = "y", labels = "names.txt" }, { name = "w" }]'
    )
    about = planned(folder, '{ name = "a", format = "tflite" }', data=known).about
    assert about.labels == {"y": ("cat", "dog")}
    assert {name: how.scale for name, how in about.preprocessing.items()} == {"x": 0.5}
    assert about.files == {"y_labels.txt": b"cat\ndog\n"}


@pytest.mark.parametrize(
    "other", [SEARCHED.replace("tflite", "onnx"), SEARCHED.replace("}", ", limits.accuracy_drop = 0.1 }")]
)
def test_another_search_has_another_key(folder: Path, other: str) -> None:
    assert planned(folder, SEARCHED).search_keys != planned(folder, other).search_keys


@pytest.mark.parametrize(
    ("data", "generates"),
    [
        ("", False),
        ('data.calibration.source = "data.npz"\ndata.evaluation.source = "data.npz"', False),
        ('data.calibration.source = "own:samples"', True),
        ('data.calibration.source = "data.npz"\ndata.evaluation.source = "own:samples"', True),
    ],
)
def test_samples_that_code_makes_are_in_no_key(folder: Path, data: str, generates: bool) -> None:
    assert planned(folder, SEARCHED, data=data).is_guesswork is generates


def test_a_class_needs_a_file_that_apps_run(folder: Path) -> None:
    planned(folder, '{ name = "a", format = "graphdef" }', data='app.kotlin_package = "com.example"')
    with pytest.raises(
        TargetError, match=r"t\.toml: app: its class runs tflite, onnx, ort, and there is no such artifact"
    ):
        load_targets([folder / "t.toml"])
