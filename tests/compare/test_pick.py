import tomllib
from pathlib import Path

import pytest

from mobile_export.compare.pick import choose, write_pick
from mobile_export.errors import CheckFailed, TargetError
from mobile_export.planning.devices import Overrides
from mobile_export.planning.plan import load_targets
from tests.compare.samples import candidate, comparison, drop, refused

HEAD = 'name = "t"  # the name\n[model]\nsource = "m"\n\n[data]\nevaluation = { source = "e.npz" }\n'
OWN = (
    '\n# what we ship\n[[artifacts]]\nname = "a"   # since 2019\nformat = "tflite"\nlimits = { accuracy_drop = 0.01 }\n'
)
ADDED = {"name": "onnx_float16", "format": "onnx", "precision": "float16", "limits": {"accuracy_drop": 0.01}}


def picked(path: Path, text: str, name: str = "onnx_float16") -> str:
    """The target file after a candidate was written into it."""
    path.write_bytes(text.encode())
    (_, target) = load_targets([path])[0]
    write_pick(path, target, candidate(name))
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    "text",
    [
        HEAD + OWN,
        (HEAD + OWN).rstrip("\n"),
        (HEAD + OWN).replace("\n", "\r\n"),
        HEAD.replace("[model]", OWN + "[model]"),
        HEAD + OWN + "\n[app]\nclass_name = 'X'\n# the end\n",
    ],
)
def test_what_was_there_stays_byte_for_byte(text: str, tmp_path: Path) -> None:
    written = picked(tmp_path / "t.toml", text)
    assert written.startswith(text)
    assert written.count("\r\n") == (written.count("\n") if "\r\n" in text else 0)
    before = tomllib.loads(text)
    assert tomllib.loads(written) == before | {"artifacts": [*before["artifacts"], ADDED]}
    assert list(tmp_path.iterdir()) == [tmp_path / "t.toml"]


def test_a_list_of_artifacts_grows(tmp_path: Path) -> None:
    own = '{ name = "a", format = "tflite", limits = { accuracy_drop = 0.01 } }'
    text = f"artifacts = [\n    {own},  # since 2019\n]\n" + HEAD
    written = picked(tmp_path / "t.toml", text)
    assert "# since 2019" in written
    assert "# the name" in written
    assert tomllib.loads(written)["artifacts"][1] == ADDED


def test_kernels_are_written_as_the_target_has_them(tmp_path: Path) -> None:
    kernels = '\n[[artifacts]]\nname = "g"\nformat = "graphdef"\nkernels = "tensorflow-android-1.13.1"\n'
    written = picked(tmp_path / "t.toml", HEAD + OWN + kernels, "memmapped_float32")
    assert tomllib.loads(written)["artifacts"][-1]["kernels"] == "tensorflow-android-1.13.1"


def test_a_target_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text(HEAD + OWN)
    (_, target) = load_targets([path])[0]
    path.write_text(HEAD + OWN.replace("0.01", "0.02"))
    with pytest.raises(TargetError, match="was changed while it was compared"):
        write_pick(path, target, candidate("onnx_float16"))
    assert path.read_text() == HEAD + OWN.replace("0.01", "0.02")


def found():
    return comparison(
        candidate("small", 500, 30, (drop(0.02, 0.001, limit=0.05),)),
        candidate("fast", 900, 10, (drop(0.02, 0.001, limit=0.05),)),
        candidate("hardly_faster", 1000, 9.8, (drop(0.019, 0.001, limit=0.05),)),
        candidate("exact", 1500, 40, (drop(0.0, 0.001, limit=0.05),)),
        candidate("broken", 10, 1, (drop(0.5, 0.001, limit=0.05),)),
        refused("refused", "why"),
    )


@pytest.mark.parametrize(("by", "name"), [("size", "small"), ("latency", "hardly_faster"), ("accuracy", "exact")])
def test_the_best_measured_in_one_respect_and_of_equals_the_smallest(by, name: str) -> None:
    assert choose(found(), by).name == name


def test_nothing_is_picked_that_failed() -> None:
    broken = comparison(candidate("broken", 10, 1, (drop(0.5, limit=0.05),)), refused("refused", "why"))
    with pytest.raises(CheckFailed, match="no candidate passed"):
        choose(broken, "size")
    with pytest.raises(CheckFailed, match="no candidate could be timed"):
        choose(comparison(candidate("untimed")), "latency")


def test_what_the_command_line_said_of_devices_does_not_go_into_the_file(tmp_path: Path) -> None:
    path, skipped = tmp_path / "t.toml", Overrides(skip_device=True)
    path.write_text(HEAD + OWN)
    (_, target) = load_targets([path], overrides=skipped)[0]
    with pytest.raises(TargetError, match="was changed while it was compared"):
        write_pick(path, target, candidate("onnx_float16"))
    write_pick(path, target, candidate("onnx_float16"), skipped)
    written = tomllib.loads(path.read_text())
    assert written["artifacts"][-1] == ADDED
    assert "device" not in written


def test_limits_of_devices_that_the_command_line_names_stay(tmp_path: Path) -> None:
    path, there = tmp_path / "t.toml", Overrides(runs_on=("arm64:cortex-a53",))
    path.write_text(HEAD + OWN.replace("0.01 }", "0.01, device_difference = 0.1 }"))
    (_, target) = load_targets([path], overrides=there)[0]
    write_pick(path, target, candidate("onnx_float16"), there)
    assert tomllib.loads(path.read_text())["artifacts"][-1] == ADDED
