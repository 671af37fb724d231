"""The demo's Swift package on Linux: its plugin, its tests, the locked models in the real ONNX Runtime."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.xcode_phase import line_of
from tests.toolchains import not_run, toolchain

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
COPIES = "Models of ios_demo for DigitsModel"
"""What the build says when the plugin's command runs."""


class Kit:
    """A copy of the demo, in which Swift builds its package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "ios_demo" / "mobile-export.lock"
        self.configuration = folder / "ios_demo/DigitsKit/Sources/DigitsModel/mobile-export.conf"
        self.models = folder / "ios_demo" / "models" / "ios_demo"
        self._run = toolchain("swift") / "run"
        shutil.copytree(ROOT / "ios_demo", folder / "ios_demo", ignore=shutil.ignore_patterns(".build"))
        (folder / "lib").mkdir()
        for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
            shutil.copy(onnx_runtime(), folder / "lib" / name)

    def swift(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        lib = str(self.folder / "lib")
        linked = [word for each in (f"-L{lib}", "-rpath", lib) for word in ("-Xlinker", each)]
        words = [self._run, self.folder, "swift", command, "--package-path", "ios_demo/DigitsKit", *linked, *more]
        return subprocess.run(words, capture_output=True, text=True, timeout=500, check=False)

    def build_model(self) -> tuple[int, str]:
        """Build the target with the generated class; exit code, and all that was said."""
        ran = self.swift("build", "--target", "DigitsModel")
        return ran.returncode, ran.stdout + ran.stderr


def onnx_runtime() -> Path:
    """The C library in the Python package."""
    import onnxruntime

    found = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    if not found:
        not_run("the package onnxruntime has no libonnxruntime.so here")
    return found[0]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Kit:
    return Kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture
def kit(built) -> Iterator[Kit]:
    """The one copy, so that Swift compiles it once; whatever a test edits is put back, times of change included."""
    kept = built.folder / "kept"
    edited = [built.lock, built.configuration, *built.models.rglob("*.swift")]
    for number, path in enumerate(edited):
        kept.mkdir(exist_ok=True)
        shutil.copy2(path, kept / str(number))
    yield built
    for number, path in enumerate(edited):
        shutil.copy2(kept / str(number), path)


def test_the_package_passes_its_tests_in_the_real_runtime(kit):
    ran = kit.swift("test")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = ran.stdout + ran.stderr
    assert "with 0 failures" in said
    assert "warning:" not in said
    vectors = sorted((kit.models / "test_assets/models/ios_demo").glob("*.golden"))
    assert len(vectors) == len(list((kit.models / "assets/models/ios_demo").iterdir())) == 2
    for golden in vectors:
        assert f"{golden.stem}: " in said, "its golden vectors ran"


def test_the_compiler_parses_the_views(kit):
    """SwiftUI, which they are made of, is there on a Mac alone."""
    views = sorted(path.relative_to(kit.folder) for path in (kit.folder / "ios_demo/DigitsDemo").glob("*.swift"))
    words = [toolchain("swift") / "run", kit.folder, "swiftc", "-frontend", "-parse", *views]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_plugin_runs_once_and_again_after_an_edit(kit):
    assert kit.build_model()[0] == 0
    code, said = kit.build_model()
    assert code == 0
    assert COPIES not in said, "nothing has changed"
    kit.lock.write_text(kit.lock.read_text() + "# edited\n")
    code, said = kit.build_model()
    assert code == 0
    assert COPIES in said


def test_a_wrong_hash_fails_the_build_with_the_line_of_the_lock(kit):
    source = kit.models / "swift/Digits.swift"
    source.write_text(source.read_text() + "// edited\n")
    code, said = kit.build_model()
    line = line_of(kit.lock, "swift/Digits.swift")
    assert code != 0
    assert f"{kit.lock}:{line}: error: swift/Digits.swift: " in said
    assert "are locked" in said


def test_a_target_that_is_not_locked_is_said(kit):
    kit.configuration.write_text(kit.configuration.read_text().replace("target ios_demo", "target watch"))
    code, said = kit.build_model()
    assert code != 0
    assert f"{kit.lock}:1: error: target watch has no swift" in said


@pytest.mark.parametrize(
    "line",
    [
        f"file {'0' * 64} 1 swift/../../../../Evil.swift",
        f"file {'0' * 64} 1 swift/Evil $(touch x).swift",
    ],
)
def test_a_lock_that_the_script_refuses_builds_nothing(kit, line):
    """The plugin has to read the lock, too, and decides nothing: the script says what is wrong, and makes no file."""
    kit.lock.write_text(f"{kit.lock.read_text()}{line}\n")
    before = {path for path in kit.folder.rglob("*") if path.suffix == ".swift"}
    code, said = kit.build_model()
    assert code != 0
    assert f"{kit.lock}:{line_of(kit.lock, line)}: error: " in said
    assert {path for path in kit.folder.rglob("*") if path.suffix == ".swift"} == before
    assert not list(kit.folder.rglob("x"))
