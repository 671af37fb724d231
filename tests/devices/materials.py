"""What a set-up is made of, small and without a network: wheels that pip finds in a folder, libraries, an emulator.

All is brought by the real tools; only what they bring is small. The compiler is one of one file, which writes what a
runner would be.
"""

import importlib.metadata
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mobile_export.devices.parts import parts
from mobile_export.devices.parts.library import _NAMES as LIBRARIES

COMPILER = "import sys; open(sys.argv[sys.argv.index('-o') + 1], 'w').write('compiled')"
EMULATOR = "#!/bin/sh\necho 'qemu-aarch64 version {version} (Somebody 1:{version})'\n"


def wheel(folder: Path, name: str, version: str, platform: str, files: Mapping[str, str]) -> Path:
    """Write a wheel of these files."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    path = folder / f"{module}-{version}-py3-none-{platform}.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for inside, text in files.items():
            entry = zipfile.ZipInfo(inside)
            entry.external_attr = (0o755 if text.startswith("#!") else 0o644) << 16
            packed.writestr(entry, text)
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        packed.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n")
        packed.writestr(f"{info}/RECORD", "")
    return path


def index(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """From now on pip finds what is in `folder`, and nothing else."""
    folder.mkdir(exist_ok=True)
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheels(folder: Path) -> None:
    """Write those that a set-up asks for."""
    arm = "manylinux_2_28_aarch64"
    versions = {name: importlib.metadata.version(name) for name in ("ai-edge-litert", "onnxruntime")}
    litert = {"ai_edge_litert/libLiteRt.so": "litert", "ai_edge_litert/other.so": "other"}
    wheel(folder, "ai-edge-litert", versions["ai-edge-litert"], arm, litert)
    inside = f"onnxruntime/capi/libonnxruntime.so.{versions['onnxruntime']}"
    wheel(folder, "onnxruntime", versions["onnxruntime"], arm, {inside: "onnxruntime"})
    wheel(folder, "ziglang", "0.15.2", "any", {"ziglang/__init__.py": "", "ziglang/__main__.py": COMPILER})


def sysroot(folder: Path, version: str = "2.36", where: str = "lib") -> Path:
    """Make a folder that has the libraries."""
    (folder / where).mkdir(parents=True)
    for name in LIBRARIES:
        (folder / where / name).write_text(f"{name}\nGNU C Library (Some GLIBC) stable release version {version}.\n")
    return folder


def emulator(folder: Path, patch: pytest.MonkeyPatch, version: str = "7.2.22", name: str = "qemu-aarch64") -> Path:
    """Put one onto PATH, before all else that is there."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(EMULATOR.format(version=version))
    program.chmod(0o755)
    patch.setenv("PATH", str(folder), prepend=":")
    return program


PARTS = tuple(parts())
