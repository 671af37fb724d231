"""What earlier, interrupted runs of a search have measured: one JSON object a line, appended as soon as it is known."""

import contextlib
import dataclasses
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from mobile_export.errors import OutputError
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.trail import Kind, Outcome

EntryKind = Kind | Literal["time"]
KEPT_SECONDS = 30 * 24 * 3600
"""How long a journal is kept that nothing is added to."""


@dataclass(frozen=True)
class Entry:
    """One line: what was measured of the file of `scheme`."""

    kind: EntryKind
    scheme: Scheme
    outcome: Outcome


_ENTRY = TypeAdapter(Entry)
_SUFFIX = ".jsonl"


class Journal:
    """The measurements of one search; its file may end in the middle of a line, as a killed run leaves it."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a line that is damaged counts as not written.

        Raises:
            OutputError: the file is there and cannot be read.
        """
        self._path = path
        try:
            lines = path.read_bytes().splitlines() if path.exists() else []
        except OSError as error:
            raise OutputError(f"{path}: cannot be read ({error.strerror}); delete it") from error
        entries = filter(None, map(_entry, lines))
        self._known = {(entry.kind, entry.scheme): entry.outcome for entry in entries}

    def get(self, kind: EntryKind, scheme: Scheme) -> Outcome | None:
        """What is known of a file."""
        return self._known.get((kind, scheme))

    def add(self, kind: EntryKind, scheme: Scheme, outcome: Outcome) -> None:
        """Remember it, also beyond the end of this run.

        Raises:
            OutputError: it cannot be written.
        """
        self._known[kind, scheme] = outcome
        line = json.dumps(dataclasses.asdict(Entry(kind, scheme, outcome)))
        try:  # one write, and on a line of its own, whatever the one before left
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, f"\n{line}\n".encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror}); is there room?") from error


def open_journal(folder: Path, key: str) -> Journal:
    """The journal of the search with that key; those in `folder` that were left alone for long are deleted.

    Raises:
        OutputError: it is there and cannot be read.
    """
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # such as where another build is deleting it
            if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                path.unlink()
    return Journal(folder / f"{key}{_SUFFIX}")


def _entry(line: bytes) -> Entry | None:
    try:
        return _ENTRY.validate_json(line)
    except ValidationError:
        return None
