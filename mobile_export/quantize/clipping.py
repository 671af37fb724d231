"""Ranges of weights, clipped where that lessens the error: few large weights need not cost all others their steps."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mobile_export.graphs.tensors import Array

CLIPPINGS = ("minmax", "mse")
"""What `Scheme.weights` may say, the default first."""

_FRACTIONS = np.linspace(1, 0.2, 17, dtype=np.float32)
"""Parts of the largest magnitude that are tried."""
_BLOCK = 1 << 18
"""Weights that are looked at together, and stay in the processor's cache meanwhile: 100 MB take about a second."""
_TINY = np.finfo(np.float32).tiny


def least_error(weights: Array, kept: Sequence[int], limit: int) -> NDArray[np.float32]:
    """The magnitude at which to clip float32 weights for the least squared error in integers of -limit to limit.

    All weights are looked at: of some of them, the largest would be missing, and these are what is clipped. Of
    litert-quantizer's own choices, MSE takes weights to be normal and loses up to 7 dB at 8 bits; OCTAV, a fixed-point
    iteration, loses up to 3 dB and takes two seconds for 100 MB.

    Args:
        kept: axes along which ranges differ.

    Returns:
        In the form of `weights` with 1 in all dimensions but `kept`; 0 where all weights are.
    """
    shape = [size if axis in kept else 1 for axis, size in enumerate(weights.shape)]
    channels = np.moveaxis(weights, kept, range(len(kept))).reshape(int(np.prod(shape)), -1)
    largest = np.maximum(channels.max(axis=1), -channels.min(axis=1))
    rows = max(1, _BLOCK // channels.shape[1])
    fractions = np.concatenate(
        [
            _best_fractions(channels[start : start + rows], largest[start : start + rows], limit)
            for start in range(0, len(channels), rows)
        ]
    )
    clip: NDArray[np.float32] = (largest * fractions).reshape(shape)
    return clip


def _best_fractions(channels: Array, largest: Array, limit: int) -> Array:
    """Of each channel, that of `_FRACTIONS` with the least error."""
    errors = np.zeros((len(_FRACTIONS), len(channels)))
    unit = np.maximum(largest, _TINY)[:, None]
    for start in range(0, channels.shape[1], _BLOCK):
        parts = np.abs(channels[:, start : start + _BLOCK]) / unit
        error = np.empty_like(parts)
        for index, fraction in enumerate(_FRACTIONS):
            scale = fraction / np.float32(limit)
            np.rint(np.divide(parts, scale, out=error), out=error)
            np.minimum(error, limit, out=error)
            error *= scale
            error -= parts
            errors[index] += np.einsum("ij,ij->i", error, error)
    best: Array = _FRACTIONS[errors.argmin(axis=0)]
    return best
