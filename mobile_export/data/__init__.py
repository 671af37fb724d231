"""Readers of calibration and evaluation data, one a file.

A data source is opened, which says how many samples it has, and then gives the drawn ones, some at a time. Nothing
holds them all: they go to files in the build's work folder, which are mapped.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mobile_export.data.conform import conform
from mobile_export.data.dataset import BATCH, DataReader, Dataset, Rows, Wanted, check_count
from mobile_export.data.generator import Generator
from mobile_export.data.images import ImageFolder
from mobile_export.data.npy import Npy
from mobile_export.data.npz import Npz
from mobile_export.data.tables import Table
from mobile_export.data.tfrecord import TFRecord
from mobile_export.errors import ModelError
from mobile_export.incremental.digests import known_sha256
from mobile_export.samples import Samples
from mobile_export.target import DataSource, UserCode

__all__ = ["BATCH", "READERS", "DataReader", "Dataset", "Wanted", "content_hash", "draw", "read_samples", "reader_of"]

READERS: dict[str, DataReader] = {
    "npz": Npz(),
    "npy": Npy(),
    "csv": Table(),
    "tfrecord": TFRecord(),
    "folder of images": ImageFolder(),
    "module:function": Generator(),
}
"""In the order in which they are tried."""
_FED = ("float", "bfloat", "int", "uint", "bool", "complex")
"""How the names of types begin that samples can have."""


def reader_of(source: DataSource) -> DataReader:
    """The reader that takes `source`.

    Raises:
        ModelError: nothing is there, or no reader takes it.
    """
    if isinstance(source.source, Path) and not source.source.exists():
        raise ModelError(f"{source.source}: no such data file")
    for reader in READERS.values():
        if reader.detect(source):
            return reader
    raise ModelError(f"{source.source}: is no data that is read here: {', '.join(READERS)}")


def content_hash(source: DataSource) -> str:
    """The sha256 of the source's file; of a folder or code, that of the lines which sha256sum prints of its files.

    Raises:
        ModelError: one cannot be read.
    """
    files = reader_of(source).files(source)
    if files == [source.source]:
        return known_sha256(files[0])
    folder = source.source.folder if isinstance(source.source, UserCode) else source.source
    names = {path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name: path for path in files}
    lines = [f"{known_sha256(path)}  {name}\n" for name, path in sorted(names.items())]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def draw(source: DataSource, count: int) -> Rows:
    """Numbers of the samples used, ascending: as many as asked for, by the seed; all where there are no more."""
    if source.samples is None or source.samples >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(source.seed).choice(count, source.samples, replace=False))


def read_samples(source: DataSource, wanted: Wanted) -> tuple[int, Iterator[Samples]]:
    """How many samples are drawn from `source`, and these, in batches; the inputs are what the model takes.

    Raises:
        ModelError: the source is missing or not what it should be; while batches are read: a sample is not.
    """
    strange = [spec for spec in wanted.inputs if not spec.dtype.startswith(_FED)]
    if strange:
        raise ModelError(f"{source.source}: input {strange[0].name!r} is {strange[0].dtype}; only numbers can be fed")
    dataset = reader_of(source).open(source, wanted)
    check_count(source.source, len(dataset))
    rows = draw(source, len(dataset))
    return len(rows), _conforming(source, wanted, rows, dataset.read(rows))


def _conforming(source: DataSource, wanted: Wanted, rows: Rows, batches: Iterator[Samples]) -> Iterator[Samples]:
    start = 0
    for batch in batches:
        end = start + len(next(iter(batch.values())))
        conform(source.source, batch, wanted, rows[start:end])
        start = end
        yield batch
