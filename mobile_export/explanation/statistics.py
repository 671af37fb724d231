"""What is measured of a layer, sample by sample: sums and extremes, so that no more than one sample is held."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mobile_export.graphs.tensors import Array
from mobile_export.watching.network import Quantization

Real = NDArray[np.float64]

OUTLIER = 16.0
"""How many times the median of the channels a channel reaches that takes the range from the others."""

FEW_SAMPLES = 4
"""Samples that tell how far values move between samples."""
ROUNDING = 1e-6
"""Of a value's magnitude: what float32 arithmetic in another order may move it."""


@dataclass
class Channels:
    """Of each channel: energy and extremes of the reference's values, and of what the file makes of exact inputs."""

    signal: Real
    noise: Real
    low: Real
    high: Real
    file_low: Real
    file_high: Real

    @classmethod
    def of(cls, count: int) -> "Channels":
        """Nothing seen yet."""
        least, most = np.full(count, np.inf), np.full(count, -np.inf)
        return cls(np.zeros(count), np.zeros(count), least, most, least.copy(), most.copy())

    @property
    def peaks(self) -> Real:
        """Largest magnitudes of the reference's values."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Which channels have more than one value in the reference."""
        alive: NDArray[np.bool_] = self.high > self.low
        return alive

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Which of them have one value only in the file."""
        dead: NDArray[np.bool_] = self.alive & (self.file_high == self.file_low)
        return dead


@dataclass
class Tally:
    """One layer over the samples so far; reference, file and own values come as float arrays of one shape.

    Attributes:
        storage: in what integers the file keeps the values; None where it keeps them in float.
        count: values seen.
        signal, energy: sum of squares of the reference's values, and of the file's.
        spread: sum of squares of how far the reference's values lie from their means over samples.
        noise, own_noise: sum of squares of the file's error, and of what its operator makes of exact inputs.
        product: sum of the products of the reference's and the file's values.
        low, high: extremes of the reference.
        saturated: values of the reference that lie beyond the range that the file can hold.
        clipped: sum of squares of how far they do.
        peaks: largest magnitude of the reference in each sample.
        each, own_each: signal to noise of each sample, in dB, of the file's values and of what its operator makes.
    """

    storage: Quantization | None
    count: int = 0
    signal: float = 0.0
    energy: float = 0.0
    spread: float = 0.0
    noise: float = 0.0
    own_noise: float = 0.0
    product: float = 0.0
    low: float = np.inf
    high: float = -np.inf
    saturated: int = 0
    clipped: float = 0.0
    peaks: list[float] = field(default_factory=list)
    each: list[float] = field(default_factory=list)
    own_each: list[float] = field(default_factory=list)
    channels: Channels | None = None
    mean: Real | None = None

    def add(self, reference: Array, file: Array, own: Array, channel_axis: int) -> None:
        """Count one sample."""
        expected, found, made = (np.asarray(array, np.float64) for array in (reference, file, own))
        if not expected.size:
            return
        with np.errstate(over="ignore", invalid="ignore"):  # a file may reach infinity
            self._add(expected, found, made, channel_axis)

    def _add(self, expected: Real, found: Real, made: Real, channel_axis: int) -> None:
        self.count += expected.size
        signal, noise, own_noise = _squares(expected), _squares(found - expected), _squares(made - expected)
        self.signal += signal
        self.energy += _squares(found)
        self.noise += noise
        self.own_noise += own_noise
        self.each.append(decibels(signal, noise))
        self.own_each.append(decibels(signal, own_noise))
        self._add_spread(expected)
        self.product += float(np.vdot(expected, found))
        self.low, self.high = min(self.low, float(expected.min())), max(self.high, float(expected.max()))
        self.peaks.append(float(np.abs(expected).max()))
        if self.storage is not None:
            self._add_saturation(expected, self.storage)
        if expected.ndim:
            self._add_channels(expected, made, channel_axis)

    def _add_spread(self, expected: Real) -> None:
        """The mean of each value and the squares around it, brought up to date as Welford does."""
        if self.mean is None:
            self.mean = np.zeros_like(expected)
        if self.mean.shape == expected.shape:
            before = expected - self.mean
            self.mean = self.mean + before / len(self.each)
            self.spread += float(np.vdot(before, expected - self.mean))

    def _add_saturation(self, expected: Real, storage: Quantization) -> None:
        low, high = storage.range
        beyond = np.maximum(low - expected, expected - high)
        outside = beyond > storage.step / 2  # what is nearer is rounded and not cut
        self.saturated += int(outside.sum())
        self.clipped += _squares(beyond[outside])

    def _add_channels(self, expected: Real, made: Real, axis: int) -> None:
        if self.channels is None:
            self.channels = Channels.of(expected.shape[axis])
        seen = self.channels
        if len(seen.low) != expected.shape[axis]:
            return
        real, own = (np.moveaxis(array, axis, 0).reshape(len(seen.low), -1) for array in (expected, made))
        seen.signal = seen.signal + np.square(real).sum(axis=1)
        seen.noise = seen.noise + np.square(own - real).sum(axis=1)
        seen.low, seen.high = np.minimum(seen.low, real.min(axis=1)), np.maximum(seen.high, real.max(axis=1))
        seen.file_low = np.minimum(seen.file_low, own.min(axis=1))
        seen.file_high = np.maximum(seen.file_high, own.max(axis=1))

    @property
    def moving(self) -> float:
        """Sum of squares of what is signal: how far values lie from their means over samples, as the gate has it.

        Of values that are the same for every sample, or of few samples, it is how far they lie from 0.
        """
        moves = len(self.each) >= FEW_SAMPLES and self.spread > (ROUNDING**2) * self.signal
        return self.spread if moves else self.signal

    @property
    def sqnr(self) -> float:
        """Signal to noise of the file's values, in dB.

        That of all samples together, or that of the median sample's values beside 0, whichever is worse: the first
        sees what is lost in a few samples, the second what is lost in most, beside one whose values are large.
        """
        return min(decibels(self.moving, self.noise), _median(self.each))

    @property
    def own_sqnr(self) -> float:
        """The same of what the operator makes of exact inputs."""
        return min(decibels(self.moving, self.own_noise), _median(self.own_each))

    @property
    def quiet_sqnr(self) -> float:
        """Own signal to noise of the median channel, where one channel drowns the others; infinite where none does."""
        if self.channels is None or outlier(self.channels.peaks) is None:
            return float("inf")
        pairs = zip(self.channels.signal, self.channels.noise, strict=True)
        return _median([decibels(signal, noise) for signal, noise in pairs if signal > 0])

    @property
    def cosine(self) -> float:
        """Of the angle between the reference's values and the file's; 1 where both are 0 throughout."""
        size = np.sqrt(self.signal) * np.sqrt(self.energy)
        if not np.isfinite(self.product):
            return 0.0
        if size:
            return float(np.clip(self.product / size, -1, 1))
        return float(self.signal == self.energy)

    @property
    def range_used(self) -> float | None:
        """The share of the range of integers that the reference's values reach; None in float."""
        if self.storage is None or not self.count:
            return None
        low, high = self.storage.range
        return max(0.0, min(self.high, high) - max(self.low, low)) / (high - low) if high > low else 0.0

    @property
    def saturation(self) -> float | None:
        """The share of the reference's values that lie beyond the range of integers; None in float."""
        return None if self.storage is None or not self.count else self.saturated / self.count


def decibels(signal: float, noise: float) -> float:
    """Signal to noise; infinite where there is no noise, minus infinity where it is NaN, or all there is."""
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal > 0 and np.isfinite(noise) else float("-inf")


def outlier(peaks: Real) -> tuple[int, float, float] | None:
    """The channel that reaches `OUTLIER` times the median of those that are not 0; how many times, and that median."""
    alive = peaks[peaks > 0]
    if alive.size < 3:
        return None
    typical = float(np.median(alive))
    channel = int(np.argmax(peaks))
    times = float(peaks[channel]) / typical
    return (channel, times, typical) if times >= OUTLIER else None


def _median(values: list[float]) -> float:
    """The lower one of two in the middle: infinity has no mean."""
    return sorted(values)[(len(values) - 1) // 2] if values else float("inf")


def _squares(values: Real) -> float:
    return float(np.square(values).sum())
