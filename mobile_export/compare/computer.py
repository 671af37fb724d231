"""What was measured on."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from mobile_export.compare.result import Computer
from mobile_export.formats import FORMATS

RUNTIMES = {"LiteRT": "ai-edge-litert", "ONNX Runtime": "onnxruntime", "TensorFlow": "tensorflow"}
"""The package of each format's runtime."""


def this_computer(formats: Iterable[str]) -> Computer:
    """This one, with the runtimes of some formats."""
    runtimes = dict.fromkeys(FORMATS[name].runtime for name in formats)
    return Computer(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        runtimes={name: importlib.metadata.version(RUNTIMES[name]) for name in runtimes},
    )


def _processor() -> str:
    """What people call it; Linux says so in a file, other systems to Python."""
    told = Path("/proc/cpuinfo")
    if told.is_file():
        for line in told.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
