"""How the constants of a layer are stored: their error, their scales, and what these lose."""

from dataclasses import dataclass

import numpy as np

from mobile_export.explanation.alignment import Pair
from mobile_export.explanation.statistics import Real, decibels, outlier
from mobile_export.graphs.tensors import Array
from mobile_export.watching.network import Network

_KEPT = 0.01
"""How much of itself a bias may lose to rounding before something is wrong with its scale."""

_MATTERS = 0.1
"""Share of the largest product of weight and value that one must reach to be missed."""


@dataclass(frozen=True)
class Weights:
    """The weights of a layer beside those of the float file.

    Attributes:
        stored: their element type.
        sqnr: signal to noise, in dB.
        per_channel: whether they have several scales, or none because they are no integers.
        outlier: channel whose weights reach many times the median of the others; how many times, and which share of
            the others becomes 0.
        lost: channel of what is read whose weights all become 0, and matter since its values are large; and how many
            times smaller than the median they are.
        lost_bias: channel whose bias does not fit; its value, what is kept of it, and the scale of its weights.
    """

    stored: str
    sqnr: float
    per_channel: bool
    outlier: tuple[int, float, float] | None = None
    lost: tuple[int, float] | None = None
    lost_bias: tuple[int, float, float, float] | None = None


def compare_weights(layer: Pair, reference: Network, file: Network, read: Real | None) -> Weights | None:
    """None where the layer has no weights, or the file keeps them in a form that cannot be compared.

    Args:
        read: the largest magnitude in each channel of what the layer reads, where that is one tensor.
    """
    pair = _values(layer.weights, reference, file)
    if pair is None or layer.weights is None:
        return None
    real, kept = pair
    name = layer.weights[1]
    scales = file.quantized[name].scale if name in file.quantized else None
    per_channel = scales is None or scales.size > 1
    sqnr = decibels(float(np.square(real).sum()), float(np.square(kept - real).sum()))
    uneven = None if per_channel else _outlier(real, kept)
    return Weights(
        file.types[name], sqnr, per_channel, uneven, _lost(real, kept, read), _lost_bias(layer, scales, reference, file)
    )


def _values(names: tuple[str, str] | None, reference: Network, file: Network) -> tuple[Real, Real] | None:
    """The real values of a constant in both files."""
    if names is None:
        return None
    real, kept = reference.constant(names[0]), file.constant(names[1])
    if real is None or kept is None or real.shape != kept.shape or not real.size:
        return None
    return real.astype(np.float64), kept.astype(np.float64)


def _outlier(real: Real, kept: Real) -> tuple[int, float, float] | None:
    """As in `Weights`, along the dimension in which it is worst."""
    found = []
    for axis in range(real.ndim):
        one = outlier(_peaks(real, axis))
        if one is not None:
            others = np.arange(real.shape[axis]) != one[0]
            alive = np.compress(others, real, axis) != 0
            lost = np.compress(others, kept, axis)[alive] == 0
            found.append((one[0], one[1], float(lost.mean())))
    return max(found, key=lambda each: each[1], default=None)


def _lost(real: Real, kept: Real, read: Real | None) -> tuple[int, float] | None:
    """As in `Weights`: the channel that matters most."""
    found: list[tuple[float, int, float]] = []
    for axis in range(real.ndim):
        if read is None or real.shape[axis] != len(read):
            continue
        before, after = (_peaks(array, axis) for array in (real, kept))
        matters = before * read
        lost = np.where(after == 0, matters, 0)
        channel = int(np.argmax(lost))
        if lost[channel] > _MATTERS * matters.max():
            found.append((lost[channel], channel, float(np.median(before[before > 0]) / before[channel])))
    return max(found)[1:] if found else None


def _peaks(values: Real, axis: int) -> Real:
    """The largest magnitude at each place of `axis`."""
    peaks: Real = np.abs(np.moveaxis(values, axis, 0)).reshape(values.shape[axis], -1).max(axis=1)
    return peaks


def _lost_bias(
    layer: Pair, scales: Array | None, reference: Network, file: Network
) -> tuple[int, float, float, float] | None:
    """As in `Weights`: the channel that loses most."""
    pair = _values(layer.bias, reference, file)
    quantization = file.quantized.get(layer.bias[1]) if layer.bias is not None else None
    if pair is None or quantization is None or scales is None:
        return None
    real, kept = (array.reshape(-1) for array in pair)
    if not {quantization.scale.size, scales.size} <= {1, real.size}:
        return None
    most = np.broadcast_to(quantization.scale * quantization.limits[1], real.shape)
    lost = np.where(np.abs(real) > most, np.abs(real - kept), 0)
    channel = int(np.argmax(lost))
    if lost[channel] <= _KEPT * np.abs(real[channel]):
        return None
    return channel, float(real[channel]), float(kept[channel]), float(np.broadcast_to(scales, real.shape)[channel])
