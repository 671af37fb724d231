"""NumPy archives."""

import lzma
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.samples import Samples


class Npz:
    """An `.npz` with one array per public input, samples along the first axis."""

    def detect(self, path: Path) -> bool:
        return path.suffix == ".npz"

    def read(self, path: Path, names: list[str], count: int | None, seed: int) -> Samples:
        """Pickled objects are refused: they are code."""
        try:
            with path.open("rb") as file:
                samples = _arrays(path, file, names)
        except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise ModelError(f"{path}: cannot be read as .npz: {error}") from error
        lengths = {name: len(array) if array.ndim else 0 for name, array in samples.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise ModelError(
                f"{path}: needs the same number of samples in every array, and at least one; it has {lengths}"
            )
        return _draw(samples, count, seed)


def _arrays(path: Path, file: BinaryIO, names: list[str]) -> Samples:
    archive = np.load(file, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ModelError(f"{path}: cannot be read as .npz: it is a single .npy array")
    missing = [name for name in names if name not in archive.files]
    if missing:
        held = ", ".join(map(repr, archive.files)) or "nothing"
        raise ModelError(f"{path}: has no array {missing[0]!r}; it holds {held}")
    return {name: archive[name] for name in names}


def _draw(samples: Samples, count: int | None, seed: int) -> Samples:
    total = len(next(iter(samples.values())))
    if count is None or count >= total:
        return samples
    rows = np.sort(np.random.default_rng(seed).choice(total, count, replace=False))
    return {name: array[rows] for name, array in samples.items()}
