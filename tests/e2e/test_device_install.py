"""`device install arm64` on this machine, with what its package managers bring."""

import json
from pathlib import Path

import pytest

from mobile_export.devices.installation import VARIABLE
from mobile_export.devices.parts import apt
from tests.toolchains import not_run, toolchain

pytestmark = pytest.mark.e2e


def test_from_nothing(tmp_path: Path, mobile_export, monkeypatch) -> None:
    toolchain("arm64")  # where CI could not have it, it cannot be had now
    if not apt.is_here():
        not_run("there is no apt-get")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "devices"))
    made = mobile_export("device", "install", "arm64", "--format", "json")
    assert made.code == 0, made.err
    found = json.loads(made.out)["arm64"]
    usable = {core for core, said in found["cores"].items() if said["problem"] is None}
    assert {"cortex-a53", "cortex-a76"} <= usable
    assert found["bytes"] < 100_000_000

    again = mobile_export("device", "install", "arm64", "--format", "json")
    assert again.code == 0
    assert json.loads(again.out)["arm64"]["parts"] == found["parts"]
    assert "runner" not in again.err, "what is there is not made again"

    assert mobile_export("device", "remove", "arm64").code == 0
    assert not (tmp_path / "devices" / "arm64").exists()
