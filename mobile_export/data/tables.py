"""Tables of numbers: CSV, and the same with tabs.

The first line names the columns. An input or label NAME of one value is the column `NAME`; one of more values is the
columns `NAME[0]`, `NAME[1]`, …, in row-major order, wherever they stand. Other columns are left out.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from mobile_export.data.conform import sample_shape
from mobile_export.data.dataset import Dataset, Rows, Wanted, batched, check_count, path_of
from mobile_export.data.delimited import Record, records
from mobile_export.data.labels import TextLabels
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec, format_shape
from mobile_export.graphs.tensors import Array, dtype_named
from mobile_export.samples import Samples
from mobile_export.target import DataSource

_NUMBERS = ("float", "bfloat", "int", "uint", "bool")
"""How the names of types begin that are read."""
_BOOLEANS = {"0": False, "1": True, "false": False, "true": True}
_SHOWN = 10
"""Columns that an error lists."""


class Table:
    """A `.csv` or `.tsv`, one sample a record."""

    tools: Sequence[str] = ()

    def detect(self, source: DataSource) -> bool:
        path = source.source
        return isinstance(path, Path) and path.suffix in (".csv", ".tsv") and path.is_file()

    def files(self, source: DataSource) -> list[Path]:
        return [path_of(source)]

    def open(self, source: DataSource, wanted: Wanted) -> Dataset:
        path = path_of(source)
        try:
            with path.open("rb") as file:
                return _look(path, records(path, file), wanted)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def _look(path: Path, found: Iterator[Record], wanted: Wanted) -> "_Records":
    """Where the records begin, what their columns mean, and what their labels are."""
    header = next(found, None)
    if header is None:
        raise ModelError(f"{path}: is empty; write the columns' names, and one sample a line")
    columns = {name: _columns(path, header.fields, name) for name in wanted.names}
    inputs = {spec.name: _Column.of(path, spec, columns.pop(spec.name)) for spec in wanted.inputs}
    offsets, lines = array("q"), array("q")
    labels = TextLabels(wanted.classes)
    for record in found:
        where = f"{path}: line {record.line}"
        if len(record.fields) != len(header.fields):
            raise ModelError(f"{where}: has {len(record.fields)} fields for {len(header.fields)} columns")
        offsets.append(record.offset)
        lines.append(record.line)
        check_count(path, len(offsets))
        for place in chain.from_iterable(columns.values()):
            labels.see(record.fields[place], where)
    check_count(path, len(offsets))
    labels.decide()
    return _Records(path, len(header.fields), offsets, lines, inputs, columns, labels)


@dataclass(frozen=True)
class _Column:
    """The columns that an input is read from.

    Attributes:
        places: numbers of the columns, in row-major order.
        dtype, shape: of a sample.
    """

    places: Sequence[int]
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, path: Path, spec: TensorSpec, places: Sequence[int]) -> "_Column":
        form = f"input {spec.name!r} is {spec.dtype}{format_shape(spec.shape)}"
        shape = sample_shape(spec.shape, len(places))
        if shape is None:
            raise ModelError(f"{path}: has {len(places)} columns of {spec.name!r}; {form}")
        if not spec.dtype.startswith(_NUMBERS):
            raise ModelError(f"{path}: tables hold numbers; {form}")
        return cls(places, dtype_named(spec.dtype), shape)

    def read(self, fields: Sequence[str]) -> Array:
        """The sample of a record.

        Raises:
            ValueError: a field is no number of the type.
        """
        texts = [fields[place] for place in self.places]
        if self.dtype.kind == "b":
            strange = [text for text in texts if text.lower() not in _BOOLEANS]
            if strange:
                raise ValueError(f"{strange[0]!r} is none of 0, 1, false and true")
            return np.array([_BOOLEANS[text.lower()] for text in texts]).reshape(self.shape)
        if self.dtype.kind in "iu":
            whole = [int(text) for text in texts]
            limits = np.iinfo(self.dtype.name)
            if not all(limits.min <= number <= limits.max for number in whole):
                raise ValueError(f"{self.dtype} is {limits.min} to {limits.max}")
            return np.array(whole, self.dtype).reshape(self.shape)
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            return np.array([float(text) for text in texts]).astype(self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class _Records:
    """Records of `width` fields, by where they begin in the file at `path`; `answers` are the labels' columns."""

    path: Path
    width: int
    offsets: Sequence[int]
    lines: Sequence[int]
    inputs: Mapping[str, _Column]
    answers: Mapping[str, Sequence[int]]
    labels: TextLabels

    def __len__(self) -> int:
        return len(self.offsets)

    def read(self, rows: Rows) -> Iterator[Samples]:
        return batched(self._samples(rows))

    def _samples(self, rows: Rows) -> Iterator[tuple[str, Samples]]:
        with self.path.open("rb") as file:
            for row in rows:
                file.seek(self.offsets[row])
                where = f"{self.path}: line {self.lines[row]}"
                record = next(records(self.path, file), None)
                if record is None or len(record.fields) != self.width:
                    raise ModelError(f"{where}: was changed while it was read; build again")
                yield where, self._sample(record.fields, where)

    def _sample(self, fields: Sequence[str], where: str) -> Samples:
        sample = {}
        for name, column in self.inputs.items():
            try:
                sample[name] = column.read(fields)
            except ValueError as error:
                raise ModelError(f"{where}: {name!r}: {error}") from error
        for name, places in self.answers.items():
            answers = self.labels.read([fields[place] for place in places])
            sample[name] = answers if len(places) > 1 else answers.reshape(())
        return sample


def _columns(path: Path, header: Sequence[str], name: str) -> list[int]:
    """Where the values of `name` stand."""
    numbered = re.compile(re.escape(name) + r"\[([0-9]{1,6})\]")
    single: list[int] = []
    places: dict[int, int] = {}
    for place, field in enumerate(header):
        found = numbered.fullmatch(field)
        if field == name:
            single.append(place)
        elif found and places.setdefault(int(found[1]), place) != place:
            raise ModelError(f"{path}: has more than one column {field!r}; rename one")
    if len(single) + bool(places) > 1:
        raise ModelError(f"{path}: has more than one column {name!r}, or {name}[0] beside it; rename one")
    if not single and not places:
        shown = ", ".join(map(repr, header[:_SHOWN])) + (", …" if len(header) > _SHOWN else "")
        raise ModelError(f"{path}: has no column {name!r}, nor {name}[0], {name}[1], …; it has {shown}")
    missing = next((number for number in range(len(places)) if number not in places), None)
    if missing is not None:
        raise ModelError(f"{path}: has no column {name}[{missing}], and has {name}[{max(places)}]; add it")
    return single or [places[number] for number in range(len(places))]
