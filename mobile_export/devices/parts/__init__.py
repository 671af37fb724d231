"""The parts of a set-up, one a file: each is made by itself, and stays when another cannot be."""

from collections.abc import Mapping
from pathlib import Path

from mobile_export.devices.parts.emulator import Emulator
from mobile_export.devices.parts.library import CLibrary
from mobile_export.devices.parts.part import Part, Record, Workshop
from mobile_export.devices.parts.runner import RunnerProgram
from mobile_export.devices.parts.runtimes import LITERT, ONNXRUNTIME

__all__ = ["Part", "Record", "Workshop", "parts"]


def parts(sysroot: Path | None = None) -> Mapping[str, Part]:
    """By the names of their folders, in the order in which they are made.

    Args:
        sysroot: where to take the C library from, instead of the system's packages.
    """
    return {
        "library": CLibrary(sysroot),
        "litert": LITERT,
        "onnxruntime": ONNXRUNTIME,
        "runner": RunnerProgram(),
        "emulator": Emulator(),
    }
