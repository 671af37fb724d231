"""Readers of calibration and evaluation data, one a file."""

from pathlib import Path
from typing import Protocol

from mobile_export.data.npz import Npz
from mobile_export.errors import ModelError
from mobile_export.samples import Samples


class DataReader(Protocol):
    """A form of data."""

    def detect(self, path: Path) -> bool:
        """Whether this reader takes `path`, by its name."""
        ...

    def read(self, path: Path, names: list[str], count: int | None, seed: int) -> Samples:
        """`count` samples of the arrays `names`, drawn with `seed`; all, in order, when there are no more than that.

        Raises:
            ModelError: the data cannot be read, lacks a name, or its arrays differ in length.
        """
        ...


READERS: dict[str, DataReader] = {
    "npz": Npz(),
}
"""In the order in which they are tried."""


def read_samples(path: Path, names: list[str], count: int | None = None, seed: int = 0) -> Samples:
    """Read samples with the reader that takes `path`.

    Raises:
        ModelError: no reader takes it, or the one that does finds it wrong.
    """
    if not path.exists():
        raise ModelError(f"{path}: no such data file")
    for reader in READERS.values():
        if reader.detect(path):
            return reader.read(path, names, count, seed)
    raise ModelError(f"{path}: data is read from: {', '.join(READERS)}")
