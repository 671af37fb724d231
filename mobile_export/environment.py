"""What is installed, and whether it suffices."""

import importlib.metadata
import platform
from dataclasses import dataclass

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
    "rapidfuzz",
)
"""Packages of the `convert` extra."""
CORE = ("filelock", "numpy", "pydantic", "rich", "typer")


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


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
