"""The example's files on the cores of phones: same bits in integers, and what is not right there is not published."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mobile_export.devices.installation import is_native
from mobile_export.published.manifest import ArtifactEntry, DeviceEntry, load_manifest
from mobile_export.session import import_tensorflow
from tests.e2e.conftest import Ran, tree
from tests.toolchains import not_run, toolchain

pytestmark = pytest.mark.e2e

A53, A76, BUILTIN = "arm64:cortex-a53", "arm64:cortex-a76", "arm64:cortex-a53:builtin"
ELSEWHERE = {"digits_mapped", "digits_ios_graph"}
"""Of formats that no device runs."""


@pytest.fixture(scope="module")
def arm64() -> Path:
    """What MOBILE_EXPORT_DEVICES names."""
    return toolchain("arm64")


@pytest.fixture(scope="module")
def with_devices(arm64: Path) -> Callable[..., Ran]:
    """The command line in a process of its own: workers have the environment in which the first of them started."""

    def run(*arguments: object) -> Ran:
        command = [sys.executable, "-m", "mobile_export", *map(str, arguments)]
        environment = os.environ | {"MOBILE_EXPORT_DEVICES": str(arm64)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def without_devices(mobile_export: Callable[..., Ran], tmp_path: Path, monkeypatch) -> Callable[..., Ran]:
    """The command line where nothing is set up."""
    if is_native():
        not_run("an ARM computer needs no set-up of arm64")
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(tmp_path / "none"))
    return mobile_export


@pytest.fixture(scope="module")
def built(example: Path, with_devices: Callable[..., Ran], tmp_path_factory) -> tuple[Path, Ran]:
    """Where both targets were built for both cores, and how it ended."""
    out = tmp_path_factory.mktemp("devices") / "out"
    targets = [example / "targets/android.toml", example / "targets/ios.toml"]
    return out, with_devices("build", *targets, "--runs-on", A53, "--runs-on", A76, "--out", out)


def entries(out: Path) -> dict[str, ArtifactEntry]:
    return {entry.name: entry for name in ("android", "ios") for entry in load_manifest(out / name).artifacts}


def difference(entry: DeviceEntry) -> float:
    (found,) = [check.value for check in entry.checks if check.name == "device_difference"]
    return found


def test_every_file_ran_on_both_cores(built: tuple[Path, Ran]) -> None:
    out, ran = built
    assert ran.code == 0, ran.err
    found = entries(out)
    assert set(found) > ELSEWHERE
    for name, entry in found.items():
        assert [device.device for device in entry.devices] == ([] if name in ELSEWHERE else [A53, A76]), name
        for device in entry.devices:
            assert (device.samples, device.skipped, device.operators) == (32, "", ()), name
            assert {check.check for check in device.checks} == {"device", "parity", "accuracy"}
            assert all(check.passed for check in device.checks)
            assert device.runtime


def test_integers_are_the_same_bits_and_floats_are_near(built: tuple[Path, Ran]) -> None:
    differences = {
        (entry.precision, device.device): difference(device)
        for entry in entries(built[0]).values()
        for device in entry.devices
    }
    assert {precision for precision, _ in differences} >= {"float32", "float16", "dynamic", "int8"}
    for (precision, device), value in differences.items():
        assert value == 0 if precision == "int8" else value < 1e-5, (precision, device)
    assert any(value > 0 for value in differences.values())  # other kernels, or they would have shown nothing


def test_equal_bits_have_the_same_numbers_as_here(built: tuple[Path, Ran]) -> None:
    entry = entries(built[0])["digits_int8"]
    here = {check.name: check.value for check in entry.checks}
    for device in entry.devices:
        there = {check.name: check.value for check in device.checks if check.check != "device"}
        assert {"accuracy", "accuracy_drop", "sqnr"} < set(there)
        assert there == {name: here[name] for name in there}


def test_what_is_current_needs_no_device(
    built: tuple[Path, Ran], example: Path, without_devices: Callable[..., Ran]
) -> None:
    out, _ = built
    before = tree(out)
    options = ["--runs-on", A53, "--runs-on", A76, "--out", out]
    ran = without_devices("build", example / "targets/android.toml", *options)
    assert (ran.code, ran.out.split(":")[1].split()[0]) == (0, "current"), ran.err
    assert tree(out) == before


TINY = f"""
name = "tiny"
runs_on = ["{A53}"]
[model]
source = "model.pb"
inputs = [{{ name = "x", tensor = "x:0", shape = [1, 16, 16, 8] }}]
outputs = [{{ name = "y", tensor = "y:0" }}]
[data]
calibration = {{ source = "samples.npz" }}
[[artifacts]]
name = "tiny_int8"
format = "tflite"
precision = "int8"
limits = {{ device_difference = 0.0 }}
"""


def tiny(folder: Path) -> Path:
    """A target for one convolution, of every channel by itself."""
    tf = import_tensorflow()
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 16, 16, 8], name="x")
        weights = rng.normal(size=(3, 3, 8, 1)).astype(np.float32)
        tf.nn.relu6(tf.nn.depthwise_conv2d(x, weights, [1, 1, 1, 1], "SAME"), name="y")
    (folder / "model.pb").write_bytes(graph.as_graph_def().SerializeToString())
    np.savez(folder / "samples.npz", x=rng.normal(size=(40, 16, 16, 8)).astype(np.float32))
    (folder / "tiny.toml").write_text(TINY)
    return folder / "tiny.toml"


def test_without_the_set_up_nothing_is_built_until_devices_are_skipped(
    with_devices: Callable[..., Ran], without_devices: Callable[..., Ran], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["build", tiny(tmp_path), "--out", out]
    refused = without_devices(*command)
    assert refused.code == 5
    assert "mobile-export device install arm64" in refused.err
    assert not [path for path in out.rglob("*") if path.is_file()]

    skipped = without_devices(*command, "--skip-device")
    assert skipped.code == 0, skipped.err
    assert [(device.device, bool(device.skipped), device.checks) for device in devices_of(out)] == [(A53, True, ())]
    assert "warning: tiny:" in skipped.err
    assert "--skip-device" in skipped.err

    marked = tree(out)
    assert without_devices(*command).code == 5  # what was not run there is not current
    assert tree(out) == marked

    ran = with_devices(*command)
    assert (ran.code, "current" in ran.out) == (0, False), ran.err
    assert [(device.samples, device.skipped, device.passed) for device in devices_of(out)] == [(32, "", True)]


def test_a_difference_fails_the_gate_and_names_the_operators(
    built: tuple[Path, Ran], example: Path, with_devices: Callable[..., Ran]
) -> None:
    """XNNPACK, here and there, rounds otherwise than LiteRT's own kernels do there: by default limits it is too much.

    It shows in one of a hundred answers, since the softmax is sure of most.
    """
    out, _ = built
    before = tree(out)
    only = ["--artifact", "digits_int8", "--runs-on", A53, "--runs-on", BUILTIN]
    ran = with_devices("build", example / "targets/android.toml", *only, "--out", out)
    assert ran.code == 1, ran.err
    assert tree(out) == before
    missed = [line for line in ran.out.splitlines() if "device_difference" in line]
    assert len(missed) == 1, ran.out
    core = BUILTIN.removeprefix("arm64:")
    assert core in missed[0]
    assert f"{core}: DEPTHWISE_CONV_2D" in " ".join(ran.out.split())


def devices_of(out: Path) -> tuple[DeviceEntry, ...]:
    (entry,) = load_manifest(out / "tiny").artifacts
    return entry.devices
