"""The command: what it prints, and how it ends."""

import json
import shutil
from pathlib import Path

import pytest

from mobile_export.formats.flatbuffer import read_model, write_model
from mobile_export.lint import DELEGATES, relevant, survey_file
from mobile_export.lint.files import File
from mobile_export.lint.report import delegates_table, findings_table, heading, notes, short_name
from mobile_export.lint.survey import Finding, Survey
from tests.e2e.conftest import mobile_export  # noqa: F401
from tests.lint import models
from tests.lint.models import IMAGE, nodes, onnx_file, tflite
from tests.published_folder import published

ANDROID_TFLITE = ("xnnpack", "gpu", "qualcomm", "mediatek", "google_tensor")


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return tflite(tmp_path_factory.mktemp("sound"), models.convolutions)


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Path:
    return tflite(tmp_path_factory.mktemp("split"), models.computed_shape, "ab")


def test_delegates_are_those_of_format_and_platform() -> None:
    assert relevant("tflite", "android") == ANDROID_TFLITE
    assert relevant("tflite", "ios") == ("xnnpack", "gpu", "tflite_coreml")
    assert relevant("ort", "any") == ("nnapi", "coreml", "coreml_mlprogram")
    assert relevant("onnx", "android") == ("nnapi",)
    assert relevant("memmapped", "ios") == ("kernels",)
    assert relevant("saved_model", "any") == ()


def test_a_file_is_surveyed_by_all_of_them(split: Path) -> None:
    surveys = survey_file(split, "tflite", "android")
    assert tuple(survey.delegate for survey in surveys) == ANDROID_TFLITE
    assert [survey.title for survey in surveys] == [DELEGATES[name].title for name in ANDROID_TFLITE]
    assert [survey.advisory for survey in surveys] == [False, True, True, True, True]
    assert surveys[0].findings[0].operator == "RESHAPE"
    assert survey_file(split, "saved_model", "any") == ()


def test_a_sound_file(sound: Path, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("lint", sound, "--platform", "android", "--fail-on", "any")
    assert ran.code == 0, ran.err
    assert f"{sound}: tflite on Android; every delegate takes all of it" in ran.out
    assert [line.split()[0] for line in ran.out.splitlines()[4:9]] == list(ANDROID_TFLITE)
    assert "left by" not in ran.out


def test_a_file_that_is_left_in_part(split: Path, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("lint", split)
    assert ran.code == 0, ran.err
    assert f"{split}: tflite on a phone\n" in ran.out
    assert "2 of 3" in ran.out
    assert "new shape computed at run time, not constant" in ran.out
    assert "note: gpu: it refuses files with tensors whose size shows only while they run" in ran.out


@pytest.mark.parametrize("named", ["xnnpack", "qualcomm, gpu", "any"])
def test_delegates_that_have_to_take_all(named: str, split: Path, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("lint", split, "--fail-on", named)
    assert ran.code == 1
    assert f"leaves 1 of 3 operators of {split}" in ran.err


def test_others_may_leave_some(split: Path, mobile_export) -> None:  # noqa: F811
    assert mobile_export("lint", split, "--fail-on", "qualcomm").code == 0


def test_json(split: Path, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    other = onnx_file(tmp_path, nodes("Conv", "Acos"), IMAGE)
    ran = mobile_export("lint", split, other, "--platform", "ios", "--format", "json", "--fail-on", "coreml")
    assert ran.code == 1
    first, second = json.loads(ran.out)["files"]
    assert (first["file"], first["format"], first["platform"]) == (split.as_posix(), "tflite", "ios")
    assert [survey["delegate"] for survey in first["surveys"]] == ["xnnpack", "gpu", "tflite_coreml"]
    finding = {"node": "acos", "operator": "Acos", "why": "unsupported operator"}
    assert [survey["findings"] for survey in second["surveys"]] == [[finding], [finding]]
    assert second["surveys"][0]["partitions"] == 1


def test_published_folders_say_where_they_run(sound: Path, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    published(tmp_path, files={"digits": sound.read_bytes()})
    ran = mobile_export("lint", tmp_path, "--format", "json")
    assert ran.code == 0, ran.err
    (file,) = json.loads(ran.out)["files"]
    assert (file["platform"], len(file["surveys"])) == ("android", len(ANDROID_TFLITE))
    assert file["file"].endswith("android/assets/models/android/digits.tflite")


def test_what_a_file_is_shows_in_the_file(sound: Path, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    shutil.copy(sound, tmp_path / "model.bin")
    assert mobile_export("lint", tmp_path / "model.bin", "--fail-on", "xnnpack").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no-such.tflite"], 2, "no-such.tflite: no such file or folder"),
        (["README.md"], 2, "README.md: is not a kind of file that is looked at here; known: .tflite"),
        (["tests"], 3, "tests: nothing was published there"),
        (["README.md", "--fail-on", "xnpack"], 2, "there is no delegate 'xnpack'; the nearest names are 'xnnpack'"),
        (["README.md", "--platform", "web"], 2, "--platform"),
    ],
)
def test_what_is_refused(arguments: list[str], code: int, said: str, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("lint", *arguments)
    assert (ran.code, said in ran.err, "bug" in ran.err) == (code, True, False), ran.err


def test_a_delegate_that_none_of_the_files_meets(sound: Path, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("lint", sound, "--fail-on", "tflite_coreml", "--platform", "android")
    assert (ran.code, "--fail-on tflite_coreml: none of these files is one for it" in ran.err) == (2, True)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".ort"])
def test_damaged_files(suffix: str, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    (tmp_path / f"bad{suffix}").write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 64)
    ran = mobile_export("lint", tmp_path / f"bad{suffix}")
    assert (ran.code, f"bad{suffix}" in ran.err, "bug" in ran.err) == (4, True, False), ran.err


def test_names_of_files_are_no_markup(split: Path, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    model = read_model(split.read_bytes())
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"[red]\x1b[2Jname"
    (tmp_path / "rude.tflite").write_bytes(write_model(model))
    ran = mobile_export("lint", tmp_path / "rude.tflite", "--platform", "ios")
    assert ran.code == 0, ran.err
    assert r"[red]\x1b[2Jname" in ran.out
    assert "\x1b" not in ran.out


def test_long_names_are_cut_where_they_differ_least() -> None:
    assert short_name("head/MatMul") == "head/MatMul"
    assert short_name("relu;conv;bias") == "relu;…"
    assert short_name("a" * 60 + "/Conv2D") == "…" + "a" * 25 + "/Conv2D"


def test_nodes_that_are_left_for_the_same_reason_are_one_row() -> None:
    findings = tuple(Finding(node=f"node_{i}", operator="Acos", why="unsupported operator") for i in range(5))
    survey = Survey(
        delegate="nnapi", title="NNAPI", evidence="analyzed", source="s", operators=9, findings=findings, note="slow"
    )
    table = findings_table([survey])
    assert [list(map(str, column.cells)) for column in table.columns] == [
        ["nnapi"],
        ["Acos"],
        ["unsupported operator"],
        ["node_0, node_1, node_2 and 2 more"],
    ]
    assert str(next(iter(delegates_table([survey]).columns[2].cells))) == "4 of 9"
    assert notes([survey]) == ["nnapi: slow"]


def test_a_format_that_no_delegate_takes() -> None:
    file = File(Path("model.savedmodel"), "saved_model", "any")
    assert heading(file, ()) == "model.savedmodel: there is no delegate for saved_model on a phone"
