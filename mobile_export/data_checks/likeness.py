"""Calibration and evaluation data that are of one kind."""

from collections.abc import Iterator

import numpy as np

from mobile_export.data_checks.evidence import Evidence, Issue, ModelInput, is_image
from mobile_export.data_checks.readings import possible_readings
from mobile_export.graphs.tensors import Array, Real, real_rows

UNLIKE, FOREIGN = 0.7, 1.5
"""Distance of the two, in standard deviations, that is suspicious, and that no two sets for one input have."""
ALIKE = 0.3
"""Distance below which another reading explains the difference."""
_NOISE = 3.0
"""The two must be so many times as far from each other as the halves of each are."""
_ENOUGH = 16
_SURE = 5.0
"""Standard errors by which colours must differ to be in another order."""


def likeness(evidence: Evidence) -> Iterator[Issue]:
    """Values, and the order of colours, of each input in both sets."""
    first, second = evidence.calibration, evidence.evaluation
    if first is None or second is None or min(len(first.answers), len(second.answers)) < _ENOUGH:
        return
    for each in evidence.inputs:
        mine, other = first.samples[each.name], second.samples[each.name]
        if mine.dtype.kind in "fiu":
            yield from _unlike(each, mine, other)
            if is_image(mine) and is_image(other) and mine.shape[3] == other.shape[3] == 3:
                yield from _reversed(each, mine, other)


def _unlike(each: ModelInput, mine: Array, other: Array) -> Iterator[Issue]:
    distance = _distance(real_rows(mine), real_rows(other))
    within = max(_distance(real_rows(half[::2]), real_rows(half[1::2])) for half in (mine, other))
    if not distance > max(UNLIKE, _NOISE * within):
        return
    what = f"data.calibration: {each.name!r} is {_described(mine)}, and {_described(other)} in data.evaluation"
    for reading in possible_readings(mine):
        if _distance(real_rows(reading.apply(mine)), real_rows(other)) < ALIKE:
            yield Issue("error", f"{what}: after {reading.words} the two are alike; prepare both in the same way")
            return
    yield Issue(
        "error" if distance > FOREIGN else "warning",
        f"{what}; both must hold what the app will feed, prepared in the same way",
    )


def _distance(first: Real, second: Real) -> float:
    """Shift of the mean, in the wider set's standard deviations, and logarithm of the ratio of these."""
    spreads = float(first.std()), float(second.std())
    if not min(spreads):
        return 0.0  # what is constant is the concern of another check
    shift = (float(first.mean()) - float(second.mean())) / max(spreads)
    return float(np.hypot(shift, np.log(spreads[0] / spreads[1])))


def _described(array: Array) -> str:
    values = real_rows(array)
    return f"{values.min():.4g} to {values.max():.4g} (mean {values.mean():.3g}, deviation {values.std():.3g})"


def _reversed(each: ModelInput, mine: Array, other: Array) -> Iterator[Issue]:
    """Whether what is redder than blue in one set is as much bluer than red in the other."""
    first, second = (
        real_rows(images[..., 0]).mean(axis=1) - real_rows(images[..., 2]).mean(axis=1) for images in (mine, other)
    )
    error = float(np.hypot(first.std() / len(first) ** 0.5, second.std() / len(second) ** 0.5))
    apart, mirrored = abs(first.mean() - second.mean()), abs(first.mean() + second.mean())
    if apart > _SURE * error and mirrored < 2 * error:
        yield Issue(
            "warning",
            f"data.calibration: the first channel of {each.name!r} lies {first.mean():+.3g} from the last, and "
            f"{second.mean():+.3g} in data.evaluation, as if one were RGB and the other BGR; store both in one order",
        )
