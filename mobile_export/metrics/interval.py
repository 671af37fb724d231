"""How sure a score is: what it may be on all samples of which those at hand were drawn.

A score is computed again on many draws of the same samples, weighted at random. This is the Bayesian bootstrap, whose
weights are uniform among all that sum to one, where the plain one counts how often a sample is drawn; so no draw lacks
a class, and every score is defined. A reference and an artifact get the same weights: what counts is on how many
samples they differ, not how hard the samples are. An interval lies between percentiles of the draws.

A bootstrap is blind to what no sample shows: where 20 samples agree it finds a drop of 0 in every draw, though outside
one in ten may be wrong. Hence, of scores with bounds, each draw holds one imagined sample more, the worst that there
may be for the upper end of a drop and the best for the lower; it moves the score by as much as its weight.

- Of a mean (top-1, top-k, cosine, user code with bounds) that gives known bounds: for shares that of Clopper and
  Pearson, 3 / n with 0 of n; for other bounded means, drops among them, Gaffke's, which no distribution is known to
  break.
- Of other bounded scores (AUC, precision, recall, F1, mean IoU), a sample may count for more than one in n, so that it
  is about right.
- Scores without bounds (MAE, MSE, R², word and character errors) have no worst sample. For a drop, the caller says how
  much worse an unseen one may be (the check takes a blind guess for that); a score by itself is what the draws say,
  somewhat too narrow with few samples.

Percentiles are taken as they are. Bias-corrected ones (BCa) need the score without each sample in turn, for 50,000
samples more work than all draws, and fail where few samples differ, the case that matters here; corrections for bias
and skew that the draws themselves suggest moved the coverage of 95 % bounds by a point or two, up here and down there.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mobile_export.graphs.tensors import Real
from mobile_export.metrics.metric import Metric, Statistics, sign, spread

LEAST_DRAWS, MOST_DRAWS = 2_000, 20_000
_WORK = 1 << 22
"""Weights that are drawn in all, as far as the number of draws allows."""
_HELD = 1 << 20
"""Weights that are held at a time; fewer where a score has more parts than there are samples."""
MOST_SAMPLES = 10**9
"""Needing more is not being able to tell."""


@dataclass(frozen=True)
class Estimate:
    """A number that was measured on samples, and what it may be on all that they are drawn from.

    Attributes:
        lower, upper: draws of it in ascending order, for the lower and the upper ends of intervals.
    """

    value: float
    lower: Real
    upper: Real

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided: as likely to lie below the number as above it."""
        tail = (1 - confidence) / 2
        return _quantile(self.lower, tail), _quantile(self.upper, 1 - tail)

    def at_least(self, confidence: float) -> float:
        """One-sided lower bound."""
        return _quantile(self.lower, 1 - confidence)

    def at_most(self, confidence: float) -> float:
        """One-sided upper bound."""
        return _quantile(self.upper, confidence)

    def certainty(self, limit: float) -> float:
        """The highest confidence at which the number is at most `limit`; NaN where it is none."""
        if math.isnan(self.value) or math.isnan(limit):
            return math.nan
        return float(np.searchsorted(self.upper, limit, side="right") / len(self.upper))


def _quantile(ascending: Real, share: float) -> float:
    return float(ascending[max(math.ceil(share * len(ascending)) - 1, 0)])


def estimate_score(metric: Metric, statistics: Statistics) -> Estimate:
    """The score of one file."""
    low, high = metric.bounds
    return _estimate(metric, [statistics], lambda scores: scores[0], low, high)


def estimate_drop(
    metric: Metric, reference: Statistics, artifact: Statistics, times: float = 1.0, *, widest: float = math.inf
) -> Estimate:
    """How much worse the artifact scores than the reference on the same samples; below 0 where it scores better.

    Args:
        widest: what the drop of an unseen sample may be, of a score without bounds.
        times: as if there were that many times as many samples, which differ as these do.
    """
    direction, widest = sign(metric), min(spread(metric), widest)
    files = [reference, artifact]
    return _estimate(metric, files, lambda scores: direction * (scores[0] - scores[1]), -widest, widest, times)


def needed_samples(
    metric: Metric,
    reference: Statistics,
    artifact: Statistics,
    limit: float,
    confidence: float,
    *,
    widest: float = math.inf,
) -> int | None:
    """About how many samples show that the drop is below `limit`, if they differ as these do; None where none would.

    What the bound adds to the drop shrinks with the number of samples n as a / √n + b / n, b for what no sample shows.
    """
    count = len(reference)
    now = estimate_drop(metric, reference, artifact, widest=widest)
    gap, added = limit - now.value, now.at_most(confidence) - now.value
    if not gap > 1e-12 * max(1.0, abs(limit)):
        return None
    other = min(max(count * (added / gap) ** 2, 2.0 * count), MOST_SAMPLES)
    then = estimate_drop(metric, reference, artifact, other / count, widest=widest)
    roots = 1 / math.sqrt(count), 1 / math.sqrt(other)
    slopes = added / roots[0], (then.at_most(confidence) - then.value) / roots[1]
    b = max((slopes[0] - slopes[1]) / (roots[0] - roots[1]), 0.0)
    a = max(slopes[0] - b * roots[0], 0.0)
    needed = ((a + math.sqrt(a * a + 4 * b * gap)) / (2 * gap)) ** 2
    return max(math.ceil(needed), count + 1) if needed <= MOST_SAMPLES else None


def _estimate(
    metric: Metric,
    files: Sequence[Statistics],
    combine: Callable[[Sequence[Real]], Real],
    least: float,
    most: float,
    times: float = 1.0,
) -> Estimate:
    """The number that `combine` makes of the files' scores; `least` and `most` is what it may be."""
    rows, counts = _distinct(files)
    counts = counts * times
    value = float(combine([metric.score(row, counts[None]) for row in rows])[0])
    if not math.isfinite(value):
        return Estimate(value, np.array([value]), np.array([value]))
    rng = np.random.default_rng(0)
    draws = _draws(metric, rows, counts, combine, rng)
    if not math.isfinite(most - least):
        return Estimate(value, np.sort(draws), np.sort(draws))
    imagined = rng.beta(1.0, counts.sum(), len(draws))
    return Estimate(value, *(np.sort(draws + imagined * (end - draws)) for end in (least, most)))


def _distinct(files: Sequence[Statistics]) -> tuple[list[Statistics], Real]:
    """Samples that are the same in all files taken together, and how many each stands for.

    Weights of several samples, summed, are distributed like one weight of that size; so a million samples that are
    right or wrong are drawn as fast as four.
    """
    together = np.ascontiguousarray(np.hstack(files))
    whole = together.view(np.dtype((np.void, together.itemsize * together.shape[1]))).reshape(-1)
    _, first, counts = np.unique(whole, return_index=True, return_counts=True)
    return [file[first] for file in files], counts.astype(np.float64)


def _draws(
    metric: Metric,
    rows: Sequence[Statistics],
    counts: Real,
    combine: Callable[[Sequence[Real]], Real],
    rng: np.random.Generator,
) -> Real:
    """What `combine` makes of the files' scores in each draw."""
    number = min(max(_WORK // len(counts), LEAST_DRAWS), MOST_DRAWS)
    at_a_time = max(1, _HELD // max(len(counts), *(row.shape[1] for row in rows)))
    parts = []
    for start in range(0, number, at_a_time):
        weights = rng.standard_gamma(counts, (min(at_a_time, number - start), len(counts)))
        parts.append(combine([metric.score(row, weights) for row in rows]))
    return np.concatenate(parts)
