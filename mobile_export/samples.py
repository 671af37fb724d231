"""Samples: named arrays, stacked along their first axis, in memory, in `.npz` files, and in mapped folders."""

import json
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mobile_export.graphs.tensors import Array, dtype_named

Samples = dict[str, Array]
"""Public name → array of shape [samples, ...]."""
_INDEX = "samples.json"
"""In a mapped folder: by name, type and shape of each array; their files are numbered in that order."""


def save_samples(path: Path | BinaryIO, samples: Mapping[str, Array]) -> None:
    """Write an uncompressed `.npz`: same arrays, same bytes, whatever they are called."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in samples.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, not now
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


def load_samples(path: Path) -> Samples:
    """Read what `save_samples` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def store_samples(folder: Path, count: int, batches: Iterable[Samples]) -> Samples:
    """Write `count` samples that come in batches of one form to a new folder, one file an array; returns them mapped.

    Raises:
        ValueError: a batch has another type or shape than the first, or there are more or fewer samples.
    """
    folder.mkdir()
    first: Samples = {}
    written = 0
    with ExitStack() as opened:
        files: list[BinaryIO] = []
        for batch in batches:
            if not first:
                first = {name: array[:1] for name, array in batch.items()}
                files = [opened.enter_context((folder / str(index)).open("wb")) for index in range(len(batch))]
            for file, (name, one) in zip(files, first.items(), strict=True):
                array = batch[name]
                if (array.dtype, array.shape[1:]) != (one.dtype, one.shape[1:]):
                    forms = [f"{a.dtype}{list(a.shape[1:])}" for a in (array, one)]
                    raise ValueError(f"samples of {name!r} are {forms[0]} after {forms[1]}")
                array.tofile(file)
            written += len(next(iter(batch.values())))
    if written != count:
        raise ValueError(f"{written} samples came instead of {count}")
    arrays = {name: (_text(one.dtype), [count, *one.shape[1:]]) for name, one in first.items()}
    (folder / _INDEX).write_text(json.dumps(arrays), encoding="utf-8")
    return map_samples(folder)


def map_samples(folder: Path) -> Samples:
    """What `store_samples` wrote, read as it is needed."""
    arrays = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    return {
        name: np.memmap(folder / str(index), _dtype(dtype), "r", shape=tuple(shape))
        for index, (name, (dtype, shape)) in enumerate(arrays.items())
    }


def _text(dtype: np.dtype[Any]) -> str:
    """For a file; NumPy's own text of bfloat16 says no more than its size."""
    return dtype.name if dtype.kind == "V" else dtype.str


def _dtype(text: str) -> np.dtype[Any]:
    return dtype_named(text) if text[0].isalpha() else np.dtype(text)
