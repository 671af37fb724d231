"""A set-up is made of parts, each whole or not at all; what is damaged or of another version is made anew."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from mobile_export.devices import installation
from mobile_export.devices.installation import COMMAND, VARIABLE, install, installed, is_native, remove, states
from mobile_export.errors import MissingToolError, OutputError
from tests.devices import materials
from tests.devices.materials import PARTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="not run here: user-mode emulation is Linux's")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A whole set-up, of small parts."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "devices"))
        materials.wheels(materials.index(folder / "index", patch))
        materials.emulator(folder / "bin", patch)
        install(sysroot=materials.sysroot(folder / "root"))
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch) -> Path:
    """A copy of it, with what it is made of at hand."""
    shutil.copytree(made / "devices", tmp_path / "devices", symlinks=True)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "devices"))
    materials.index(made / "index", monkeypatch)
    monkeypatch.setenv("PATH", str(made / "bin"), prepend=":")
    return tmp_path / "devices" / "arm64"


def made_again(**wishes: Path) -> list[str]:
    """Install, and say what was made."""
    found: list[str] = []
    install(done=lambda name, seconds: found.append(name.split(" ")[0]), **wishes)
    return found


def test_what_is_made(place: Path) -> None:
    found = installed()
    assert found.litert.read_text() == "litert"
    assert found.onnxruntime.read_text() == "onnxruntime"
    assert found.runner.read_text() == "compiled"
    assert (found.root / "lib" / "ld-linux-aarch64.so.1").is_file()
    assert found.emulator.resolve().is_file()
    assert found.versions["emulator"] == "7.2.22"
    assert found.versions["library"] == "2.36"
    assert {path.name for path in place.iterdir()} == {*PARTS}, "nothing else is left"
    assert made_again() == []


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_missing(name: str, place: Path, made: Path) -> None:
    shutil.rmtree(place / name)
    with pytest.raises(MissingToolError, match=rf"cannot be used \(.*: not there\); run: {COMMAND}$"):
        installed()
    wishes = {"sysroot": made / "root"} if name == "library" else {}
    assert len(made_again(**wishes)) == 1
    installed()


def test_a_file_that_was_changed(place: Path) -> None:
    library = installed().litert
    library.write_text("LiteRt")
    with pytest.raises(MissingToolError, match=r"LiteRT: libLiteRt.so changed since it was set up"):
        installed()
    assert made_again() == ["LiteRT"]
    assert library.read_text() == "litert"


def test_a_file_that_hides_its_change(place: Path) -> None:
    library = installed().litert
    before = library.stat()
    library.write_text("LiteRt")
    os.utime(library, ns=(before.st_atime_ns, before.st_mtime_ns))
    installed()
    with pytest.raises(MissingToolError, match=r"libLiteRt.so changed"):
        installed(thorough=True)
    assert [state.title for state in states(thorough=True) if state.problem] == ["LiteRT"]
    assert made_again() == ["LiteRT"]


def test_a_program_that_may_not_be_run_any_more(place: Path) -> None:
    installed().runner.chmod(0o644)
    with pytest.raises(MissingToolError, match=r"runner: runner changed"):
        installed()


def test_a_copy_is_as_good(place: Path) -> None:
    for path in place.rglob("*.so*"):
        path.touch()
    installed()


@pytest.mark.parametrize("text", ["", "{", '{"version": 3, "files": {}}', "[]"])
def test_a_record_of_somebody(text: str, place: Path) -> None:
    (place / "litert" / "record.json").write_text(text)
    with pytest.raises(MissingToolError, match="LiteRT: not there"):
        installed()
    assert made_again() == ["LiteRT"]


def test_packages_that_were_upgraded(place: Path) -> None:
    record = place / "onnxruntime" / "record.json"
    version = installed().versions["onnxruntime"]
    record.write_text(record.read_text().replace(version, "1.0.0"))
    with pytest.raises(MissingToolError, match=rf"ONNX Runtime: 1.0.0 is there, {version} is wanted now"):
        installed()
    assert made_again() == ["ONNX"]


def test_an_emulator_of_the_system_that_was_upgraded(place: Path, tmp_path: Path, monkeypatch) -> None:
    materials.emulator(tmp_path / "newer", monkeypatch, "10.0.1")
    assert installed().versions["emulator"] == "7.2.22", "what is set up stays until it is asked for"
    assert made_again() == ["emulator"]
    assert installed().versions["emulator"] == "10.0.1"
    materials.emulator(tmp_path / "newer", monkeypatch, "10.0.2")
    with pytest.raises(MissingToolError, match="emulator: qemu-aarch64 changed"):
        installed()


def test_another_c_library(place: Path, tmp_path: Path) -> None:
    assert made_again(sysroot=materials.sysroot(tmp_path / "root", "2.41")) == ["C"]
    assert installed().versions["library"] == "2.41"


def test_what_was_made_stays_when_something_cannot_be_had(place: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.rmtree(place / "litert")
    shutil.rmtree(place / "runner")
    index = materials.index(tmp_path / "index", monkeypatch)
    materials.wheels(index)
    next(index.glob("ziglang*")).unlink()
    with pytest.raises(MissingToolError, match=r"^ziglang==0.15.2 cannot be had"):
        install()
    assert {path.name for path in place.iterdir()} == {*PARTS} - {"runner"}
    materials.wheels(index)
    assert made_again() == ["runner"]


def test_all_that_cannot_be_had_is_told(place: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.rmtree(place / "litert")
    shutil.rmtree(place / "onnxruntime")
    materials.index(tmp_path / "index", monkeypatch)
    with pytest.raises(
        MissingToolError, match=r"^ai-edge-litert==.* cannot be had: .*; onnxruntime==.* cannot be had: "
    ):
        install()


def test_a_compiler_that_fails(place: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.rmtree(place / "runner")
    index = materials.index(tmp_path / "index", monkeypatch)
    failing = {"ziglang/__init__.py": "", "ziglang/__main__.py": "raise SystemExit('error: no room')"}
    materials.wheel(index, "ziglang", "0.15.2", "any", failing)
    with pytest.raises(MissingToolError, match="error: no room"):
        install()


def test_what_a_killed_one_left(place: Path) -> None:
    for left in (".staging-workshop-1", ".staging-runner-1", ".retired-runner"):
        (place / left).mkdir()
    shutil.rmtree(place / "runner")
    assert made_again() == ["runner"]
    assert {path.name for path in place.iterdir()} == {*PARTS}


def test_two_at_once(place: Path) -> None:
    shutil.rmtree(place / "litert")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: made_again(), range(2))
    assert sorted((first, second)) == [[], ["LiteRT"]]


def test_removing(place: Path) -> None:
    installation.notes_folder().mkdir(parents=True)
    (place / "notes.txt").write_text("mine")
    assert remove() > 0
    assert [path.name for path in place.iterdir()] == ["notes.txt"], "what is not ours stays"
    assert not installation.notes_folder().exists()
    with pytest.raises(MissingToolError, match=rf"^arm64 devices are not set up; run: {COMMAND}$"):
        installed()
    (place / "notes.txt").unlink()
    remove()
    assert not place.exists()
    assert remove() == 0


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OutputError, match=rf"file/arm64: cannot be written .*; set {VARIABLE} to another folder$"):
        install()


def test_in_the_cache_and_left_alone_by_pruning(made: Path, cache: Path, monkeypatch) -> None:
    from mobile_export.caching.folder import cache_folder
    from mobile_export.caching.places import is_cache
    from mobile_export.caching.pruning import prune

    monkeypatch.delenv(VARIABLE, raising=False)
    shutil.copytree(made / "devices", cache / "devices", symlinks=True)
    cache_folder("artifacts")
    assert is_cache(str(cache))
    prune(cache, 0, 0)
    assert installed().folder == cache / "devices" / "arm64"


def test_other_systems(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(MissingToolError, match=r"use Linux, on Windows WSL, or a Mac with Apple silicon$"):
        install()


@pytest.mark.parametrize(
    ("machine", "native"), [("arm64", True), ("aarch64", True), ("ARM64", True), ("x86_64", False)]
)
def test_arm_computers(machine: str, native: bool, monkeypatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert is_native() is native


def test_windows_has_no_runtimes_of_phones(monkeypatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "ARM64")
    monkeypatch.setattr(sys, "platform", "win32")
    assert not is_native()


def test_an_interruption_ends_the_tools(place: Path, monkeypatch) -> None:
    """Of an index that takes connections, and never answers."""
    shutil.rmtree(place / "litert")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        command = [sys.executable, "-m", "mobile_export", "device", "install", "arm64"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                assert process.wait(8) == 130
                connection.settimeout(5)
                with suppress(ConnectionResetError):
                    while connection.recv(4096):  # ends as pip does
                        pass
    assert {path.name for path in place.iterdir()} == {*PARTS} - {"litert"}


def test_the_lock_is_not_in_the_way(place: Path) -> None:
    """A process that was killed holds nothing."""
    script = "import os\nfrom mobile_export.devices.installation import install\ninstall(done=lambda *_: os._exit(9))"
    shutil.rmtree(place / "litert")
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 9
    assert made_again() == []
    assert installation.folder() == place
