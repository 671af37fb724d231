"""What is installed: we, Python, and the packages that are needed. Only the standard library is imported."""

import functools
import hashlib
import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path

from mobile_export import __version__

CONVERT = (
    "tensorflow",
    "tf-keras",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "ai-edge-litert",
    "litert-quantizer",
    "google-crc32c",
    "pillow",
    "psutil",
    "rapidfuzz",
    "tomlkit",
)
"""Packages of the `convert` extra."""
CORE = ("filelock", "jinja2", "numpy", "pydantic", "requests", "rich", "typer")


@dataclass(frozen=True)
class Package:
    """A package, its version (None: not installed), and what needs it."""

    name: str
    version: str | None
    needed_for: str


def packages() -> list[Package]:
    """Every package that this tool uses."""
    return [Package(name, _version(name), "everything") for name in CORE] + [
        Package(name, _version(name), "building, running and verifying models") for name in CONVERT
    ]


def system() -> dict[str, str]:
    """Python, operating system and processor."""
    return {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}


@functools.cache
def code_version() -> str:
    """Our version, with a hash of our own files: a change in the code or its lists is a change in what it builds."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in own_files():
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


def own_files() -> list[Path]:
    """All files that came with us: code and lists."""
    paths = Path(__file__).parent.rglob("[!.]*")
    return sorted(path for path in paths if path.is_file() and path.parent.name != "__pycache__")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
