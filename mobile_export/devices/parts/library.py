"""The C library for arm64, and those of C++ that the runtimes ask for."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from mobile_export.devices.parts import apt
from mobile_export.devices.parts.part import Workshop
from mobile_export.errors import MissingToolError, TargetError

_PACKAGES = ("libc6-arm64-cross", "libgcc-s1-arm64-cross", "libstdc++6-arm64-cross")
"""They are for any computer: no foreign architecture is needed."""
_NAMES = (
    *("ld-linux-aarch64.so.1", "libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0"),
    *("librt.so.1", "libstdc++.so.6"),
)
"""What runtimes and runner ask for, and what asks for it."""
_USUAL = Path("/usr/aarch64-linux-gnu")
"""Where distributions put libraries for programs that are compiled for arm64."""
_FOLDERS = ("lib", "lib64", "usr/lib", "usr/lib64", "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu")
"""Where a root or a cross compiler's folder may have them."""
_VERSION = re.compile(rb"GNU C Library [^\n]{0,100}? version (\d+\.\d+)")


@dataclass(frozen=True)
class CLibrary:
    """The libraries, in a folder lib.

    Attributes:
        sysroot: the folder to take them from; None: from the system's packages.
    """

    sysroot: Path | None = None
    title = "C library"

    def wanted(self) -> None:
        return None

    def has_better(self, folder: Path) -> bool:
        return self.sysroot is not None

    def make(self, folder: Path, workshop: Workshop) -> str:
        (folder / "lib").mkdir()
        if self.sysroot is not None:
            missing = _copy(self.sysroot, folder / "lib")
            if missing:
                raise TargetError(
                    f"--sysroot {self.sysroot}: has no {', '.join(missing)} in lib, nor where else it may be"
                )
        elif apt.is_here():
            for package in _PACKAGES:
                workshop.take(package, f".{_USUAL}/lib/*", workshop.folder)
            _copy(workshop.folder / _USUAL.relative_to("/"), folder / "lib")
        elif _copy(_USUAL, folder / "lib"):
            raise MissingToolError(
                f"the arm64 C library is not in {_USUAL}, and there is no apt-get to bring it; name a folder that has "
                f"lib/{_NAMES[0]} and {_NAMES[-1]} with: mobile-export device install arm64 --sysroot FOLDER"
            )
        return _version(folder / "lib" / "libc.so.6")


def _copy(root: Path, out: Path) -> list[str]:
    """Copy the libraries from where they lie under `root`; returns the names of those that do not."""
    found = {name: next(filter(Path.is_file, (root / each / name for each in _FOLDERS)), None) for name in _NAMES}
    for name, path in found.items():
        if path is not None:
            shutil.copy(path, out / name)
    return [name for name, path in found.items() if path is None]


def _version(library: Path) -> str:
    found = _VERSION.search(library.read_bytes())
    return found[1].decode() if found else "of unknown version"
