from pathlib import Path

import numpy as np
import pytest

from mobile_export.data import Wanted, read_samples
from mobile_export.data.conform import conform, sample_shape
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec
from mobile_export.target import DataSource

NAN, INF = np.nan, np.inf


def check(samples: dict[str, np.ndarray], inputs: list[TensorSpec], raw: set[str] | None = None) -> None:
    conform("data.npz", samples, Wanted(tuple(inputs), raw=raw or ()), np.arange(len(samples["image"])))


def floats(values: list) -> np.ndarray:
    return np.array(values, np.float32)


def spec(shape: tuple[int, ...] | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("image", "input:0", dtype, shape)


@pytest.mark.parametrize(
    ("shape", "array"),
    [
        ((-1, 28, 28, 1), np.zeros((5, 28, 28, 1), np.float32)),
        ((1, 28, 28, 1), np.zeros((5, 28, 28, 1), np.float32)),
        ((7, 28, 28, 1), np.zeros((5, 28, 28, 1), np.float32)),
        ((-1, -1, 28, 1), np.zeros((5, 3, 28, 1), np.float32)),
        (None, np.zeros((5, 2, 2), np.float32)),
        ((), np.zeros(5, np.float32)),
        ((-1,), np.zeros(5, np.float32)),
    ],
)
def test_fits(shape: tuple[int, ...] | None, array: np.ndarray) -> None:
    check({"image": array, "label": np.zeros(9)}, [spec(shape)])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float64"])
def test_other_types_fit_their_own(dtype: str) -> None:
    check({"image": np.zeros((5, 2), dtype)}, [spec((-1, 2), dtype)])


@pytest.mark.parametrize(
    ("shape", "array", "said"),
    [
        ((-1, 28, 28, 1), np.zeros((5, 28, 28), np.float32), r"has shape \[samples,28,28\] .* \[samples,28,28,1\]"),
        (
            (-1, 28, 28, 1),
            np.zeros((5, 28, 29, 1), np.float32),
            r"has shape \[samples,28,29,1\] .* \[samples,28,28,1\]",
        ),
        ((-1, -1, 4), np.zeros((5, 3, 5), np.float32), r"has shape \[samples,3,5\] .* \[samples,\?,4\]"),
        ((), np.zeros((5, 1), np.float32), r"has shape \[samples,1\] and the model takes \[samples\]"),
        ((-1, 2), np.zeros((5, 2)), "is float64 and the model takes float32; store the values as they were fed"),
        ((-1, 2), np.zeros((5, 2), np.uint8), "is uint8 and the model takes float32"),
        ((-1, 2), floats([[0, 1], [0, NAN], [NAN, 0]]), "has a NaN or infinity in sample 1; remove it"),
        ((-1, 2), floats([[0, 1], [0, 1], [-INF, 0]]), "has a NaN or infinity in sample 2; remove it"),
        (None, floats([0, INF]), "has a NaN or infinity in sample 1; remove it"),
        ((), floats([NAN]), "has a NaN or infinity in sample 0; remove it"),
    ],
)
def test_does_not_fit(shape: tuple[int, ...] | None, array: np.ndarray, said: str) -> None:
    with pytest.raises(ModelError, match=rf"data\.npz: array 'image' {said}"):
        check({"image": array}, [spec(shape)])


def test_every_input_is_checked() -> None:
    inputs = [spec((-1, 2)), TensorSpec("mask", "mask:0", "bool", (-1,))]
    with pytest.raises(ModelError, match="array 'mask' is float32 and the model takes bool"):
        check({"image": np.zeros((5, 2), np.float32), "mask": np.zeros(5, np.float32)}, inputs)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64"])
def test_any_number_will_do_where_it_is_preprocessed(dtype: str) -> None:
    samples = {"image": np.ones((5, 2), dtype), "mask": np.ones(5, bool)}
    inputs = [spec((-1, 2)), TensorSpec("mask", "mask:0", "bool", (-1,))]
    check(samples, inputs, raw={"image"})
    with pytest.raises(ModelError, match=r"takes float32; store .* or say in model\.inputs\.preprocessing"):
        check(samples, inputs, raw={"mask"})


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.ones((5, 2), bool), "is bool and is to be preprocessed; store numbers"),
        (np.full((5, 2), "a"), "is <U1 and is to be preprocessed; store numbers"),
        (np.ones((5, 3), np.uint8), r"has shape \[samples,3\] and the model takes \[samples,2\]"),
        (np.full((5, 2), np.nan), "has a NaN or infinity in sample 0"),
    ],
)
def test_raw_values_that_do_not_fit(array: np.ndarray, said: str) -> None:
    with pytest.raises(ModelError, match=rf"data\.npz: array 'image' {said}"):
        check({"image": array}, [spec((-1, 2))], raw={"image"})


def test_samples_are_called_by_their_numbers_in_the_source(tmp_path: Path) -> None:
    values = np.zeros((200, 2), np.float32)
    values[150] = NAN
    np.savez(tmp_path / "data.npz", image=values)
    for seed in range(4):
        source = DataSource(source=tmp_path / "data.npz", samples=199, seed=seed)
        _, batches = read_samples(source, Wanted((spec((-1, 2)),)))
        with pytest.raises(
            ModelError, match=r"data\.npz: array 'image' has a NaN or infinity in sample 150; remove it"
        ):
            list(batches)


@pytest.mark.parametrize(
    ("shape", "size", "found"),
    [
        ((-1, 2, 3), 6, (2, 3)),
        ((4, 2, 3), 6, (2, 3)),
        ((4, 2, 3), 24, (4, 2, 3)),
        ((-1, 2, 3), 12, None),
        ((1, 2, 3), 12, None),
        ((-1, -1, 3), 12, (4, 3)),
        ((-1, -1, 3), 13, None),
        ((-1, -1, -1), 12, None),
        ((8, -1), 5, (5,)),
        ((-1,), 1, ()),
        ((-1,), 2, None),
        ((7,), 7, (7,)),
        ((), 1, ()),
        (None, 1, ()),
        (None, 5, (5,)),
    ],
)
def test_the_shape_of_so_many_values(shape: tuple[int, ...] | None, size: int, found: tuple[int, ...] | None) -> None:
    assert sample_shape(shape, size) == found
