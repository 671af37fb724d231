"""Compiling the runner, a C program of one folder, by the compiler that PyPI's package ziglang carries.

Equal sources, equal bytes: nothing of the machine, the folder or the hour gets in.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mobile_export.errors import MissingToolError

SOURCES = Path(__file__).parent / "runner"
PHONE = "aarch64-linux-gnu.2.28"
"""What runs in phones, as the compiler calls it, with the C library's version that the runtimes' own builds ask for."""

_SECONDS = 300.0
_OPTIONS = (
    *("-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror"),
    *("-g0", "-s", "-Wl,--build-id=none"),
)
_LIBRARIES = ("-ldl", "-lpthread")


def compile_runner(out: Path, target: str = PHONE, zig: Path | None = None) -> None:
    """Compile the runner to the file `out`, whose folder exists.

    Args:
        target: what it is to run on.
        zig: the folder that holds the package ziglang; default: the one that Python finds.

    Raises:
        MissingToolError: there is no compiler, or it fails.
    """
    with tempfile.TemporaryDirectory(prefix="mobile-export-zig-") as work:
        made = Path(work, "runner")
        command = (sys.executable, "-m", "ziglang", "cc", "-target", target, *_OPTIONS, "-o", str(made))
        sources = sorted(path.name for path in SOURCES.glob("*.c"))
        try:
            ended = subprocess.run(  # noqa: S603
                [*command, *sources, *_LIBRARIES],
                cwd=SOURCES,
                env=_environment(Path(work), zig),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MissingToolError(f"zig cc: not done after {_SECONDS:.0f} seconds") from error
        if ended.returncode != 0 or not made.is_file():
            raise MissingToolError(f"zig cc does not compile the runner: {_reason(ended.stderr)}")
        out.write_bytes(made.read_bytes())
        out.chmod(0o755)


def _environment(work: Path, zig: Path | None) -> dict[str, str]:
    """Its caches lie in `work`; by default they would be in the user's home, and stay."""
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(work / "global"), "ZIG_LOCAL_CACHE_DIR": str(work / "local")}
    path = {} if zig is None else {"PYTHONPATH": str(zig)}
    return {**os.environ, **caches, **path}


def _reason(printed: bytes) -> str:
    """The first line that names an error, or else the last one."""
    lines = [line.strip() for line in printed.decode(errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if "error:" in line or "No module named" in line]
    return (named or lines[-1:] or ["it says nothing"])[0]
