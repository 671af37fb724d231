"""Cores of phones: the arm64 builds of LiteRT and ONNX Runtime on an emulated core; on an ARM computer, its own."""

import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mobile_export.devices.cores import CORES, PHONES, Core
from mobile_export.devices.emulator import emulator_version, open_emulated, require_core
from mobile_export.devices.host import edges_here
from mobile_export.devices.installation import KIND, installed, is_native
from mobile_export.errors import NotRunnableError, TargetError, nearest
from mobile_export.formats import FORMATS
from mobile_export.formats.runtimes import RUNTIMES
from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.runner import Runner

_BUILTIN = "builtin"
"""What follows a core's name for LiteRT's own kernels, which an app gets that switches XNNPACK off."""
_SECONDS = 1500.0
"""What all answers together may take: an emulated core is 50 to 100 times slower than this computer, and a worker has
1800."""


@dataclass(frozen=True)
class Arm64Core:
    """A core, with XNNPACK or with LiteRT's own kernels; a `Device`."""

    core: Core
    builtin: bool = False

    @property
    def name(self) -> str:
        return _name(self.core.name, self.builtin)

    @property
    def formats(self) -> Sequence[str]:
        return ("tflite",) if self.builtin else ("tflite", "onnx", "ort")

    def require(self) -> None:
        """See that the set-up is there, and that the emulator passes its self-test as this core."""
        if not is_native():
            require_core(installed(), self.core)

    def runtime(self, kind: str) -> str:
        """Such as: LiteRT 2.3.0 in qemu-aarch64 7.2.22 as cortex-a53."""
        runtime = FORMATS[kind].runtime
        if is_native():
            version = importlib.metadata.version(RUNTIMES[runtime].package)
            where = "on this ARM computer, whatever the core's name"
        else:
            there = installed()
            version, where = there.version(kind), f"in {emulator_version(there)} as {self.core.name}"
        return f"{runtime} {version}{' without XNNPACK' if self.builtin else ''} {where}"

    @contextmanager
    def open(self, kind: str, path: Path) -> Iterator[Runner]:
        """Load a file there; nothing is answered by an emulator that has not passed its self-test."""
        if kind not in self.formats:
            raise NotRunnableError(f"not run: {self.name} runs {', '.join(self.formats)}, not {kind}")
        if is_native():
            yield _open_here(kind, path, self.builtin)
            return
        edges, there = edges_here(kind, path), installed()
        require_core(there, self.core)
        kernels = _BUILTIN if self.builtin else "default"
        with open_emulated(there, self.core, kind, path, edges, seconds=_SECONDS, kernels=kernels) as runner:
            yield runner


class Arm64:
    """The cores that a target may name; a `Kind`."""

    @property
    def names(self) -> Sequence[str]:
        """Every core, once with each kind of kernels."""
        return [_name(core, builtin) for core in CORES for builtin in (False, True)]

    def device(self, which: str) -> Arm64Core:
        core, colon, kernels = which.partition(":")
        if core not in CORES or (colon and kernels != _BUILTIN):
            wrong = f"{KIND}:{which} is no core{nearest(which, PHONES)}" if which else f"{KIND} names no core"
            raise TargetError(
                f"{wrong}; there are {', '.join(_name(each) for each in CORES)}, each also with :{_BUILTIN}"
            )
        return Arm64Core(CORES[core], builtin=bool(kernels))


def _open_here(kind: str, path: Path, builtin: bool) -> Runner:
    return TFLiteRunner(path, xnnpack=False) if builtin else FORMATS[kind].open(path)


def _name(core: str, builtin: bool = False) -> str:
    return ":".join([KIND, core, *([_BUILTIN] if builtin else [])])
