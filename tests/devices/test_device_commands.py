"""`device install`, `list` and `remove`, and what `doctor` says of them."""

import importlib.metadata
import json
import platform
import sys
from pathlib import Path

import pytest

from mobile_export import cli
from mobile_export.devices.installation import COMMAND, VARIABLE
from tests.devices import materials

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="not run here: user-mode emulation is Linux's")


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "devices"))
    return tmp_path / "devices" / "arm64"


@pytest.fixture
def command(capsys, monkeypatch):
    """A command's exit code, and what it printed and complained of."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mobile-export", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def test_nothing_is_set_up(place: Path, command) -> None:
    code, printed, said = command("device", "list")
    assert code == 0
    assert printed.count("not there") == 5
    assert said == f"warning: arm64 devices are not set up; run: {COMMAND}\n"
    assert command("device", "remove", "arm64") == (0, f"{place}: nothing was there\n", "")
    code, printed, _ = command("doctor")
    assert code == 0
    assert f"arm64 device       not set up: {COMMAND}\n" in printed


def test_an_emulator_that_computes_nothing(place: Path, tmp_path: Path, command, monkeypatch) -> None:
    """The set-up is made, every core fails its self-test, and that is how it ends."""
    materials.wheels(materials.index(tmp_path / "index", monkeypatch))
    materials.emulator(tmp_path / "bin", monkeypatch)
    root = materials.sysroot(tmp_path / "root")
    code, printed, said = command("device", "install", "arm64", "--sysroot", str(root))
    assert code == 5
    assert "\n  C library      2.36" in printed
    assert "arm64:cortex-a53     not usable: qemu-aarch64 7.2.22 does not know the core" in printed
    assert "error: no core can be used: " in said
    assert said.rstrip().endswith(COMMAND)
    assert "LiteRT 2" in said, "what was made, with its seconds"
    assert "self-test" not in said, "none was made of a core that is not known"

    code, printed, _ = command("doctor", "--format", "json")
    found = json.loads(printed)["devices"]["arm64"]
    assert (code, found["problem"]) == (0, None)
    assert found["parts"]["emulator"] == {
        "version": "7.2.22",
        "bytes": found["parts"]["emulator"]["bytes"],
        "problem": None,
    }
    assert found["cores"]["cortex-a76"] == {"problem": "has not passed its self-test"}
    assert "cores: none that computes right" in command("doctor")[1]

    (place / "litert" / "libLiteRt.so").write_text("LiteRt")
    assert "libLiteRt.so changed since it was set up" in command("doctor")[1]

    code, printed, _ = command("device", "remove", "arm64", "--format", "json")
    assert json.loads(printed)["arm64"]["removed"] == found["bytes"]
    assert not place.exists()


def test_a_kind_that_needs_none(command, place: Path) -> None:
    said = "error: {}: no kind of device that is set up; name arm64\n"
    assert command("device", "install", "adb") == (2, "", said.format("adb"))
    assert command("device", "remove", "amr64") == (2, "", said.format("amr64"))


def test_an_arm_computer_needs_nothing(place: Path, command, monkeypatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    code, printed, _ = command("device", "install", "arm64")
    assert code == 0
    assert "nothing has to be set up" in printed
    assert not place.exists()
    assert command("device", "list")[1].startswith("arm64: this is an ARM computer")
    assert json.loads(command("device", "install", "arm64", "--format", "json")[1])["arm64"]["native"]


def test_other_systems(place: Path, command, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    code, _, said = command("device", "install", "arm64")
    assert code == 5
    assert said.startswith("error: arm64 devices need Linux's user-mode emulation; use Linux, on Windows WSL, or a Mac")


def test_where_nothing_can_be_built(place: Path, command, monkeypatch) -> None:
    """Devices are of no use there, and doctor says what is missing all the same."""
    version = importlib.metadata.version

    def installed(name: str) -> str:
        if name == "onnx":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", installed)
    code, printed, said = command("doctor")
    assert (code, "device" in printed) == (5, False)
    assert said == 'error: onnx missing; run: pip install "mobile-export[convert]"\n'
    assert command("device", "install", "arm64")[0::2] == (5, said)
    assert not place.exists()
