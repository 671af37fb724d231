import json
from pathlib import Path

import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.explanation.on_device import DeviceExplanation, explain_on_device
from mobile_export.explanation.report import SHOWN, device_heading, device_notes, operators_table
from mobile_export.quantize.scheme import Scheme
from mobile_export.watching.differing import Differing
from tests.explanation.models import network, written
from tests.explanation.test_report import shown
from tests.toolchains import toolchain

CORE = "arm64:cortex-a53"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    written(network(), folder, "tflite", Scheme("int8"))
    written(network(), folder, "onnx", Scheme("int8"))
    return folder


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The set-up of emulated cores."""
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(toolchain("arm64")))


@pytest.mark.usefixtures("cores")
def test_litert_s_own_kernels_on_a_core_round_differently(folder: Path) -> None:
    path, data = folder / "int8.tflite", folder / "data.npz"
    found = explain_on_device(path, f"{CORE}:builtin", data=data, samples=3)
    assert (found.file, found.device, found.samples, found.data) == (path, f"{CORE}:builtin", 3, str(data))
    assert "LiteRT" in found.runtime
    assert {one.reason for one in found.operators} == {"rounds differently, by one step"}
    assert "MEAN" in {one.operator for one in found.operators}
    assert found.note == ""
    assert json.loads(json.dumps(found.as_json()))["operators"][0]["name"] == found.operators[0].name


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize("name", ["int8.tflite", "int8.onnx"])
def test_xnnpack_and_onnx_runtime_compute_integers_there_as_here(folder: Path, name: str) -> None:
    found = explain_on_device(folder / name, CORE, data=folder / "data.npz")
    assert (found.operators, found.note) == ((), "")


@pytest.mark.usefixtures("cores")
def test_data_that_does_not_fit_is_said(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "none.npz"
    with pytest.raises(ModelError, match=r"none.npz"):
        explain_on_device(folder / "int8.tflite", CORE, data=data)


def test_what_only_runs_whole_files_is_refused(folder: Path) -> None:
    wanted = r"adb only runs whole files: mobile-export run .*int8.tflite --device adb"
    with pytest.raises(TargetError, match=wanted):
        explain_on_device(folder / "int8.tflite", "adb", data=folder / "data.npz")


def test_ort_files_and_strangers_are_refused(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a.ort"
    path.touch()
    with pytest.raises(TargetError, match=r"a.ort: is not a kind of file .*; known: .tflite, .onnx"):
        explain_on_device(path, CORE)
    with pytest.raises(TargetError, match=r"'phone' is no device"):
        explain_on_device(folder / "int8.tflite", "phone")


def explanation(*operators: Differing, note: str = "") -> DeviceExplanation:
    return DeviceExplanation(Path("x/a.tflite"), CORE, "LiteRT in qemu", 4, "data.npz", operators, note)


MEAN = Differing("pool", "MEAN", 0.0052, 0.0508, "rounds differently, by one step")


def test_a_row_says_what_differs_by_how_much_and_why() -> None:
    row = shown(operators_table(explanation(MEAN))).splitlines()[-2]
    assert row.split() == ["MEAN", "pool", "0.0052", "5.1", "%", *MEAN.reason.split()]


def test_heading_says_what_was_compared_with_what() -> None:
    heading = device_heading(explanation())
    assert heading == f"a.tflite on {CORE} (LiteRT in qemu) against this computer: 4 samples of data.npz"


def test_notes_say_what_is_not_in_the_table() -> None:
    assert device_notes(explanation(MEAN)) == []
    assert device_notes(explanation(*[MEAN] * (SHOWN + 2), note="so")) == [
        *("2 more operators differ by less; --format json shows all", "so")
    ]
    assert device_notes(explanation()) == [
        "every operator computes the same there as here, but for rounding of real values"
    ]


def test_what_is_not_finite_there_is_a_string_in_json() -> None:
    found = explanation(Differing("pool", "MEAN", float("inf"), 1.0)).as_json()
    assert json.loads(json.dumps(found))["operators"][0]["difference"] == "inf"
