"""The download size that we print, against zlib's."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from mobile_export.deflate import deflated_size

RNG = np.random.default_rng(0)
FILES = {
    "float32 weights": RNG.normal(size=200_000).astype(np.float32).tobytes(),
    "int8 weights": np.clip(RNG.normal(size=200_000) * 30, -127, 127).astype(np.int8).tobytes(),
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_near_zlibs(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(FILES[name])
    assert deflated_size(path) == pytest.approx(len(zlib.compress(FILES[name], 6)), rel=0.02, abs=500)
