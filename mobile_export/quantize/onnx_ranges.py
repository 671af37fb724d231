"""What values the tensors of a model reach: measured once, on calibration samples, for every way to choose a range.

A histogram's bins lie on a grid whose step is a power of two, and grows by doubling when a value falls outside. So the
counts are exact, and do not depend on the order of the samples or on the batches in which they came.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_export.errors import ConversionError
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.scheme import TAIL

Range = tuple[float, float]

BINS = 2048
"""On either side of zero. At least half of them lie below the largest magnitude."""

COUNTED = 4096
"""Most values of one sample of one tensor that a histogram counts, evenly spread; the extremes are those of all."""

MERGED = 8
"""Bins that `entropy` takes for one, about as wide as a level. Narrower ones would tell spikes apart that may well
share a level, such as those of an even background, and so ask for far too small a range."""

_CLIPS = np.linspace(1, 0.25, 61)
_LEVELS = 255
_SMALLEST = -100
"""The least exponent of a histogram's radius: what is smaller counts as zero."""


@dataclass
class Histogram:
    """The values of one tensor.

    Attributes:
        low, high: the extremes.
        exponent: bins reach from -2^exponent to 2^exponent.
        counts: how many values fell into each of the 2·BINS bins.
    """

    low: float
    high: float
    exponent: int
    counts: NDArray[np.int64]

    @classmethod
    def empty(cls) -> "Histogram":
        return cls(float("inf"), float("-inf"), _SMALLEST, np.zeros(2 * BINS, np.int64))

    def add(self, values: Array) -> None:
        """Count float32 values of shape [samples, ...]."""
        if not values.size:
            return
        self.low = float(np.minimum(self.low, values.min()))  # of NumPy, since Python's forgets NaN
        self.high = float(np.maximum(self.high, values.max()))
        if not np.isfinite([self.low, self.high]).all():
            return
        self._reach(max(-self.low, self.high))
        rows = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
        stride = -(-rows.shape[1] // COUNTED) | 1  # odd: no multiple of a row's or channel's usual length
        places = np.floor(rows[:, ::stride] * np.float32(2.0**-self.exponent * BINS)).astype(np.int32) + BINS
        self.counts += np.bincount(np.minimum(places, 2 * BINS - 1).reshape(-1), minlength=2 * BINS)

    def _reach(self, magnitude: float) -> None:
        wanted = max(int(np.frexp(magnitude)[1]), _SMALLEST)
        while self.exponent < wanted and self.counts.any():
            halved = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.pad(halved, BINS // 2)
            self.exponent += 1
        self.exponent = max(self.exponent, wanted)

    @property
    def edges(self) -> NDArray[np.float64]:
        """Where the bins begin and the last one ends."""
        return np.arange(-BINS, BINS + 1) * 2.0**self.exponent / BINS


def minmax(histogram: Histogram) -> Range:
    """Everything that was seen: nothing of that saturates."""
    return histogram.low, histogram.high


def percentile(histogram: Histogram) -> Range:
    """All but the rarest values, `TAIL` of them at either end."""
    share = np.cumsum(histogram.counts) / max(int(histogram.counts.sum()), 1)
    first, last = int(np.searchsorted(share, TAIL, side="right")), int(np.searchsorted(share, 1 - TAIL))
    low, high = histogram.edges[[first, min(last + 1, 2 * BINS)]]
    return max(histogram.low, float(low)), min(histogram.high, float(high))


def entropy(histogram: Histogram) -> Range:
    """The range, both ends cut by the same share, in which 255 levels tell most of what the histogram does.

    Least Kullback-Leibler divergence of the quantized from the clipped distribution. Zeros are left out: they are
    exact in any range.
    """
    edges = histogram.edges[::MERGED]
    counts = histogram.counts.reshape(-1, MERGED).sum(axis=1).astype(np.float64)
    zero = len(counts) // 2
    counts[zero if histogram.low >= 0 else slice(zero - 1, zero + 1)] = 0
    centres = (edges[1:] + edges[:-1]) / 2
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    if not counts.any():
        return minmax(histogram)
    best = min(_CLIPS, key=lambda clip: _divergence(counts, centres, clip * low, clip * high))
    return max(histogram.low, float(best * low)), min(histogram.high, float(best * high))


def _divergence(counts: NDArray[np.float64], centres: NDArray[np.float64], low: float, high: float) -> float:
    inside = (centres >= low) & (centres <= high)
    kept = counts[inside]
    if not kept.sum():
        return float("inf")
    clipped = kept.copy()
    clipped[0] += counts[centres < low].sum()
    clipped[-1] += counts[centres > high].sum()
    levels = np.rint((centres[inside] - low) * (_LEVELS / (high - low))).astype(np.int64)
    filled = (clipped > 0).astype(np.float64)
    mass, bins = np.bincount(levels, kept), np.bincount(levels, filled)
    quantized = np.where(filled > 0, (mass / np.maximum(bins, 1))[levels], 0)
    seen = filled > 0
    p, q = clipped[seen] / clipped.sum(), np.maximum(quantized[seen] / max(quantized.sum(), 1), 1e-12)
    return float((p * np.log(p / q)).sum())


METHODS = {"minmax": minmax, "percentile": percentile, "entropy": entropy}
"""What `Scheme.ranges` may say, the default first."""


def measure(batches: Iterable[Mapping[str, Array]]) -> dict[str, Histogram]:
    """Histograms of every float32 tensor in the batches, each of which has all tensors by name.

    Raises:
        ConversionError: a tensor reaches infinity or NaN.
    """
    found: dict[str, Histogram] = {}
    for batch in batches:
        for name, values in batch.items():
            if values.dtype == np.float32:
                found.setdefault(name, Histogram.empty()).add(values)
    seen = {name: h for name, h in found.items() if (h.low, h.high) != (np.inf, -np.inf)}
    endless = sorted(name for name, h in seen.items() if not np.isfinite([h.low, h.high]).all())
    if endless:
        raise ConversionError(
            f"the tensor {endless[0]!r} reaches infinity or NaN on the calibration samples, so it has no int8 scale"
        )
    return seen


def save_histograms(path: Path, histograms: Mapping[str, Histogram]) -> None:
    """Write them to an `.npz`."""
    np.savez(
        path,
        names=np.array(list(histograms), np.str_),
        extremes=np.array([(h.low, h.high) for h in histograms.values()], np.float64).reshape(-1, 2),
        exponents=np.array([h.exponent for h in histograms.values()], np.int64),
        counts=np.array([h.counts for h in histograms.values()], np.int64).reshape(-1, 2 * BINS),
    )


def load_histograms(path: Path) -> dict[str, Histogram]:
    """Read what `save_histograms` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        rows = zip(stored["names"], stored["extremes"], stored["exponents"], stored["counts"], strict=True)
        return {str(n): Histogram(float(low), float(high), int(e), counts) for n, (low, high), e, counts in rows}
