import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mobile_export.devices import emulator
from mobile_export.devices.cores import CORES, Core
from mobile_export.devices.emulator import (
    emulate,
    emulator_version,
    has_passed,
    known_cores,
    require_core,
    wrong_answers_as,
)
from mobile_export.devices.installation import Installation, notes_folder
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


@pytest.fixture(autouse=True)
def untested(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is answered by what another has tested."""
    monkeypatch.setattr(emulator, "_PASSED", set())


@pytest.fixture
def wrap(installation: Installation, tmp_path: Path) -> Wrap:
    """A set-up with the emulator inside a program, which has tested nothing yet."""

    def wrapped(program: str) -> Installation:
        path = tmp_path / "qemu"
        text = program.format(real=str(installation.emulator), log=str(tmp_path / "log"))
        path.write_text(f"#!{sys.executable} -S\n{text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return replace(installation, emulator=path)

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
    require_core(installation, CORES[name])
    assert len(list(notes_folder().glob(f"{name}-*.json"))) == 1
    assert list(temporary.iterdir()) == []


def test_an_emulator_is_tested_once_and_its_successor_again(
    wrap: Wrap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, log = wrap(COUNTING), tmp_path / "log"
    require_core(counting, A53)
    log.rename(tmp_path / "first")
    require_core(counting, A53)
    monkeypatch.setattr(emulator, "_PASSED", set())
    require_core(counting, A53)
    assert not log.exists(), "it was started again"
    (note,) = notes_folder().iterdir()
    for damaged in ("", "{}", note.read_text().replace("a53", "a76")):
        note.write_text(damaged)
        emulator._PASSED.clear()
        assert not has_passed(counting, A53)
    with pytest.raises(MissingToolError, match="computes wrong answers as cortex-a53"):
        require_core(wrap(CRASHING), A53)


def test_one_wrong_bit_is_refused(wrap: Wrap, tmp_path: Path) -> None:
    changing = wrap(CHANGING)
    assert "int8.tflite: 0.026 % of int8_" in "; ".join(wrong_answers_as(changing, A53))
    with pytest.raises(MissingToolError, match=r"computes wrong answers as cortex-a53 \(all.onnx and \d more\); see: "):
        require_core(changing, A53)
    assert not notes_folder().exists(), "it would pass the next time"


def test_an_emulator_that_crashes_is_refused(wrap: Wrap) -> None:
    crashing = wrap(CRASHING)
    assert wrong_answers_as(crashing, A53)[0] == "all.onnx: it ended with signal SIGSEGV"
    with pytest.raises(MissingToolError) as refused:
        require_core(crashing, A53)
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
        require_core(installation, CORES["max"])
    assert str(refused.value) == (
        f"{emulator_version(installation)} computes wrong answers as max (all.onnx and 2 more); "
        "see: mobile-export device list; name another core, or put another qemu-aarch64 on PATH and run: "
        "mobile-export device install arm64"
    )
    text = "; ".join(wrong_answers_as(installation, CORES["max"]))
    assert "dynamic.tflite: " in text and " % of int8_features differ" in text
    assert "int16x8.tflite" not in text and "float32" not in text


def test_an_unknown_core_is_refused(installation: Installation, tmp_path: Path) -> None:
    unknown = replace(A53, name="cortex-a5000")
    with pytest.raises(MissingToolError, match="does not know the core cortex-a5000; name another core, or"):
        require_core(installation, unknown)


class WithoutFiles(Core):
    """A core of which a program learns nothing, or what is true of this computer's."""

    def write_files(self, root: Path) -> None:
        """Write none."""


def test_the_self_test_notices_that_the_files_of_a_core_are_missing(installation: Installation, tmp_path: Path) -> None:
    if not emulator_version(installation).startswith("qemu-aarch64 7."):
        not_run("newer emulators than qemu 7 make up a /proc/cpuinfo themselves")
    bare = WithoutFiles(**vars(A53))
    assert "signal SIGSEGV" in "; ".join(wrong_answers_as(installation, bare))


def test_where_nothing_can_be_kept_it_is_tested_once_a_process(
    wrap: Wrap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MOBILE_EXPORT_CACHE", str(tmp_path / "file"))
    counting, log = wrap(COUNTING), tmp_path / "log"
    require_core(counting, A53)
    log.unlink()
    require_core(counting, A53)
    assert not log.exists()
    emulator._PASSED.clear()
    require_core(counting, A53)
    assert log.exists()


def test_a_set_up_is_tested_on_each_computer(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    require_core(installation, A53)
    monkeypatch.setattr(emulator, "_processor", lambda: "flags : sse2")
    assert not has_passed(installation, A53)


def test_a_set_up_is_not_written_to(installation: Installation) -> None:
    before = sorted(installation.folder.iterdir()), installation.folder.stat().st_mtime_ns
    require_core(installation, A53)
    assert (sorted(installation.folder.iterdir()), installation.folder.stat().st_mtime_ns) == before


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
