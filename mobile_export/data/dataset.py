"""What a reader of data is, and what it reads."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec
from mobile_export.samples import Samples
from mobile_export.target import DataSource

BATCH = 64
"""Samples given at a time, at most."""
BATCH_BYTES = 1 << 25
"""The same of large samples, in bytes; one sample is given in any case."""
LARGEST_SAMPLE = 1 << 28
"""Bytes of one sample: more than any phone feeds to a model, and little enough to be held."""

MOST_SAMPLES = 1 << 24
"""Of a source: as many as can be counted by their numbers in memory."""

Rows = NDArray[np.int64]
"""Numbers of samples."""


@dataclass(frozen=True)
class Wanted:
    """What is to be read of a source.

    Attributes:
        inputs: of the model, with public names, shapes batch first.
        labels: name of the true answers; None where they are not wanted.
        raw: names of inputs that are preprocessed later, so that their values may be of any type of number.
        classes: what the scored output's classes are called, in their order; None when nothing says it.
    """

    inputs: tuple[TensorSpec, ...]
    labels: str | None = None
    raw: Collection[str] = ()
    classes: tuple[str, ...] | None = None

    @property
    def names(self) -> list[str]:
        """Of all arrays."""
        separate = self.separate_labels
        return [spec.name for spec in self.inputs] + ([separate] if separate else [])

    @property
    def separate_labels(self) -> str | None:
        """Name of labels that are wanted and are no input: a network that repairs images answers what it is fed."""
        return None if self.labels in [spec.name for spec in self.inputs] else self.labels


class Dataset(Protocol):
    """An opened source."""

    def __len__(self) -> int:
        """How many samples there are, at least one."""
        ...

    def read(self, rows: Rows) -> Iterator[Samples]:
        """The samples of those numbers, which ascend; in batches of at most `BATCH`, every wanted array in each.

        Raises:
            ModelError: a sample is damaged, or differs from the others in type or shape; names it.
        """
        ...


class DataReader(Protocol):
    """A form of data."""

    @property
    def tools(self) -> Sequence[str]:
        """Packages whose versions shape what is read."""
        ...

    def detect(self, source: DataSource) -> bool:
        """Whether this reader takes it, judged by the name, and by what lies there; what is named is there."""
        ...

    def files(self, source: DataSource) -> list[Path]:
        """All files whose content counts, sorted."""
        ...

    def open(self, source: DataSource, wanted: Wanted) -> Dataset:
        """Look at the source as far as needed to count its samples.

        Raises:
            ModelError: it cannot be read, holds nothing, or lacks what is wanted.
            MissingToolError: the package that reads it is not installed.
        """
        ...


def in_batches(rows: Rows, sample_bytes: int) -> Iterator[Rows]:
    """`rows`, as many at a time as make a batch of samples of that size."""
    most = max(1, min(BATCH, BATCH_BYTES // max(1, sample_bytes)))
    for start in range(0, len(rows), most):
        yield rows[start : start + most]


def batched(samples: Iterable[tuple[str, Samples]]) -> Iterator[Samples]:
    """Single samples, each after what errors call it, as batches.

    Raises:
        ModelError: a sample has another type or shape than the first.
    """
    first: Samples = {}
    held: list[Samples] = []
    for where, sample in samples:
        first = first or sample
        for name, array in sample.items():
            if (array.dtype, array.shape) != (first[name].dtype, first[name].shape):
                raise ModelError(
                    f"{where}: {name!r} is {array.dtype}{list(array.shape)}, and that of the first sample is "
                    f"{first[name].dtype}{list(first[name].shape)}; give all samples one type and size"
                )
        held.append(sample)
        if len(held) == BATCH or len(held) * sum(array.nbytes for array in sample.values()) >= BATCH_BYTES:
            yield _stacked(held)
            held = []
    if held:
        yield _stacked(held)


def _stacked(samples: Sequence[Samples]) -> Samples:
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def check_count(source: object, count: int) -> None:
    """Raise a `ModelError` if `source` has no samples, or more than can be drawn from."""
    if count == 0:
        raise ModelError(f"{source}: holds no samples; add some")
    if count > MOST_SAMPLES:
        raise ModelError(f"{source}: holds more than {MOST_SAMPLES} samples; name a part of it")


def path_of(source: DataSource) -> Path:
    """Where a source lies that is no code, as its reader has detected."""
    if not isinstance(source.source, Path):
        raise TypeError(f"{source.source} lies nowhere")
    return source.source
