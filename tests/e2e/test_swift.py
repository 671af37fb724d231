"""Packed Swift packages on Linux: built with warnings as errors, run in the real ONNX Runtime and the real LiteRT.

What runs on a phone is the same C API in another library; Core ML and Xcode's own build are not to be had here.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.swift_targets import awkward_target
from tests.e2e.test_ios_demo import onnx_runtime
from tests.toolchains import toolchain

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent / "swift"
STRICT = ["-Xcc", "-Wall", "-Xcc", "-Wextra", "-Xcc", "-Werror", "-Xswiftc", "-warnings-as-errors"]


class Swift:
    """Swift's package manager, with both runtimes as the system's libraries."""

    def __init__(self, libraries: Path) -> None:
        self._run, self._libraries = toolchain("swift") / "run", libraries
        litert = toolchain("litert_c")
        for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
            shutil.copy(onnx_runtime(), libraries / name)
        shutil.copy(litert / "libtensorflowlite_c.so", libraries)
        shutil.copytree(HERE / "TensorFlowLiteC", libraries / "TensorFlowLiteC")
        shutil.copy(HERE / "counted.c", libraries)
        self._in(libraries, "clang", "-shared", "-fPIC", "-O2", "-o", "libcounted.so", "counted.c", check=True)

    def __call__(self, package: Path, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Build or test a package, in debug mode."""
        preloaded = [f"LD_PRELOAD={self._libraries}/libcounted.so"] if command == "test" else []
        found = [f"{name}={self._libraries}" for name in ("LIBRARY_PATH", "LD_LIBRARY_PATH")]
        modules = ["-Xswiftc", f"-I{self._libraries}"]
        return self._in(package, "env", *found, *preloaded, "swift", command, *STRICT, *modules, *more)

    def _in(self, folder: Path, *words: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        command = [self._run, f"{folder}:{self._libraries}", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=500, check=check)


@pytest.fixture(scope="module")
def swift(tmp_path_factory) -> Swift:
    return Swift(tmp_path_factory.mktemp("libraries"))


def build_and_test(swift: Swift, package: Path, tests: Path) -> str:
    """What a package's tests say, together with those in the folder `tests`; all have to pass."""
    (into,) = (package / "Tests").iterdir()
    for source in tests.glob("*.swift"):
        shutil.copy(source, into)
    built = swift(package, "build", "--build-tests")
    assert built.returncode == 0, built.stdout + built.stderr
    ran = swift(package, "test", "--skip-build")
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    assert "with 0 failures" in said
    assert "skipped" not in said
    return said


def test_the_demo_answers_as_recorded_and_keeps_its_promises(swift, example, tmp_path, mobile_export):
    package = tmp_path / "DigitsModel"
    ran = mobile_export("pack", example / "out/ios", "--to", package)
    assert ran.code == 0, ran.err
    said = build_and_test(swift, package, HERE / "digits")
    for artifact in ("digits_ios_onnx", "digits_ios_onnx_int8", "digits_ios_float32", "digits_ios_int8"):
        assert f"{artifact} on CPU: " in said, "its golden vectors ran"
    six = ["--target", "DigitsModel", "--scratch-path", ".build6", "-Xswiftc", "-swift-version", "-Xswiftc", "6"]
    strict = swift(package, "build", *six)
    assert strict.returncode == 0, strict.stdout + strict.stderr


def test_names_types_shapes_and_preprocessing_of_all_kinds(swift, tmp_path, mobile_export):
    published = awkward_target(tmp_path / "published")
    package = tmp_path / "AwkwardModel"
    assert mobile_export("pack", published, "--to", package).code == 0
    assert "awkward on CPU: " in build_and_test(swift, package, HERE / "awkward")


def test_the_shim_of_the_demo_app_is_that_of_pack(example, tmp_path, mobile_export):
    ran = mobile_export("pack", example / "out/ios", "--to", tmp_path / "shim", "--shim")
    assert ran.code == 0, ran.err
    theirs = Path(__file__).parents[2] / "ios_demo/DigitsKit/Sources/CDigitsModel"
    for path in ("shim.c", "include/CDigitsModel.h"):
        packed = (tmp_path / "shim" / path).read_text().replace('target "ios"', 'target "ios_demo"')
        assert (theirs / path).read_text() == packed, f"make apps writes {path} anew"
