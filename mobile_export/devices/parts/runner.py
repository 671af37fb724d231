"""The runner, compiled here by a compiler that is gone afterwards."""

import hashlib
import re
from pathlib import Path

from mobile_export.devices import compiling
from mobile_export.devices.parts.part import Workshop
from mobile_export.devices.parts.wheels import bring

NAME = "runner"
"""The file."""
_COMPILER = "ziglang==0.15.2"
"""One version: equal sources, equal bytes, wherever they are compiled."""
_UNUSED = re.compile(
    r"/(libcxx|libcxxabi|libtsan|libunwind)/|/libc/(include/)?[^/]*(mingw|windows|musl|wasi|bsd|macos|darwin)"
)
"""Nine tenths of the compiler's files: other languages' libraries, and other systems' headers."""


class RunnerProgram:
    """Our own program that runs files in the runtimes."""

    title = "runner"

    def wanted(self) -> str:
        """A hash of all that it is compiled from and by."""
        sources = [path for path in compiling.SOURCES.rglob("*") if path.suffix in (".c", ".h")]
        files = sorted([*sources, Path(compiling.__file__), Path(__file__)], key=lambda path: path.name)
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]

    def has_better(self, folder: Path) -> bool:
        return False

    def make(self, folder: Path, workshop: Workshop) -> str:
        version = self.wanted()
        compiler = workshop.folder / "compiler"
        bring(_COMPILER, compiler, arm=False, wanted=lambda path: not _UNUSED.search(path))
        compiling.compile_runner(folder / NAME, zig=compiler)
        return version
