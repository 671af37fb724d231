"""The candidates that no other beats: smaller, faster and as good at once.

A candidate beats another if it is at least as good in download size, latency and quality, and better in one of them.
What lies within noise is a tie:

- sizes have no noise;
- medians of latency, in one thread, tie within `LATENCY_NOISE` of each other;
- scores tie where both drops below the reference differ by less than their intervals allow: the root of the sum of the
  squares of both half widths;
- without evaluation data, quality is the SQNR of the answers, which ties within `SQNR_NOISE`; above `SQNR_ENOUGH` all
  are the same.

What was not measured of one of two files ties. Only files that passed, and whose answers could be checked, take part.
"""

import math
from collections.abc import Callable, Sequence

from mobile_export.compare.result import Candidate
from mobile_export.published.manifest import CheckEntry

LATENCY_NOISE = 0.05
"""As a fraction of the slower median."""
SQNR_NOISE = 1.0
"""dB."""
SQNR_ENOUGH = 60.0
"""dB: what a float32 file has to reach; what differs above that is rounding."""


def mark_pareto(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The same candidates, those that no other beats marked."""
    rivals = [candidate for candidate in candidates if takes_part(candidate)]
    best = {one.name for one in rivals if not any(beats(other, one) for other in rivals)}
    return tuple(candidate.model_copy(update={"pareto": candidate.name in best}) for candidate in candidates)


def takes_part(candidate: Candidate) -> bool:
    """Whether it may be chosen at all."""
    return candidate.passed and candidate.entry is not None and not candidate.entry.unchecked


def beats(one: Candidate, other: Candidate) -> bool:
    """Whether `one` is at least as good in everything, and better in something."""
    compared = [axis(one, other) for axis in AXES.values()]
    return min(compared) >= 0 and max(compared) > 0


def by_size(one: Candidate, other: Candidate) -> int:
    """1 where `one` takes fewer bytes in the store's download, -1 where the other does."""
    if one.entry is None or other.entry is None:
        return 0
    return _sign(other.entry.zipped_bytes - one.entry.zipped_bytes)


def by_latency(one: Candidate, other: Candidate) -> int:
    """1 where `one` answers faster in one thread, beyond noise."""
    mine, others = latency(one), latency(other)
    if mine is None or others is None or abs(mine - others) <= LATENCY_NOISE * max(mine, others):
        return 0
    return _sign(others - mine)


def by_quality(one: Candidate, other: Candidate) -> int:
    """1 where the answers of `one` are better, beyond noise."""
    drops = [candidate.check("accuracy_drop") for candidate in (one, other)]
    if None not in drops:
        return _by_drop(*(drop for drop in drops if drop is not None))
    mine, others = (_sqnr(candidate) for candidate in (one, other))
    if math.isnan(mine) or math.isnan(others) or abs(mine - others) <= SQNR_NOISE:
        return 0
    return _sign(mine - others)


AXES: dict[str, Callable[[Candidate, Candidate], int]] = {
    "size": by_size,
    "latency": by_latency,
    "accuracy": by_quality,
}
"""What candidates are compared by, and what `--pick` may ask for."""


def latency(candidate: Candidate) -> float | None:
    """Median seconds of an answer in one thread; None where it was not timed."""
    return next((timing.median for timing in candidate.timings if timing.threads == 1), None)


def quality(candidate: Candidate) -> float:
    """More is better: minus the drop of the score, or else the SQNR; minus infinity where neither is known."""
    drop = candidate.check("accuracy_drop")
    found = _sqnr(candidate) if drop is None else -drop.value
    return -math.inf if math.isnan(found) else found


def _by_drop(mine: CheckEntry, others: CheckEntry) -> int:
    difference = others.value - mine.value
    noise = math.hypot(_half_width(mine), _half_width(others))
    return 0 if math.isnan(difference) or abs(difference) <= noise else _sign(difference)


def _half_width(check: CheckEntry) -> float:
    low, high = check.interval or (check.value, check.value)
    width = (high - low) / 2
    return math.inf if math.isnan(width) else width


def _sqnr(candidate: Candidate) -> float:
    check = candidate.check("sqnr")
    return math.nan if check is None else min(check.value, SQNR_ENOUGH)


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)
