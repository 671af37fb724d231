"""Samples: named arrays, stacked along their first axis, in memory and in `.npz` files."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mobile_export.tensors import Array

Samples = dict[str, Array]
"""Public name → array of shape [samples, ...]."""


def save_samples(path: Path, samples: Mapping[str, Array]) -> None:
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
