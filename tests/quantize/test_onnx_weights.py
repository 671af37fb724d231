"""Weights and constants in fewer bits."""

import numpy as np
import pytest

from mobile_export.graphs.tensors import Array
from mobile_export.quantize.onnx_weights import Affine, Int8, int32_bias, least_scale


def values(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def error(real: Array, int8: Int8) -> Array:
    return np.asarray(int8.values * int8.scale - real)


@pytest.mark.parametrize("kept", [(), (0,), (1,), (0, 1)])
def test_scales_along_the_kept_axes(kept: tuple[int, ...]) -> None:
    real = values(4, 5, 6)
    int8 = Int8.of(real, kept)
    assert int8.scale.shape == tuple(size if axis in kept else 1 for axis, size in enumerate(real.shape))
    assert (np.abs(error(real, int8)) <= int8.scale / 2 + 1e-7).all()
    assert np.abs(int8.values.astype(int)).max() == 127
    assert int8.scale.dtype == np.float32


def test_a_channel_of_zeros_stays_zero() -> None:
    real = values(3, 8)
    real[1] = 0
    int8 = Int8.of(real, (0,))
    assert not int8.values[1].any()
    assert np.isfinite(int8.scale).all()


def test_mse_clips_an_outlier_where_that_pays() -> None:
    real = values(2, 100_000)
    real[0, 0] = 9
    clipped, whole = Int8.of(real, (0,), "mse"), Int8.of(real, (0,))
    assert clipped.scale[0] < whole.scale[0]
    assert np.square(error(real, clipped)).sum() < np.square(error(real, whole)).sum()


def test_a_large_bias_widens_the_scale_of_its_channel_alone() -> None:
    real, bias, activations = values(2, 8), np.float32([1e6, 1]), 1e-6
    least = least_scale(bias, activations).reshape(2, 1)
    int8 = Int8.of(real, (0,), least=least)
    scale = int8.scale.reshape(-1) * np.float32(activations)
    stored = int32_bias(bias, scale)
    np.testing.assert_allclose(stored * scale.astype(np.float64), bias, rtol=1e-6)
    assert np.array_equal(int8.scale[1], Int8.of(real, (0,)).scale[1])


@pytest.mark.parametrize("low, high", [(0, 6), (-3, 5), (-7, -1), (2, 9), (-1e-8, 1e8), (-0.1, 1e-12)])
def test_zero_is_exact_and_the_top_is_not_exceeded(low: float, high: float) -> None:
    affine = Affine.of(low, high)
    assert 0 <= affine.zero_point <= 255
    assert affine.quantize(np.float32([0]))[0] == affine.zero_point
    assert affine.scale * 255 <= max(high, 0) - min(low, 0)
    ends = np.clip([low, high], min(low, 0), max(high, 0)).astype(np.float32)
    back = affine.scale * (affine.quantize(ends).astype(np.float64) - affine.zero_point)
    assert np.abs(back - ends).max() <= affine.scale * 0.51 * 2


def test_a_range_of_nothing() -> None:
    assert Affine.of(0, 0).quantize(np.float32([0, 0])).tolist() == [0, 0]
