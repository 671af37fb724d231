"""Builds and runs `memmapped_env.cc`: a memory-mapped package, run by TensorFlow's own MemmappedEnv.

Python has no way to that reader, so this is the proof that the packages we write are what a phone's TensorFlow maps.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

SOURCE = Path(__file__).with_suffix(".cc")
TENSORFLOW = Path(tf.sysconfig.get_lib())
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")


class Ran(NamedTuple):
    """What the program computed, the milliseconds that it took, and the bytes of anonymous memory after each step."""

    output: np.ndarray
    load_ms: float
    run_ms: float
    load_bytes: int
    run_bytes: int


def build(folder: Path) -> Path:
    """The compiled program, in `folder`; compiled only if it is not there for this source and this TensorFlow.

    Skips the calling test where it cannot be built: no g++, or TensorFlow not as a Linux wheel has it.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    if sys.platform != "linux" or not all((TENSORFLOW / library).is_file() for library in LIBRARIES):
        pytest.skip(f"this TensorFlow has no {' or '.join(LIBRARIES)} to link with")
    command = [compiler, *_flags(), str(SOURCE), *_link_flags()]
    key = hashlib.sha256(SOURCE.read_bytes() + repr([tf.__version__, *command]).encode()).hexdigest()[:16]
    program = folder / f"memmapped_env-{key}"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_suffix(f".{os.getpid()}")
        done = subprocess.run([*command, "-o", str(unfinished)], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-4000:]
        unfinished.replace(program)
    return program


def _flags() -> list[str]:
    # -w: the warnings in TensorFlow's headers are not ours. -O0: all the work is in the library.
    return [*tf.sysconfig.get_compile_flags(), "-O0", "-w", "-fPIC"]


def _link_flags() -> list[str]:
    libraries = [f"-l:{library}" for library in LIBRARIES]
    return [f"-L{TENSORFLOW}", f"-Wl,-rpath,{TENSORFLOW}", "-Wl,--no-as-needed", *libraries]


def run(program: Path, model: Path, feed: tuple[str, np.ndarray], output: str) -> Ran:
    """Feed one float32 tensor, `(name, value)`, of a package (or a plain .pb), and fetch one float32 tensor by name.

    Raises:
        RuntimeError: the program failed; its text is what it said.
    """
    name, value = feed
    with tempfile.TemporaryDirectory() as folder:
        fed, fetched = Path(folder, "input.raw"), Path(folder, "output.raw")
        fed.write_bytes(np.ascontiguousarray(value, np.float32).tobytes())
        command = [program, model, name, _dims(value.shape), fed, output, fetched]
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("memmapped_env: ")]
            raise RuntimeError(lines[-1] if lines else f"exit code {done.returncode}: {done.stderr[-2000:]}")
        dims, load_ms, run_ms, load_bytes, run_bytes = done.stdout.split()
        shape = [] if dims == "scalar" else list(map(int, dims.split(",")))
        output = np.fromfile(fetched, np.float32).reshape(shape)
        return Ran(output, float(load_ms), float(run_ms), int(load_bytes), int(run_bytes))


def _dims(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape)) or "scalar"
