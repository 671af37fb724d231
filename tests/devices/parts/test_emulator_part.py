"""The emulator: the system's own, one that does not run, none."""

import platform
from pathlib import Path

import pytest

from mobile_export.devices.parts.emulator import NAME, Emulator
from mobile_export.devices.parts.part import Workshop
from mobile_export.errors import MissingToolError
from tests.devices.materials import emulator


def test_the_systems_own(tmp_path: Path, monkeypatch) -> None:
    theirs = emulator(tmp_path / "bin", monkeypatch, "8.0.4", "qemu-aarch64-static")
    out = tmp_path / "out"
    out.mkdir()
    part = Emulator()
    assert part.make(out, Workshop(tmp_path)) == "8.0.4"
    assert (out / NAME).resolve() == theirs
    assert not part.has_better(out)
    emulator(tmp_path / "newer", monkeypatch, "10.0.1")
    assert part.has_better(out), "one was put on PATH"


@pytest.mark.parametrize(
    ("system", "remedy"),
    [
        ({"ID": "fedora"}, "run: dnf install qemu-user"),
        ({"ID": "nobara", "ID_LIKE": "rhel fedora"}, "run: dnf install qemu-user"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "run: pacman -S qemu-user"),
        ({"ID": "own"}, "install your system's package of qemu's user-mode emulation"),
    ],
)
def test_none_and_no_apt(system: dict, remedy: str, tmp_path: Path, monkeypatch) -> None:
    broken = tmp_path / "qemu-aarch64"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: system)
    with pytest.raises(MissingToolError) as raised:
        Emulator().make(tmp_path, Workshop(tmp_path))
    assert str(raised.value).startswith("qemu-aarch64 is not on PATH") or "does not run" in str(raised.value)
    assert str(raised.value).endswith(remedy)
