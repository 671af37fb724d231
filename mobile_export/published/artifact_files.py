"""The files of an artifact, a file or a folder of them: which they are, what they take, and their hash."""

import hashlib
from pathlib import Path

from mobile_export.errors import ModelError


def sha256_of(path: Path) -> str:
    """Hex digest of a file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def files_of(artifact: Path) -> list[Path]:
    """The files of an artifact: itself, or all that lie in its folder, in the order of their names."""
    if not artifact.is_dir():
        return [artifact]
    files = [path for path in artifact.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: path.relative_to(artifact).as_posix().encode())


def artifact_size(artifact: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    return sum(path.stat().st_size for path in files_of(artifact))


def artifact_hash(artifact: Path) -> str:
    """The sha256 of a file; of a folder, that of the lines which sha256sum prints for its files, sorted by name.

    Raises:
        ModelError: it cannot be read.
    """
    if not artifact.is_dir():
        return sha256_of(artifact)
    lines = [f"{sha256_of(path)}  {path.relative_to(artifact).as_posix()}\n" for path in files_of(artifact)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
