"""The data files of the digits example. Training itself is run end to end elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits"
FILES = {
    "training.npz": (10_000, np.uint8, 255),
    "calibration.npz": (200, np.float32, 1),
    "evaluation.npz": (2_000, np.float32, 1),
}


def load(name: str) -> dict[str, NDArray[Any]]:
    with np.load(DIGITS / name, allow_pickle=False) as arrays:
        return dict(arrays)


def hashes(name: str) -> list[bytes]:
    """One hash per image, the same for a picture however it is stored."""
    scale = 255 // FILES[name][2]
    pixels = np.rint(load(name)["image"].astype(np.float64) * scale).astype(np.uint8)
    return [hashlib.sha256(image.tobytes()).digest() for image in pixels]


@pytest.mark.parametrize("name", FILES)
def test_images(name: str) -> None:
    count, dtype, white = FILES[name]
    images = load(name)["image"]
    assert images.shape == (count, 28, 28, 1)
    assert images.dtype == np.dtype(dtype)
    assert (images.min(), images.max()) == (0, white)
    assert np.isfinite(images).all()


@pytest.mark.parametrize("name", FILES)
def test_each_digit_has_the_same_share(name: str) -> None:
    count = FILES[name][0]
    labels = load(name)["label"]
    assert labels.shape == (count,)
    assert labels.dtype == np.dtype(np.uint8)
    assert np.unique_counts(labels).values.tolist() == list(range(10))
    assert set(np.unique_counts(labels).counts) == {count // 10}


def test_no_image_occurs_twice() -> None:
    every = [digest for name in FILES for digest in hashes(name)]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("name", FILES)
def test_is_small(name: str) -> None:
    assert (DIGITS / name).stat().st_size < 5_000_000


@pytest.mark.parametrize("name", FILES)
def test_readme_states_the_hash(name: str) -> None:
    digest = hashlib.sha256((DIGITS / name).read_bytes()).hexdigest()
    assert re.search(rf"{digest}  {name}\n", (DIGITS / "README.md").read_text(encoding="utf-8"))


def test_labels_name_the_digits() -> None:
    assert (DIGITS / "labels.txt").read_text(encoding="utf-8").splitlines() == list("0123456789")
