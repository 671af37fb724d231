"""Xcode's `.xcfilelist`s: what a build phase reads and writes, one path a line."""

import os
from collections.abc import Iterable
from pathlib import Path

from mobile_export.apps.xcode.phase_source import PhaseSource, Taken
from mobile_export.errors import TargetError

_RESOURCES = "$(TARGET_BUILD_DIR)/$(UNLOCALIZED_RESOURCES_FOLDER_PATH)"


def inputs_list(script: Path, source: PhaseSource, root: Path) -> str:
    """Every file that is read, below SRCROOT, which is `root`.

    Raises:
        TargetError: such a list cannot hold the path.
    """
    return _lines(in_root(path, root) for path in (script, *source.inputs))


def outputs_list(source: PhaseSource, taken: Taken, root: Path) -> str:
    """Every file that is written: models and golden vectors among the app's resources, Swift into its folder.

    Raises:
        TargetError: there is none, or such a list cannot hold the path.
    """
    folders = dict.fromkeys(taken.kinds, _RESOURCES)
    if taken.swift is not None:
        folders["swift"] = in_root(taken.swift, root)
    named = [(path.split("/", 1)[0], _in_app(path)) for path in source.paths]
    outputs = [f"{folders[kind]}/{name}" for kind, name in named if kind in folders and name is not None]
    if not outputs:
        raise TargetError(f"{source.file}: target {source.target} has nothing for an app; add artifacts to it")
    return _lines(outputs)


def in_root(path: Path, root: Path) -> str:
    """A path as lists and build phases write it."""
    return f"$(SRCROOT)/{relative(path, root)}"


def relative(path: Path, root: Path) -> str:
    """A path from `root`, fit for a line of a list.

    Raises:
        TargetError: there is none, or Xcode would read it otherwise.
    """
    try:
        found = Path(os.path.relpath(path, root)).as_posix()
    except ValueError as error:
        raise TargetError(f"{path}: is on another disk than {root}; put it beside the project") from error
    if not found.isprintable() or "$" in found or "\\" in found:
        raise TargetError(f"{path}: has characters that lists of Xcode cannot hold; rename it")
    return found


def _in_app(path: str) -> str | None:
    """The name that a published file has in an app; None where it does not enter one for iOS."""
    parts = path.split("/")
    if parts[0] == "swift":
        return "/".join(parts[1:])
    return "/".join(parts[3:]) or None if parts[0] in ("assets", "test_assets") and parts[1] == "models" else None


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))
