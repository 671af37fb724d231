"""Packages of PyPI, brought by pip or uv from where either is told to look, and installed nowhere."""

import importlib.util
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from mobile_export.devices.parts.calling import call
from mobile_export.errors import MissingToolError

_GLIBC = range(17, 40)
"""Minor versions of the C library that builds for Linux ask for; the later ones are those of the newest systems."""
_PIP = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_REQUIRE_VIRTUALENV": "0"}


def bring(package: str, folder: Path, *, arm: bool, wanted: Callable[[str], bool] = bool) -> None:
    """Unpack the wheel of `package`, such as name==1.0, into `folder`, which is made, without what it depends on.

    Args:
        arm: that for Linux on arm64, and this Python's version; else the one for this computer.
        wanted: of its files, by their paths; others may be left out.

    Raises:
        MissingToolError: it cannot be had.
    """
    folder.mkdir()
    what = f"{package}{' for arm64' if arm else ''}"
    exact = ["--quiet", "--no-deps", "--only-binary", ":all:", package]
    if importlib.util.find_spec("pip") is not None:
        platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in reversed(_GLIBC)] if arm else []
        pip = [sys.executable, "-m", "pip", "download", "--retries=2", "--dest", str(folder)]
        call([*pip, *platforms, *exact], what, folder, _PIP)
        _unpack(next(folder.glob("*.whl")), wanted)
        return
    uv = shutil.which("uv")
    if uv is None:
        raise MissingToolError(f"{what} cannot be had: there is neither pip nor uv here; run: python -m ensurepip")
    platform = [f"--python-platform=aarch64-manylinux_2_{_GLIBC[-1]}"] if arm else []
    call([uv, "pip", "install", "--python", sys.executable, "--target", str(folder), *platform, *exact], what, folder)


def _unpack(wheel: Path, wanted: Callable[[str], bool]) -> None:
    """Unpack it where it lies, and delete it."""
    with zipfile.ZipFile(wheel) as packed:
        for file in packed.infolist():
            if wanted(file.filename) and not file.is_dir():
                Path(packed.extract(file, wheel.parent)).chmod(0o755 if file.external_attr >> 16 & 0o100 else 0o644)
    wheel.unlink()
