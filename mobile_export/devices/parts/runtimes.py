"""The runtimes' libraries, out of their own builds for arm64, in the versions that run files here."""

import importlib.metadata
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from mobile_export.devices.parts.part import Workshop
from mobile_export.devices.parts.wheels import bring
from mobile_export.errors import MissingToolError


@dataclass(frozen=True)
class RuntimeLibrary:
    """One runtime.

    Attributes:
        title: of the runtime, for people.
        package: that it is in.
        inside: where the library lies in it, as a pattern.
        name: that the library has with us.
    """

    title: str
    package: str
    inside: str
    name: str

    def wanted(self) -> str:
        """That of this computer's own runtime: what differs between both is then the processor alone."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError as error:
            raise MissingToolError(f'{self.package} missing; run: pip install "mobile-export[convert]"') from error

    def has_better(self, folder: Path) -> bool:
        return False

    def make(self, folder: Path, workshop: Workshop) -> str:
        version = self.wanted()
        wheel = workshop.folder / self.package
        bring(f"{self.package}=={version}", wheel, arm=True, wanted=lambda path: fnmatch(path, self.inside))
        library = next(wheel.glob(self.inside), None)
        if library is None:
            raise MissingToolError(
                f"{self.package} {version} for arm64 has no {self.inside}; install another version of it"
            )
        shutil.copyfile(library, folder / self.name)
        shutil.rmtree(wheel)
        return version


LITERT = RuntimeLibrary("LiteRT", "ai-edge-litert", "ai_edge_litert/libLiteRt.so", "libLiteRt.so")
ONNXRUNTIME = RuntimeLibrary(
    "ONNX Runtime", "onnxruntime", "onnxruntime/capi/libonnxruntime.so.[0-9]*", "libonnxruntime.so"
)
