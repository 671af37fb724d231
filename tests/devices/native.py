"""The runner, compiled for this computer and run without an emulator, over the runtimes that are installed here."""

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from platform import machine

import pytest
from filelock import FileLock

from mobile_export.devices.compiling import compile_runner
from mobile_export.devices.remote import Edged, RemoteRunner, open_remote, runner_arguments
from tests.toolchains import not_run

SECONDS = 30.0
TARGET = "x86_64-linux-gnu.2.28"

_LIBRARIES = {"tflite": ("ai_edge_litert", "libLiteRt.so"), "onnx": ("onnxruntime", "capi/libonnxruntime.so.*")}


@cache
def library(kind: str) -> Path:
    """The shared library of the runtime that runs files of a format here."""
    package, pattern = _LIBRARIES["tflite" if kind == "tflite" else "onnx"]
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return next(Path(spec.origin).parent.glob(pattern))


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled once for all processes of a run."""
    if (sys.platform, machine()) != ("linux", "x86_64"):
        not_run("the runner is tested without an emulator on Linux on x86-64 alone")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each has a folder of its own in that of the run
        folder = folder.parent
    path = folder / "runner"
    with FileLock(folder / "runner.lock"):
        if not path.exists():
            compile_runner(path, TARGET)
    return path


def command(runner: Path, path: Path, kernels: str = "default") -> list[str]:
    kind = path.suffix.removeprefix(".")
    return [str(runner), *runner_arguments(kind, library(kind), path, kernels=kernels)]


def open_native(
    runner: Path, path: Path, edges: Edged, kernels: str = "default"
) -> AbstractContextManager[RemoteRunner]:
    return open_remote(command(runner, path, kernels), edges, f"{path.name} there", SECONDS)


def python(script: str, *arguments: str) -> Sequence[str]:
    """A command that stands for a runner, and runs a script that has `out`, which takes bytes."""
    head = "import os, struct, sys, time\ndef out(data):\n    sys.stdout.buffer.write(data)\n    sys.stdout.flush()\n"
    return [sys.executable, "-S", "-c", head + script, *arguments]
