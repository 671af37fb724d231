"""The same answers on a device as here, of the same file.

A device runs a part of the samples. So that what it answers is held against the limits of the artifact, every number
that was measured here on all samples is moved by as much as it differs between there and here on that part: equal
answers give the very same numbers, whatever was drawn. Where neither side has a number on that part, there is none.

Limits of bytes are not judged again, the file is the same; nor is `latency_ratio`, since an emulator's time says
nothing; nor `confidence`, which so few samples cannot give.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mobile_export.checks.evidence import NAN, Measurement, decimal, measured
from mobile_export.graphs.tensors import Array, Real
from mobile_export.samples import Samples
from mobile_export.target import Limits

DEFAULTS: dict[str, float] = {
    "float32": 1e-4,
    "float16": 1e-4,
    "dynamic": 1e-2,
    "int8": 1e-2,
    "int16x8": 1e-3,
    "weight_int8": 1e-4,
    "weight_int4": 1e-4,
}
"""Most that a file of each precision may differ when the target does not say otherwise.

Measured in two runtimes, on eleven networks and three cores: float differs by rounding, by 2e-6 at most. Where it is
rounded to integers, that moves one of them by a step now and then: up to 3e-3. What computes in integers is the same
bits, but for a few operators that round otherwise on ARM: an int8 softmax in LiteRT is another table there, up to a
step, 8e-3; a dense layer of int16 differs by steps of 3e-5. A kernel that is wrong differs by 5e-2 and more.
"""

LIMIT = "device_difference"
"""The one limit that is measured on devices alone."""

SMALL_CHANNEL = 0.05
"""The part of an output's largest magnitude by which a channel of smaller values is measured."""
_LOOKED_AT = 1 << 16
"""Values that are looked at, evenly chosen, to know whether they were rounded to 8 bits."""


def device(precisions: Collection[str], here: Samples, there: Samples, limits: Limits) -> list[Measurement]:
    """The largest difference between a device's answers and this computer's; the worst output and channel count.

    Args:
        precisions: of the file's layers; that of which most is allowed decides.
        here, there: real outputs by public name, shape [samples, ...].
    """
    found = {name: difference(answer, there.get(name)) for name, answer in here.items()}
    worst = max(found, key=lambda name: math.inf if math.isnan(found[name][0]) else found[name][0])
    value, wrong = found[worst]
    note = f"output {worst!r} {wrong}" if wrong else f"output {worst!r}" if value and len(found) > 1 else ""
    return [measured(LIMIT, value, limits, max(DEFAULTS[each] for each in precisions), note)]


def difference(here: Array, there: Array | None) -> tuple[float, str]:
    """How far one output is from what it is here, and what is wrong with it where it cannot be told.

    Real values: largest |there - here| over the largest magnitude here, see `magnitudes`. Whole numbers, such as of a
    class, a count, a truth: the share that is another, since how far apart the numbers of two classes are says nothing.
    """
    if there is None:
        return NAN, "is missing there"
    if there.shape != here.shape:
        return NAN, f"has shape {list(there.shape)} there and {list(here.shape)} here"
    if here.dtype != there.dtype:
        return NAN, f"is {there.dtype} there and {here.dtype} here"
    if here.dtype.kind not in "fcV":
        return (float((there != here).mean()) if here.size else 0.0), ""
    wide = np.complex128 if here.dtype.kind == "c" else np.float64
    expected, found = here.astype(wide), there.astype(wide)
    finite = np.isfinite(expected) & np.isfinite(found)
    if not np.array_equal(expected[~finite], found[~finite], equal_nan=True):
        return NAN, "is not finite, there or here alone"
    apart = np.zeros(expected.shape)
    apart[finite] = np.abs(found[finite] - expected[finite])
    return float((apart / magnitudes(expected)).max(initial=0.0)), ""


def magnitudes(values: Array) -> Real:
    """What differences of an output are to be divided by: its largest magnitude, of each channel where it has some.

    Coordinates up to 640 hide any score beside them. So where an answer has two dimensions or more, each channel, which
    is the last, is measured by its own; but by no less than a part of the largest, or rounding would be a difference.
    Channels that were rounded to the same 8 bits have one measure, since they have one step.

    Args:
        values: real or complex, shape [samples, ...].

    Returns:
        Above 0, of a shape that broadcasts to that of `values`.
    """
    sizes = np.abs(values)
    sizes[~np.isfinite(sizes)] = 0
    largest = max(float(sizes.max(initial=0.0)), float(np.finfo(np.float32).tiny))
    if sizes.ndim < 3 or _is_of_8_bits(sizes, largest):
        return np.array(largest)
    channels: Real = sizes.max(axis=tuple(range(sizes.ndim - 1)), initial=SMALL_CHANNEL * largest)
    return channels


def _is_of_8_bits(sizes: Real, largest: float) -> bool:
    """Whether all values are multiples of a step, of which the largest is 255 at most."""
    some = sizes.reshape(-1)[:: max(1, sizes.size // _LOOKED_AT)]
    return bool(np.diff(np.unique(some)).min(initial=largest) >= largest / 256)


def moved(
    measurements: Sequence[Measurement], here: Mapping[str, float], there: Mapping[str, float]
) -> list[Measurement]:
    """What was measured here on all samples, as it would be there; without what `here` does not have.

    Args:
        here, there: the same numbers, by name, of the samples that the device ran.
    """
    return [_moved(one, here[one.name], there.get(one.name, NAN)) for one in measurements if one.name in here]


def _moved(found: Measurement, before: float, after: float) -> Measurement:
    if after == before:
        return replace(found, note="", interval=None)
    if math.isnan(after) and math.isnan(before):  # such as of one sample, which has no noise, or of one class
        return replace(found, value=NAN, limit=None, note="the samples that were run do not tell", interval=None)
    change = after - before
    value = found.value + change
    if math.isinf(change):  # such as of a signal that is without noise on one side
        value = (min if found.at_least else max)(found.value, after)
    note = f"{after:.4g} there, {before:.4g} here, of what was run there"
    return replace(found, value=decimal(value), note=note, interval=None)
