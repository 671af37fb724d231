"""The files that are to be looked at: named one by one, or by the folder that they were published in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from mobile_export.errors import TargetError
from mobile_export.formats import FORMATS
from mobile_export.lint.delegate import Platform
from mobile_export.published.integrity import published_folders
from mobile_export.published.manifest import load_manifest

_MAGIC: dict[bytes, str] = {b"TFL3": "tflite", b"ORTM": "ort"}
"""What flatbuffers have at their fifth byte."""


@dataclass(frozen=True)
class File:
    """A file, and where it is to run.

    Attributes:
        format: a name in `FORMATS`.
    """

    path: Path
    format: str
    platform: Platform


def files_of(paths: Sequence[Path], platform: Platform | None) -> list[File]:
    """The files at `paths`.

    Args:
        platform: where they are to run; None for that of their target, and any for a file alone.

    Raises:
        TargetError: there is nothing, or its kind is not known.
        ModelError: a folder is none that was published.
    """
    return [file for path in paths for file in _files(path, platform)]


def _files(path: Path, platform: Platform | None) -> list[File]:
    if not path.exists():
        raise TargetError(f"{path}: no such file or folder")
    if path.is_dir() and path.suffix != FORMATS["saved_model"].suffix:
        return [file for folder in published_folders(path) for file in _published(folder, platform)]
    return [File(path, format_of(path), platform or "any")]


def _published(folder: Path, platform: Platform | None) -> list[File]:
    manifest = load_manifest(folder)
    own: Platform = cast("Platform", manifest.platform) if manifest.platform in get_args(Platform) else "any"
    return [File(folder / entry.file, entry.format, platform or own) for entry in manifest.artifacts]


def format_of(path: Path) -> str:
    """The format of the file at `path`: by its ending, else by how it begins.

    Raises:
        TargetError: it is none that is known.
    """
    by_name = next((name for name, unit in FORMATS.items() if path.name.endswith(unit.suffix)), None)
    if by_name is not None:
        return by_name
    with path.open("rb") as file:
        begins = file.read(8)
    if begins[4:] not in _MAGIC:
        known = ", ".join(unit.suffix for unit in FORMATS.values())
        raise TargetError(f"{path}: is not a kind of file that is looked at here; known: {known}")
    return _MAGIC[begins[4:]]
