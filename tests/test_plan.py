"""What is planned before anything heavy runs."""

from pathlib import Path

import pytest

from mobile_export.plan import Plan, choices, plan
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
    assert planned(folder, SEARCHED, data=data).generates is generates
