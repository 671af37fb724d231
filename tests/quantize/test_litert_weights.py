import numpy as np
import pytest

from mobile_export.quantize.litert_weights import least_error_range


def error(weights: np.ndarray, high: np.ndarray, bits: int) -> float:
    steps = (1 << (bits - 1)) - 1
    scale = high / steps
    return float(np.square(np.clip(np.rint(weights / scale), -steps, steps) * scale - weights).sum())


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("axis", "shape"), [(0, (6, 1, 1, 1)), (3, (1, 1, 1, 5)), (None, (1, 1, 1, 1))])
def test_the_error_is_never_larger_than_without_clipping(bits: int, axis: int | None, shape: tuple[int, ...]) -> None:
    weights = normal(6, 3, 3, 5)
    found = least_error_range(weights, axis, bits)
    assert found["max"].shape == shape
    np.testing.assert_array_equal(found["min"], -found["max"])
    others = tuple(i for i in range(4) if i != axis)
    largest = np.abs(weights).max(axis=others if axis is not None else None, keepdims=True)
    assert (found["max"] <= largest).all()
    assert error(weights, found["max"], bits) <= error(weights, largest, bits)
    if bits == 4:
        assert error(weights, found["max"], bits) < 0.97 * error(weights, largest, bits)


def test_a_channel_of_zeros() -> None:
    weights = normal(3, 8)
    weights[1] = 0
    assert least_error_range(weights, 0, 8)["max"][1] == 0
    assert np.isfinite(least_error_range(weights, 0, 8)["max"]).all()


def test_many_weights_are_weighed_by_some_of_them() -> None:
    weights = normal(2, 100_000)
    found = least_error_range(weights, 0, 4)["max"]
    largest = np.abs(weights).max(axis=1, keepdims=True)
    assert error(weights, found, 4) < 0.8 * error(weights, largest, 4)
