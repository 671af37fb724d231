"""Weights and constants in fewer bits, as NumPy arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_export.graphs.tensors import Array
from mobile_export.quantize.clipping import least_error

LARGEST_FLOAT16 = float(np.finfo(np.float16).max)

_LIMIT = 127
_TINY = float(np.finfo(np.float32).tiny)
_LARGEST_BIAS = 2.0**30
"""An int32 bias beyond that could overflow the sum that starts with it."""


@dataclass(frozen=True)
class Int8:
    """Symmetric int8: real = scale · values.

    Attributes:
        scale: float32, with as many dimensions as `values`, 1 where they share it.
    """

    values: Array
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, real: Array, kept: Sequence[int], clipping: str = "minmax", least: Array | None = None) -> "Int8":
        """Quantize float32 weights.

        Args:
            kept: axes along which scales differ.
            clipping: how ranges are chosen, `minmax` or `mse`.
            least: the scale may not be smaller, an array like it.
        """
        shared = tuple(axis for axis in range(real.ndim) if axis not in kept)
        if clipping == "mse":
            top: Array = least_error(real, kept, _LIMIT)
        else:
            top = np.maximum(real.max(axis=shared, keepdims=True), -real.min(axis=shared, keepdims=True))
        scale = np.maximum(top / np.float32(_LIMIT), np.float32(_TINY))
        if least is not None:
            scale = np.maximum(scale, least)
        return cls(_rounded(real, scale), np.asarray(scale, np.float32))


def _rounded(real: Array, scale: Array) -> Array:
    steps = real / scale
    np.rint(steps, out=steps)
    np.clip(steps, -_LIMIT, _LIMIT, out=steps)
    return steps.astype(np.int8)


def least_scale(bias: Array, activations: float) -> NDArray[np.float32]:
    """The scale of weights below which an int32 bias on the scale weights · activations would overflow."""
    return np.asarray(np.abs(bias.astype(np.float64)) / (activations * _LARGEST_BIAS), np.float32)


def int32_bias(bias: Array, scale: Array) -> NDArray[np.int32]:
    """A bias on `scale`, that of the products it is added to."""
    return np.asarray(np.rint(bias.astype(np.float64) / scale.astype(np.float64)), np.int32)


@dataclass(frozen=True)
class Affine:
    """uint8: real = scale · (values - zero_point); zero is exact."""

    scale: float
    zero_point: int

    @classmethod
    def of(cls, low: float, high: float) -> "Affine":
        """The scale on which `low` to `high` fit; the upper end never lies beyond `high`."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = np.float32((high - low) / 255)
        if float(scale) * 255 > high - low:
            scale = np.nextafter(scale, np.float32(0))
        if scale < _TINY:
            return cls(1.0, 0)
        return cls(float(scale), int(np.clip(np.rint(-low / float(scale)), 0, 255)))

    def quantize(self, real: Array) -> NDArray[np.uint8]:
        steps = np.rint(real.astype(np.float64) / self.scale) + self.zero_point
        return np.asarray(np.clip(steps, 0, 255), np.uint8)
