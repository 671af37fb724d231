"""Text files of records: CSV, and the same with tabs."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mobile_export.errors import ModelError

_LARGEST_RECORD = 1 << 23
"""Bytes: what the values of a large sample take as text."""
_MOST_FIELDS = 1 << 18
"""In a record."""


@dataclass(frozen=True)
class Record:
    """A record of a file.

    Attributes:
        offset: its first byte's.
        line: the number of its first line, from 1.
        fields: as text, without spaces before them.
    """

    offset: int
    line: int
    fields: list[str]


def records(path: Path, file: IO[bytes]) -> Iterator[Record]:
    """The records of `file` from where it stands, in UTF-8, empty lines left out; lines are counted from there.

    Args:
        path: of the file: `.tsv` is separated by tabs, any other by commas.

    Raises:
        ModelError: it is no text, or no such table; names the line.
    """
    begin = offset = file.tell()
    line = 0

    def lines() -> Iterator[str]:
        nonlocal offset, line
        while data := file.readline(_LARGEST_RECORD + 1):
            first, offset, line = offset == 0, offset + len(data), line + 1
            if offset - begin > _LARGEST_RECORD:
                raise ModelError(f"{path}: line {line}: more than {_LARGEST_RECORD} bytes in a record; store an .npz")
            yield data.decode("utf-8-sig" if first else "utf-8")

    delimiter = "\t" if path.suffix == ".tsv" else ","
    reader = csv.reader(lines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        begin, before = offset, line
        try:
            fields = next(reader, None)
        except UnicodeDecodeError as error:
            raise ModelError(f"{path}: line {line}: not UTF-8 text") from error
        except csv.Error as error:
            raise ModelError(f"{path}: line {line}: {error}") from error
        if fields is None:
            return
        if len(fields) > _MOST_FIELDS:
            raise ModelError(f"{path}: line {line} has {len(fields)} fields; store that many values as .npz")
        if fields:
            yield Record(begin, before + 1, fields)
