"""Compilers, runtimes and build tools of the phones' side, which `.ci/toolchains/NAME.sh` installs, one script each.

A test that lacks one is skipped with "not run here", and the summary of every run counts these.
"""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / ".ci" / "toolchains"
NOT_RUN = "not run here: "


def folder() -> Path:
    """Where toolchains are installed."""
    return Path(os.environ.get("MOBILE_EXPORT_TOOLCHAINS") or ROOT / ".toolchains")


def toolchain(name: str) -> Path:
    """The folder of an installed toolchain; skips the test where there is none."""
    assert (SCRIPTS / f"{name}.sh").is_file(), f"no script installs the toolchain {name!r}"
    found = folder() / name
    if not (found / "installed").is_file():
        not_run(f"the toolchain {name} is not installed (.ci/toolchains/{name}.sh {folder()})")
    return found


def not_run(why: str) -> None:
    """Skip the test: what it needs cannot be had here."""
    pytest.skip(NOT_RUN + why)
