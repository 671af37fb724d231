import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mobile_export.devices.cores import CORES, Core
from mobile_export.devices.emulator import emulate, emulator_version, known_cores, require_core
from mobile_export.devices.installation import Installation
from mobile_export.errors import MissingToolError
from tests.toolchains import not_run

A53 = CORES["cortex-a53"]

Wrap = Callable[[str], Installation]

CHANGING = """
import os, sys
answers, pipe = os.pipe()
if os.fork():
    os.dup2(pipe, 1)
    os.close(answers)
    os.execv({real!r}, [{real!r}, *sys.argv[1:]])
os.close(pipe)
os.close(0)
os.close(2)
sent = 0
while data := bytearray(os.read(answers, 65536)):
    if sent <= 2000 < sent + len(data):
        data[2000 - sent] ^= 0x40
    sent += len(data)
    os.write(1, data)
"""
"""Passes everything on, but for one bit of the answers."""
COUNTING = """
import os, sys
with open({log!r}, "a") as log:
    log.write("started\\n")
os.execv({real!r}, [{real!r}, *sys.argv[1:]])
"""
CRASHING = """
import os, signal, sys
if "help" in sys.argv:
    os.execv({real!r}, [{real!r}, *sys.argv[1:]])
os.kill(os.getpid(), signal.SIGSEGV)
"""
SILENT = ""


@pytest.fixture
def wrap(installation: Installation, tmp_path: Path) -> Wrap:
    """A set-up with the emulator inside a program, which has tested nothing yet."""

    def wrapped(program: str) -> Installation:
        path = tmp_path / "qemu"
        text = program.format(real=str(installation.emulator), log=str(tmp_path / "log"))
        path.write_text(f"#!{sys.executable} -S\n{text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return replace(installation, folder=tmp_path, emulator=path)

    return wrapped


def test_version_is_told(installation: Installation) -> None:
    said = subprocess.run([installation.emulator, "--version"], capture_output=True, text=True).stdout
    name, number = emulator_version(installation).split()
    assert said.startswith(f"{name} version {number}")


def test_the_emulator_is_asked_which_cores_it_knows(installation: Installation) -> None:
    known = known_cores(installation.emulator)
    assert {"cortex-a53", "cortex-a76", "max"} <= known
    assert not {"Available", "CPUs:", ""} & known


@pytest.mark.parametrize("name", ["cortex-a53", "cortex-a76"])
def test_a_right_emulator_passes_and_leaves_nothing_but_that(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    require_core(replace(installation, folder=tmp_path), CORES[name])
    assert len(list((tmp_path / "tested").glob(f"{name}-*.json"))) == 1
    assert list(temporary.iterdir()) == []


def test_an_emulator_is_tested_once_and_its_successor_again(wrap: Wrap, tmp_path: Path) -> None:
    counting, log = wrap(COUNTING), tmp_path / "log"
    require_core(counting, A53)
    log.rename(tmp_path / "first")
    require_core(counting, A53)
    assert not log.exists(), "it was started again"
    with pytest.raises(MissingToolError, match="fails its self-test"):
        require_core(wrap(CRASHING), A53)


def test_one_wrong_bit_is_refused(wrap: Wrap, tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match=r"fails its self-test as cortex-a53 \(.*int8.tflite: 0.026 % of int8_"):
        require_core(wrap(CHANGING), A53)
    assert not (tmp_path / "tested").exists(), "it would pass the next time"


def test_an_emulator_that_crashes_is_refused(wrap: Wrap) -> None:
    with pytest.raises(MissingToolError) as refused:
        require_core(wrap(CRASHING), A53)
    assert " (all.onnx: it ended with signal SIGSEGV; float32.tflite: " in str(refused.value)
    assert str(refused.value).endswith("on PATH and run: mobile-export device install arm64")


def test_an_emulator_that_says_nothing_is_refused(wrap: Wrap) -> None:
    with pytest.raises(MissingToolError, match="qemu: says nothing to -cpu help; run: mobile-export device install"):
        require_core(wrap(SILENT), A53)


def test_an_emulator_that_cannot_be_started_is_refused(wrap: Wrap) -> None:
    silent = wrap(SILENT)
    silent.emulator.write_text("#!/nowhere\n")
    with pytest.raises(MissingToolError, match=r"qemu: does not run .*; run: mobile-export device install arm64"):
        require_core(silent, A53)


def test_an_emulator_that_computes_wrong_is_refused(installation: Installation, tmp_path: Path) -> None:
    if not emulator_version(installation).startswith("qemu-aarch64 7."):
        not_run("only qemu 7 is known to compute wrong, as the core max")
    with pytest.raises(MissingToolError) as refused:
        require_core(replace(installation, folder=tmp_path), CORES["max"])
    text = str(refused.value)
    assert text.startswith(f"{emulator_version(installation)} fails its self-test as max (")
    assert "dynamic.tflite: " in text and " % of int8_features differ" in text
    assert "int16x8.tflite" not in text and "float32" not in text
    assert "; name another core in runs_on, or put another version of qemu-aarch64 on PATH and run: " in text


def test_an_unknown_core_is_refused(installation: Installation, tmp_path: Path) -> None:
    unknown = replace(A53, name="cortex-a5000")
    with pytest.raises(MissingToolError, match="does not know the core cortex-a5000; name another core in runs_on"):
        require_core(replace(installation, folder=tmp_path), unknown)


class WithoutFiles(Core):
    """A core of which a program learns nothing, or what is true of this computer's."""

    def write_files(self, root: Path) -> None:
        """Write none."""


def test_the_self_test_notices_that_the_files_of_a_core_are_missing(installation: Installation, tmp_path: Path) -> None:
    if not emulator_version(installation).startswith("qemu-aarch64 7."):
        not_run("newer emulators than qemu 7 make up a /proc/cpuinfo themselves")
    bare = WithoutFiles(**vars(A53))
    with pytest.raises(MissingToolError, match=r"fails its self-test as cortex-a53 \(.*signal SIGSEGV"):
        require_core(replace(installation, folder=tmp_path), bare)


def test_where_nothing_can_be_kept_it_is_tested_each_time(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    require_core(replace(installation, folder=tmp_path / "file"), A53)


def test_programs_see_nothing_of_the_environment(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XNNPACK_SECRET", "1")
    tmp_path.joinpath("lib").symlink_to(installation.root / "lib")
    loader = installation.root / "lib" / "ld-linux-aarch64.so.1"
    command = [*emulate(installation.emulator, A53, tmp_path), str(loader), "--list-diagnostics"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    variables = [line for line in told.splitlines() if line.startswith("env")]
    assert [line.partition("=")[2] for line in variables] == ['"LD_LIBRARY_PATH=/lib"'], os.linesep.join(variables)
