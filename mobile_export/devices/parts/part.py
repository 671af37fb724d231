"""What a part of a set-up is, and the record in which each has its version and the hash of every file."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

from mobile_export.devices.parts.apt import Apt
from mobile_export.published.artifact_files import files_of, sha256_of

RECORD = "record.json"
"""The file of a part's folder that says what the others are."""


class Workshop:
    """What parts are made with, which may be several at once.

    Attributes:
        folder: for what is not needed afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._apt: Apt | None = None
        self._one = Lock()

    def take(self, package: str, pattern: str, folder: Path) -> None:
        """Unpack files of one of the system's packages, as `Apt.take` does; the lists of packages are brought once."""
        with self._one:
            self._apt = self._apt or Apt(self.folder / "apt")
            self._apt.take(package, pattern, folder)


class Part(Protocol):
    """A part, which has a folder of its own."""

    @property
    def title(self) -> str:
        """What it is, for people."""
        ...

    def wanted(self) -> str | None:
        """The version that it must have; None where any will do.

        Raises:
            MissingToolError: that cannot be known, because something is not installed.
        """
        ...

    def has_better(self, folder: Path) -> bool:
        """Whether it would be made of something else today than what lies in `folder`."""
        ...

    def make(self, folder: Path, workshop: Workshop) -> str:
        """Fill its empty `folder`, and return the version of what lies there.

        Raises:
            MissingToolError: what it is made of cannot be had, or made.
        """
        ...


@dataclass(frozen=True)
class RecordedFile:
    """A file as it was made; links are followed."""

    bytes: int
    sha256: str
    modified: int
    executable: bool

    @classmethod
    def of(cls, path: Path) -> "RecordedFile":
        """The file as it is now."""
        state = path.stat()
        return cls(state.st_size, sha256_of(path), state.st_mtime_ns, os.access(path, os.X_OK))

    def is_same(self, path: Path, *, thorough: bool) -> bool:
        """Whether the file at `path` is this one still; one that nobody has touched is only hashed where asked for."""
        if not path.is_file():
            return False
        state = path.stat()
        if state.st_size != self.bytes or os.access(path, os.X_OK) != self.executable:
            return False
        touched = state.st_mtime_ns != self.modified
        return not (thorough or touched) or sha256_of(path) == self.sha256


@dataclass(frozen=True)
class Record:
    """What a part's folder holds, by the paths in it."""

    version: str
    files: Mapping[str, RecordedFile]

    @classmethod
    def of(cls, folder: Path, version: str) -> "Record":
        """What lies there now."""
        return cls(version, {path.relative_to(folder).as_posix(): RecordedFile.of(path) for path in files_of(folder)})

    @classmethod
    def read(cls, folder: Path) -> "Record | None":
        """What was made there; None where nothing was, or the record cannot be read."""
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(cls).validate_json((folder / RECORD).read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, folder: Path) -> None:
        """Say so there."""
        (folder / RECORD).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def damaged(self, folder: Path, *, thorough: bool) -> list[str]:
        """The files that are not as they were made; with `thorough`, all are hashed."""
        return [name for name, file in self.files.items() if not file.is_same(folder / name, thorough=thorough)]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files.values())
