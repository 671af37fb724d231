"""Calling the tools that bring a part, or say in one sentence why it cannot be had."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mobile_export.devices.processes import run
from mobile_export.errors import MissingToolError

_SECONDS = 600.0
"""What a download may take."""
_OFFLINE = re.compile(
    "failed to resolve|failure resolving|not resolve|name resolution|dns error|unable to connect|could not connect"
    "|connection (broken|refused|failed|timed out)|cannot initiate the connection|network is unreachable",
    re.IGNORECASE,
)
"""What apt, pip and uv say, among other things, where they reach nobody."""


def call(command: Sequence[str], what: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a tool in `folder`, and return what it prints.

    Args:
        what: is brought, as a sentence begins.

    Raises:
        MissingToolError: it fails, or takes too long.
    """
    tool = command[2] if command[1] == "-m" else Path(command[0]).name
    try:
        ended = run(
            command,
            _SECONDS,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        raise MissingToolError(
            f"{what} cannot be had: {tool} was not done after {_SECONDS:.0f} s; try again on a faster network"
        ) from error
    except OSError as error:
        raise MissingToolError(f"{what} cannot be had: {tool} does not start: {error.strerror}") from error
    if ended.returncode != 0:
        raise MissingToolError(f"{what} cannot be had: {tool} says: {reason(ended.stdout)}")
    printed: str = ended.stdout
    return printed


def reason(printed: str) -> str:
    """Why a tool failed: nobody was reached; or else the last line that names an error, or the last of all."""
    if _OFFLINE.search(printed):
        return "no connection; try again where there is a network, or name a mirror in its own settings"
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "e:"))]
    return (errors or lines or ["nothing"])[-1]
