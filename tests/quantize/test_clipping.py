import numpy as np
import pytest

from mobile_export.quantize.clipping import least_error


def error(weights: np.ndarray, high: np.ndarray, limit: int) -> float:
    scale = high / limit
    return float(np.square(np.clip(np.rint(weights / scale), -limit, limit) * scale - weights).sum())


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("limit", [7, 127])
@pytest.mark.parametrize(
    ("kept", "shape"), [((0,), (6, 1, 1, 1)), ((3,), (1, 1, 1, 5)), ((), (1, 1, 1, 1)), ((0, 2), (6, 1, 3, 1))]
)
def test_the_error_is_never_larger_than_without_clipping(
    limit: int, kept: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    weights = normal(6, 3, 3, 5)
    found = least_error(weights, kept, limit)
    assert found.shape == shape
    assert found.dtype == np.float32
    largest = np.abs(weights).max(axis=tuple(axis for axis in range(4) if axis not in kept), keepdims=True)
    assert (found <= largest).all()
    assert error(weights, found, limit) <= error(weights, largest, limit)
    if limit == 7:
        assert error(weights, found, limit) < 0.97 * error(weights, largest, limit)


def test_a_channel_of_zeros() -> None:
    weights = normal(3, 8)
    weights[1] = 0
    found = least_error(weights, (0,), 127)
    assert found[1] == 0
    assert np.isfinite(found).all()


@pytest.mark.parametrize("limit", [7, 127])
def test_rare_large_weights_of_many_are_not_overlooked(limit: int) -> None:
    weights = np.random.default_rng(0).standard_t(3, (4, 300_000)).astype(np.float32)
    largest = np.abs(weights).max(axis=1, keepdims=True)
    tried = [error(weights, largest * np.float32(part), limit) for part in np.linspace(1, 0.2, 9)]
    assert error(weights, least_error(weights, (0,), limit), limit) <= min(tried) * 1.001


def test_what_is_looked_at_together_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = normal(5, 700)
    whole = least_error(weights, (0,), 7)
    for block in (64, 1500):
        monkeypatch.setattr("mobile_export.quantize.clipping._BLOCK", block)
        np.testing.assert_array_equal(least_error(weights, (0,), 7), whole)
