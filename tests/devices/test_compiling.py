"""Compiling the runner: the same bytes each time, for the processor that is asked for, and errors in a sentence."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from mobile_export.devices import compiling
from mobile_export.devices.compiling import compile_runner
from mobile_export.devices.installation import Installation
from mobile_export.errors import MissingToolError
from tests.devices.native import TARGET, runner

__all__ = ["runner"]

LITTLE_64 = b"\x7fELF\x02\x01\x01"
X86_64, AARCH64 = 62, 183


def machine(program: bytes) -> int:
    """What an executable is made for."""
    assert program.startswith(LITTLE_64)
    number: int
    (number,) = struct.unpack_from("<H", program, 18)
    return number


def test_it_is_the_same_small_program_each_time(runner: Path, tmp_path: Path) -> None:
    compile_runner(tmp_path / "again", TARGET)
    program = (tmp_path / "again").read_bytes()
    assert program == runner.read_bytes()
    assert machine(program) == X86_64
    assert len(program) < 50_000
    assert not any(path in program for path in (b"/tmp", b"/home", b"/root", str(compiling.SOURCES).encode()))
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_the_one_for_phones_is_for_their_processors(installation: Installation) -> None:
    assert machine(installation.runner.read_bytes()) == AARCH64


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    monkeypatch.setattr(compiling, "SOURCES", folder)
    return folder


def test_a_warning_is_an_error_that_is_told(sources: Path, tmp_path: Path) -> None:
    (sources / "wrong.c").write_text("int main(void) {\n    int unused;\n    return 0;\n}\n")
    with pytest.raises(
        MissingToolError, match=r"zig cc does not compile the runner: wrong.c:2:9: error: unused variable"
    ):
        compile_runner(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_compiler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", sys._base_executable)  # type: ignore[attr-defined]
    bare = subprocess.run([sys.executable, "-c", "import ziglang"], capture_output=True, check=False)
    if bare.returncode == 0:
        pytest.skip("this Python has ziglang outside of the environment, too")
    with pytest.raises(MissingToolError, match="No module named ziglang"):
        compile_runner(tmp_path / "out")
