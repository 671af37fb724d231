"""`run --device`, as a user calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mobile_export.devices.installation import VARIABLE
from mobile_export.devices.selftest import FOLDER
from tests.e2e.conftest import Ran
from tests.toolchains import toolchain

pytestmark = pytest.mark.e2e


@pytest.fixture
def run(tmp_path):
    """The command in a process of its own, since workers have the environment of the first that needs any."""
    data = tmp_path / "images.npz"
    np.savez(data, int8_image=np.random.default_rng(0).normal(size=(6, 18, 18, 3)).astype(np.float32))

    def command(*options: str | Path, **environment: str) -> Ran:
        words = [sys.executable, "-m", "mobile_export", "run", FOLDER / "int8.tflite", "--data", data, *options]
        env = os.environ | environment
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    return command


def test_on_an_emulated_core(run, tmp_path) -> None:
    installed = {VARIABLE: str(toolchain("arm64"))}
    ran = run("--device", "arm64:cortex-a53", "--save", tmp_path / "there.npz", **installed)
    assert ran.code == 0, ran.err
    head, *lines = ran.out.splitlines()
    assert head.startswith("int8.tflite: 6 samples in LiteRT")
    assert "cortex-a53" in head
    assert lines.count("    the same bits as here") == 2
    with np.load(tmp_path / "there.npz") as saved:
        assert saved["int8_logits"].shape == (6, 19)

    ran = run("--device", "arm64:cortex-a53:builtin", "--samples", "3", "--format", "json", **installed)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert (found["device"], found["samples"]) == ("arm64:cortex-a53:builtin", 3)
    assert any(0 < output["device_difference"] < 0.1 for output in found["outputs"])
    assert not all(output["same_bits_as_here"] for output in found["outputs"])


def test_what_is_missing_is_said(run, tmp_path) -> None:
    ran = run("--device", "arm64:cortex-a53", **{VARIABLE: str(tmp_path / "none")})
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == "error: arm64 devices are not set up; run: mobile-export device install arm64\n"
    ran = run("--device", "adb", PATH=str(tmp_path))
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("error: adb is not on PATH; install Android's platform tools")
    ran = run("--device", "arm46:cortex-a53")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: 'arm46:cortex-a53' is no device; the nearest names are 'arm64:cortex-a53'")
