"""Samples in files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mobile_export.graphs.tensors import dtype_named
from mobile_export.samples import Samples, load_samples, map_samples, save_samples, store_samples

TYPES = ["float32", "float16", "bfloat16", "float64", "int8", "uint8", "int64", "bool", "complex64"]


def batches(sizes: list[int], dtype: str = "float32") -> Iterator[Samples]:
    number = 0
    for size in sizes:
        numbers = np.arange(number, number + size)
        yield {"x/…": numbers[:, None].repeat(3, 1).astype(dtype_named(dtype)), "label": numbers.astype("<U5")}
        number += size


@pytest.mark.parametrize("dtype", TYPES)
def test_stored_samples_are_mapped(dtype: str, tmp_path: Path) -> None:
    for samples in (store_samples(tmp_path / "a", 9, batches([4, 4, 1], dtype)), map_samples(tmp_path / "a")):
        assert list(samples) == ["x/…", "label"]
        assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in samples.values())
        assert samples["x/…"].dtype == dtype_named(dtype)
        np.testing.assert_array_equal(samples["x/…"][:, 2], np.arange(9).astype(dtype_named(dtype)))
        assert samples["label"].tolist() == [str(number) for number in range(9)]


def test_samples_that_are_views(tmp_path: Path) -> None:
    whole = np.arange(24).reshape(4, 3, 2)
    for index, view in enumerate([whole[:, ::-1], whole.transpose(0, 2, 1), np.broadcast_to(whole[:1], (4, 3, 2))]):
        np.testing.assert_array_equal(store_samples(tmp_path / str(index), 4, [{"x": view}])["x"], view)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (np.zeros((1, 3), np.float64), r"samples of 'x' are float64\[3\] after float32\[3\]"),
        (np.zeros((1, 1), np.float32), r"samples of 'x' are float32\[1\] after float32\[3\]"),
        (np.zeros(1, np.float32), r"samples of 'x' are float32\[\] after float32\[3\]"),
        (np.zeros((2, 3), np.float32), "3 samples came instead of 2"),
        (np.zeros((0, 3), np.float32), "1 samples came instead of 2"),
    ],
)
def test_batches_that_differ(second: np.ndarray, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        store_samples(tmp_path / "a", 2, [{"x": np.zeros((1, 3), np.float32)}, {"x": second}])


def test_no_batches(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 samples came instead of 2"):
        store_samples(tmp_path / "a", 2, [])


def test_saved_samples_have_the_same_bytes(tmp_path: Path) -> None:
    samples = {"x": np.arange(6.0).reshape(2, 3), "label": np.array(["a", "b"])}
    for name in ("a.npz", "b.npz"):
        save_samples(tmp_path / name, samples)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = load_samples(tmp_path / "a.npz")
    assert list(loaded) == ["x", "label"]
    assert all((loaded[name] == samples[name]).all() for name in samples)
