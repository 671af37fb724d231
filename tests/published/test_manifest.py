"""The manifest as a file: what is read back, and what is refused."""

import json
from pathlib import Path

import pytest

from mobile_export.errors import ModelError
from mobile_export.published.manifest import FILE_NAME, load_manifest
from tests.apps.manifests import entry, manifest
from tests.published_folder import artifact, device, not_run
from tests.published_folder import manifest as described


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    whole = manifest(entry("a", "tflite"), generated={"kotlin/com/example/Demo.kt": "0" * 64})
    whole.save(tmp_path)
    assert load_manifest(tmp_path) == whole


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../a.kt",
        "kotlin/../../a.kt",
        "elsewhere/a.kt",
        "",
        "kotlin\\..\\..\\a.kt",
        "assets/a b",
        "assets/a\x1b[31m",
    ],
)
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, path: str) -> None:
    manifest(entry("a", "tflite"), generated={"kotlin/A.kt": "0" * 64}).save(tmp_path)
    saved = json.loads((tmp_path / FILE_NAME).read_text())
    for changed in (
        saved | {"generated": {path: "0" * 64}},
        saved | {"artifacts": [saved["artifacts"][0] | {"file": path}]},
    ):
        (tmp_path / FILE_NAME).write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=r"manifest\.json: not a manifest of schema version 1"):
            load_manifest(tmp_path)


ESCAPES = "\x1b]0;pwn\x07"


@pytest.mark.parametrize(
    "hostile",
    [
        {"target": "ios\x1b[31m"},
        {"target": "../ios"},
        {"labels": {ESCAPES: ["a"]}},
        {"preprocessing": {ESCAPES: {"scale": 1, "mean": [0], "std": [1], "channel_order": "rgb", "folded": True}}},
        {"app": {"class_name": f"A{ESCAPES}"}},
        {"app": {"class_name": "A", "kotlin_package": "com.example\nimport evil"}},
        {"app": {"class_name": "A", "swift_module": "A\n"}},
        {"artifacts": [{"name": f"a{ESCAPES}"}]},
        {"artifacts": [{"inputs": [{"name": "a b", "dtype": "float32", "shape": [1]}]}]},
        {"artifacts": [{"outputs": [{"name": ESCAPES, "dtype": "float32", "shape": [1]}]}]},
    ],
)
def test_names_are_spelled_as_in_targets(tmp_path: Path, hostile: dict) -> None:
    manifest(entry("a", "tflite")).save(tmp_path)
    saved = json.loads((tmp_path / FILE_NAME).read_text())
    changed = [saved["artifacts"][0] | more for more in hostile.get("artifacts", [{}])]
    (tmp_path / FILE_NAME).write_text(json.dumps(saved | hostile | {"artifacts": changed}))
    with pytest.raises(ModelError, match=r"manifest\.json: not a manifest of schema version 1"):
        load_manifest(tmp_path)


def test_what_is_missed_on_a_device_is_missed() -> None:
    found = artifact("a", devices=(device("cortex-a53"), device("cortex-a76", 0.5)))
    assert [(where, check.name) for where, check in found.missed] == [("arm64:cortex-a76", "device_difference")]
    assert not found.passed
    assert artifact("a", devices=(device("cortex-a53"), not_run("cortex-a76"))).passed


def test_what_was_not_run_is_said_once_for_each_reason() -> None:
    cores = (not_run("cortex-a53"), not_run("cortex-a76"))
    every = described(artifact("a", devices=cores), artifact("b", devices=cores), artifact("c"))
    assert every.skipped == ("not run on arm64:cortex-a53, arm64:cortex-a76: skipped",)
    one = described(artifact("a", devices=(not_run("cortex-a53", "no kernel"),)), artifact("b", devices=(device(),)))
    assert one.skipped == ("a not run on arm64:cortex-a53: no kernel",)
    assert described(artifact("a", devices=(device(),))).skipped == ()


def test_devices_are_read_back(tmp_path: Path) -> None:
    whole = described(artifact("a", devices=(device(difference=0.5), not_run("cortex-a76"))), artifact("b"))
    whole.save(tmp_path)
    assert load_manifest(tmp_path) == whole
    saved = json.loads((tmp_path / FILE_NAME).read_text())["artifacts"]
    assert ["devices" in entry for entry in saved] == [True, False]  # manifests without devices are as they were
