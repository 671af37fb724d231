"""Folders of images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from mobile_export.data.dataset import Dataset, Rows, Wanted, batched, check_count, path_of
from mobile_export.data.delimited import records
from mobile_export.data.folder import files_below
from mobile_export.data.labels import TextLabels
from mobile_export.data.pictures import SUFFIXES, Pictures
from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array
from mobile_export.samples import Samples
from mobile_export.target import DataSource


class ImageFolder:
    """A folder of images, labelled by the folders that they are in, or by a CSV of file names and labels."""

    tools: Sequence[str] = ("pillow",)

    def detect(self, source: DataSource) -> bool:
        path = source.source
        return isinstance(path, Path) and path.is_dir() and any(True for _ in files_below(path, SUFFIXES))

    def files(self, source: DataSource) -> list[Path]:
        listed = [source.images.labels] if source.images.labels else []
        return sorted([*(path_of(source) / name for name in files_below(path_of(source), SUFFIXES)), *listed])

    def open(self, source: DataSource, wanted: Wanted) -> Dataset:
        path = path_of(source)
        if len(wanted.inputs) != 1:
            several = ", ".join(repr(spec.name) for spec in wanted.inputs)
            raise ModelError(f"{path}: a folder of images feeds one input, and the model has {several}; store an .npz")
        (spec,) = wanted.inputs
        try:
            pictures = Pictures.of(spec, spec.name in wanted.raw, source.images)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error
        names = sorted(files_below(path, SUFFIXES))
        labels: Array | None = None
        if source.images.labels is not None:
            names, labels = _listed(source.images.labels, path, names, wanted.classes)
        elif wanted.separate_labels:
            labels = _folder_numbers(path, names, wanted.classes)
        check_count(path, len(names))
        arrays = {wanted.separate_labels: labels} if wanted.separate_labels and labels is not None else {}
        return _Images(path, names, spec.name, pictures, arrays)


@dataclass(frozen=True)
class _Images:
    """Images by their names in `path`, and labels of all of them."""

    path: Path
    names: Sequence[str]
    input_name: str
    pictures: Pictures
    labels: Samples

    def __len__(self) -> int:
        return len(self.names)

    def read(self, rows: Rows) -> Iterator[Samples]:
        return batched((str(self.path / self.names[row]), self._sample(row)) for row in rows)

    def _sample(self, row: int) -> Samples:
        image = self._image(self.path / self.names[row])
        return {self.input_name: image, **{name: array[row, ...] for name, array in self.labels.items()}}

    def _image(self, path: Path) -> Array:
        try:
            file = path.open("rb")
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        with file:
            return self.pictures.decode(file, str(path))


def _folder_numbers(path: Path, names: Sequence[str], classes: Sequence[str] | None) -> Array:
    """The label of each image: the place of its folder among all of them, or in the list of classes if it has them."""
    homeless = next((name for name in names if "/" not in name), None)
    if homeless is not None:
        raise ModelError(
            f"{path / homeless}: lies in no folder that says what it is; make one folder a class, "
            "or name a CSV of file names and labels in images.labels"
        )
    folders = sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    empty = set(folders) - {name.split("/", 1)[0] for name in names}
    if empty:
        raise ModelError(f"{path / min(empty)}: holds no images; a folder is a class: fill it or remove it")
    if classes is not None and any(name in classes for name in folders):
        strange = [name for name in folders if name not in classes]
        if strange:
            raise ModelError(f"{path / strange[0]}: is no class of the output's labels file; name it as there")
        order = list(classes)
    else:
        order = folders
        numeric = all(name.isascii() and name.isdigit() for name in folders)
        odd = [(one, two) for one, two in pairwise(folders) if numeric and int(one) > int(two)]
        if odd:
            raise ModelError(
                f"{path}: folders are numbered by their names, and {odd[0][0]} comes before {odd[0][1]}; write all "
                "numbers with as many digits, or name a CSV of file names and labels in images.labels"
            )
    number = {name: place for place, name in enumerate(order)}
    return np.array([number[name.split("/", 1)[0]] for name in names], np.int64)


def _listed(table: Path, path: Path, names: Sequence[str], classes: Sequence[str] | None) -> tuple[list[str], Array]:
    """The images that `table` lists, in its order, and their labels."""
    there = set(names)
    labels: dict[str, str] = {}
    kind = TextLabels(classes)
    try:
        with table.open("rb") as file:
            for index, record in enumerate(records(table, file)):
                where = f"{table}: line {record.line}"
                if len(record.fields) != 2:
                    raise ModelError(f"{where}: has {len(record.fields)} fields; write a file name and a label")
                name, label = record.fields
                if index == 0 and not name.lower().endswith(SUFFIXES):
                    continue  # the header
                if name not in there:
                    raise ModelError(f"{where}: {path} has no image {name!r}")
                if name in labels:
                    raise ModelError(f"{where}: {name!r} is there twice; remove one")
                labels[name] = label
                kind.see(label, where)
    except OSError as error:
        raise ModelError(f"{table}: cannot be read: {error.strerror}") from error
    if not labels:
        raise ModelError(f"{table}: lists no images; write a file name and a label a line")
    kind.decide()
    return list(labels), kind.read(list(labels.values()))
