"""The candidates that no other beats: smaller, faster and as good at once.

A candidate beats another if it is at least as good in what was measured of download size, latency and quality, and
better beyond noise in one of them. As the measured values alone say what is at least as good, a file that was beaten is
beaten by one of the marked ones, too, and the best measured value of each is among these. Noise is:

- of sizes, none;
- of medians of latency, in one thread: whatever their intervals that overlap allow, `LATENCY_NOISE` at least;
- of scores, the root of the sum of the squares of the halves of both drops' intervals that face each other. This is
  conservative: both are intervals against the reference, on the same samples, so that the two files' difference is
  known better than that;
- without evaluation data, quality is the SQNR of the answers, with `SQNR_NOISE`; above `SQNR_ENOUGH` all are the same.

What was not measured of one of two files ties. Only files that passed, and whose answers could be checked, take part.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mobile_export.compare.result import Candidate

MEANING = "no other file that passed measures as small, as fast and as good, and is better beyond noise in one of these"
"""What the mark says, in every rendering."""
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
    """Whether `one` measures at least as good in everything, and better beyond noise in something."""
    ahead = {axis: axis.value(other) - axis.value(one) for axis in AXES.values()}
    known = {axis: lead for axis, lead in ahead.items() if not math.isnan(lead)}
    return all(lead >= 0 for lead in known.values()) and any(
        lead > axis.noise(one, other) for axis, lead in known.items()
    )


@dataclass(frozen=True)
class Axis:
    """What candidates are compared by.

    Attributes:
        value: less is better; NaN where it was not measured.
        noise: of a better candidate and a worse one, both measured: the difference that is none yet.
    """

    value: Callable[[Candidate], float]
    noise: Callable[[Candidate, Candidate], float]


def latency(candidate: Candidate) -> float | None:
    """Median seconds of an answer in one thread; None where it was not timed."""
    timing = candidate.timing()
    return None if timing is None else timing.median


def quality(candidate: Candidate) -> float:
    """More is better: minus the drop of the score, or else the SQNR; minus infinity where neither is known."""
    loss = _loss(candidate)
    return -math.inf if math.isnan(loss) else -loss


def _size(candidate: Candidate) -> float:
    return math.nan if candidate.entry is None else candidate.entry.zipped_bytes


def _seconds(candidate: Candidate) -> float:
    seconds = latency(candidate)
    return math.nan if seconds is None else seconds


def _latency_noise(better: Candidate, worse: Candidate) -> float:
    fast, slow = better.timing(), worse.timing()
    if fast is None or slow is None or fast.interval[1] >= slow.interval[0]:
        return math.inf
    return LATENCY_NOISE * slow.median


def _loss(candidate: Candidate) -> float:
    """The drop of the score, or else minus the SQNR."""
    drop, sqnr = candidate.check("accuracy_drop"), candidate.check("sqnr")
    if drop is not None:
        return drop.value
    return math.nan if sqnr is None else -min(sqnr.value, SQNR_ENOUGH)


def _loss_noise(better: Candidate, worse: Candidate) -> float:
    low, high = better.check("accuracy_drop"), worse.check("accuracy_drop")
    if low is None or high is None:
        return SQNR_NOISE
    upper = 0.0 if low.interval is None else low.interval[1] - low.value
    lower = 0.0 if high.interval is None else high.value - high.interval[0]
    noise = math.hypot(upper, lower)
    return math.inf if math.isnan(noise) else noise


AXES = {
    "size": Axis(_size, lambda *_: 0.0),
    "latency": Axis(_seconds, _latency_noise),
    "accuracy": Axis(_loss, _loss_noise),
}
"""What `--pick` may ask for."""
