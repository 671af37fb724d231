"""The download size that we print, against zlib's own."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from mobile_export.deflate import WHOLE_BYTES, deflated_size

FRAME = 6  # bytes that zlib puts around the data, and zip archives do not
RNG = np.random.default_rng(0)
FILES = {
    "float32 weights": RNG.normal(size=200_000).astype(np.float32).tobytes(),
    "int8 weights": np.clip(RNG.normal(size=200_000) * 30, -127, 127).astype(np.int8).tobytes(),
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("name", FILES)
def test_small_files_are_deflated_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(FILES[name])
    assert deflated_size(path) == len(zlib.compress(FILES[name])) - FRAME


def rounded(size: int) -> np.ndarray:
    return (np.round(RNG.normal(size=size) * 32) / 32).astype(np.float32)


@pytest.mark.parametrize("make", [lambda n: RNG.normal(size=n).astype(np.float32), rounded], ids=["normal", "rounded"])
def test_blocks_stand_for_a_large_file(tmp_path: Path, make) -> None:
    """Half of it weights, half of it zeros."""
    path = tmp_path / "model"
    weights = make(3_000_000).tobytes()
    path.write_bytes(weights + bytes(len(weights)))
    assert path.stat().st_size > WHOLE_BYTES
    assert deflated_size(path) == pytest.approx(len(zlib.compress(path.read_bytes())), rel=0.01)
