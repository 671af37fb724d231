"""What a metric is, and what metrics share."""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from mobile_export.graphs.tensors import Array, Real, real_rows

Statistics = Real
"""What a metric keeps of each sample, shape [samples, numbers]: enough to score any subset of them."""

STRICT = ConfigDict(strict=True, extra="forbid")
"""Of every metric's parameters: a number in quotes is no number."""


class Metric(Protocol):
    """A score over a set of samples, of which each may count more or less."""

    @property
    def higher_is_better(self) -> bool: ...

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and most that a score may be; infinite where nothing bounds it."""
        ...

    @property
    def is_mean(self) -> bool:
        """Whether the score is the mean of `statistics`, which then are one number a sample, within `bounds`."""
        ...

    def problem(self, labels: Array, answers: Array) -> str | None:
        """What is wrong with `labels` for answers of this shape, as the end of a sentence; None when nothing is.

        Args:
            labels: of all samples.
            answers: to some of them.
        """
        ...

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """What is kept of each sample of a batch; answers that are not finite count as wrong."""
        ...

    def score(self, statistics: Statistics, weights: Real) -> Real:
        """The score of each draw, shape [draws]; `weights`, [draws, samples], says how often it holds each sample.

        Weights need not be whole, nor sum to the number of samples.
        """
        ...

    def blind(self, labels: Array) -> float | None:
        """What someone would score who knows how often each label occurs, and nothing of the sample; None: no telling.

        A reference that scores no better than that was given the wrong labels, or samples it was not trained for.

        Args:
            labels: of all samples; `problem` found none in them.
        """
        ...


class Mean:
    """Base of metrics that score each sample by itself; the score of a set is the mean."""

    is_mean = True

    def score(self, statistics: Statistics, weights: Real) -> Real:
        """The weighted mean."""
        means: Real = weights @ statistics[:, 0] / weights.sum(axis=1)
        return means


def score_of(metric: Metric, statistics: Statistics) -> float:
    """The score of samples that count the same."""
    return float(metric.score(statistics, np.ones((1, len(statistics))))[0])


def sign(metric: Metric) -> int:
    """1 where higher scores are better, -1 where lower ones are."""
    return 1 if metric.higher_is_better else -1


def worst(metric: Metric) -> float:
    """The worst score that there is; may be infinite."""
    low, high = metric.bounds
    return low if metric.higher_is_better else high


def best(metric: Metric) -> float:
    """The best score that there is; may be infinite."""
    low, high = metric.bounds
    return high if metric.higher_is_better else low


def spread(metric: Metric) -> float:
    """How far two scores may be apart; may be infinite."""
    return metric.bounds[1] - metric.bounds[0]


def finite_samples(answers: Array) -> NDArray[np.bool_]:
    """Which samples' answers are finite in all their values, shape [samples]."""
    return np.asarray(np.isfinite(answers.reshape(len(answers), -1)).all(axis=1))


def column(scores: Array) -> Statistics:
    """Statistics of one number a sample."""
    return np.asarray(scores, np.float64).reshape(-1, 1)


def group_sums(weights: Real, groups: NDArray[np.int64], count: int) -> Real:
    """Sums of `weights`, [draws, samples], over the samples of each group 0 to `count` - 1; shape [draws, count]."""
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    sums = np.zeros((len(weights), count))
    sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums


def ratio(part: Real, whole: Real) -> Real:
    """`part / whole`; 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def class_problem(labels: Array, classes: int) -> str | None:
    """Class numbers are integers of shape [samples] or [samples, 1], below the number of classes."""
    if labels.dtype.kind not in "iu":
        return f"are {labels.dtype}; class numbers are integers"
    if labels.size != len(labels):
        return f"have shape {list(labels.shape)}; one class number a sample is expected"
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        return f"lie between {low} and {high}; the model has the classes 0 to {classes - 1}"
    return None


def value_problem(labels: Array, answers: Array) -> str | None:
    """True values are finite numbers, as many a sample as the model gives."""
    if answers.dtype.kind == "c":
        return f"need an output of real numbers, and it is {answers.dtype}"
    if labels.dtype.kind not in "iuf":
        return f"are {labels.dtype}; numbers are expected"
    if [size for size in labels.shape[1:] if size != 1] != [size for size in answers.shape[1:] if size != 1]:
        return f"have shape {list(labels.shape)}; the model's answers have {list(answers.shape)}"
    if not math.isfinite(float(labels.max())) or not math.isfinite(float(labels.min())):  # NaN is both
        return "are not all finite"
    return None


_SOME = 1 << 22
"""Values that are looked at to know how labels spread, at most, unless one sample has more."""


def some_rows(labels: Array) -> Real:
    """`real_rows` of as many labels, evenly chosen, as fit into memory easily."""
    return real_rows(labels[:: -(-labels.size // _SOME)])
