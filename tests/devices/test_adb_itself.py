"""What adb itself does: with no phone, with one if one is connected, and with the daemon of a phone, which runs here.

The daemon, its shell and its tools are those of Android, compiled for Linux. It is no phone: its processor and its C
library are this computer's, and nobody there forbids anything.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mobile_export.devices import device_named
from mobile_export.devices.phone import find_phone
from mobile_export.devices.selftest import FOLDER
from mobile_export.errors import MissingToolError
from mobile_export.run import _run
from tests.devices.native import library, runner
from tests.toolchains import not_run, toolchain

__all__ = ["runner"]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def adb(tmp_path, monkeypatch):
    """The real program, from PATH or else the toolchain, with a server of its own."""
    if shutil.which("adb") is None:
        monkeypatch.setenv("PATH", f"{toolchain('adb')}{os.pathsep}{os.environ['PATH']}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(free.getsockname()[1]))
    monkeypatch.setenv("HOME", str(tmp_path))  # it makes keys
    yield
    subprocess.run(["adb", "kill-server"], capture_output=True, timeout=60, check=False)


def connected() -> bool:
    said = subprocess.run(["adb", "devices"], capture_output=True, text=True, timeout=60, check=True)
    return len(said.stdout.splitlines()) > 2


def test_no_phone(adb) -> None:
    if connected():
        pytest.skip("a phone is connected")
    with pytest.raises(MissingToolError, match="adb sees no phone; connect one, and switch USB debugging on"):
        device_named("adb").require()
    with pytest.raises(MissingToolError, match="adb sees no phone; connect one"):
        find_phone("R58M123ABC")


def test_a_phone(adb, monkeypatch, tmp_path) -> None:
    if not connected():
        not_run("no phone is connected")
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(toolchain("arm64")))
    with np.load(FOLDER / "int8.tflite.npz") as known:
        np.savez(tmp_path / "x.npz", int8_image=known["in int8_image"].astype(np.float32) / 30)
    ran = _run("tflite", FOLDER / "int8.tflite", tmp_path / "x.npz", None, "adb")
    assert all(beside.same_bits for beside in ran.beside.values()), ran.lines()


@pytest.mark.parametrize("name", ["int8.tflite", "all.onnx"])
def test_the_daemon_of_a_phone(runner, tmp_path, name) -> None:
    bridge = toolchain("adb")
    libraries = tmp_path / "root" / "lib"
    shutil.copytree(bridge / "root/usr/lib/x86_64-linux-gnu", libraries, ignore=lambda _, names: {*names} - LIBRARIES)
    (libraries / "ld-linux-x86-64.so.2").rename(libraries / "ld-linux-aarch64.so.1")
    script = [sys.executable, "-m", "tests.devices.beside_phone", runner, tmp_path / "root"]
    ended = subprocess.run(
        [bridge / "beside", tmp_path / "data", *script, library("tflite"), library("onnx"), FOLDER / name],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{bridge}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["runtime"].endswith(" of this computer on adb:127.0.0.1:5555 (a root of Debian, Android 0)")
    assert max(found["differences"].values()) <= 1e-5
    (left,) = found["left"]
    assert left.startswith("mobile-export-") and "run" not in left


LIBRARIES = {
    *("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"),
    *("libstdc++.so.6", "libgcc_s.so.1"),
}
