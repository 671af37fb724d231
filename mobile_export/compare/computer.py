"""What was measured on."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from mobile_export.compare.result import Computer
from mobile_export.formats import FORMATS
from mobile_export.formats.runtimes import RUNTIMES


def this_computer(formats: Iterable[str]) -> Computer:
    """This one, with the runtimes of some formats."""
    runtimes = dict.fromkeys(FORMATS[name].runtime for name in formats)
    return Computer(
        processor=processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        runtimes={name: importlib.metadata.version(RUNTIMES[name].package) for name in runtimes},
    )


def processor() -> str:
    """What people call it; Linux says so in a file, other systems to Python."""
    told = Path("/proc/cpuinfo")
    if told.is_file():
        for line in told.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
