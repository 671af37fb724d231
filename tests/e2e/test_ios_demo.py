"""The demo's Swift package on Linux: its plugin, its tests, the locked models in the real ONNX Runtime."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.apps.xcode_phase import line_of
from tests.toolchains import not_run, toolchain

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
COPIES = "Models of ios for DigitsModel"
"""What the build says when the plugin's command runs."""


class Kit:
    """A copy of the demo, in which Swift builds its package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "ios_demo" / "mobile-export.lock"
        self.models = folder / "ios_demo" / "models" / "ios"
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
def kit(tmp_path_factory) -> Kit:
    return Kit(tmp_path_factory.mktemp("kit"))


def test_the_package_passes_its_tests_in_the_real_runtime(kit):
    ran = kit.swift("test")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = ran.stdout + ran.stderr
    assert "with 0 failures" in said
    assert "warning:" not in said
    for golden in (kit.models / "test_assets/models/ios").glob("*onnx*.golden"):
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
    source = next((kit.models / "swift").glob("Digits.swift"))
    text = source.read_text()
    source.write_text(text + "// edited\n")
    code, said = kit.build_model()
    line = line_of(kit.lock, "swift/Digits.swift")
    assert code != 0
    assert f"{kit.lock}:{line}: error: swift/Digits.swift: " in said
    assert "are locked" in said
    source.write_text(text)
    assert kit.build_model()[0] == 0


def test_a_target_that_is_not_locked_is_said(kit):
    conf = kit.folder / "ios_demo/DigitsKit/Sources/DigitsModel/mobile-export.conf"
    text = conf.read_text()
    conf.write_text(text.replace("target ios", "target watch"))
    code, said = kit.build_model()
    conf.write_text(text)
    assert code != 0
    assert f"{kit.lock}:1: error: target watch has no swift" in said
