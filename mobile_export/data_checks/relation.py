"""Whether answers have to do with labels."""

from dataclasses import dataclass

import numpy as np

from mobile_export.graphs.tensors import Array
from mobile_export.metrics import Metric
from mobile_export.metrics.interval import estimate_drop
from mobile_export.metrics.metric import best, class_problem, score_of, sign

CERTAIN = 0.9995
"""Confidence with which a score must be better to be so beyond doubt, when several are tried."""
SHUFFLES = 20
"""Of labels: the spread of their scores is known to 16 %."""
RELATED = 3.0
"""Deviations of the score with shuffled labels by which the true one is better, if answers have to do with labels."""
_TELLING = 6.0
"""The same for a perfect model: where it would not be better by as much, there are too few samples to tell."""
_ENOUGH = 16


@dataclass(frozen=True)
class Relation:
    """A score beside the mean and the deviation of those with the same labels in another order.

    That is fairer than to ask whether a model beats the commonest class: sound ones that were trained for rare classes
    often do not.
    """

    metric: Metric
    score: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, metric: Metric, answers: Array, labels: Array) -> "Relation":
        """Of answers to samples with `labels`."""
        rng = np.random.default_rng(0)
        shuffled = [score_of(metric, metric.statistics(answers, rng.permutation(labels))) for _ in range(SHUFFLES)]
        score = score_of(metric, metric.statistics(answers, labels))
        return cls(metric, score, float(np.mean(shuffled)), float(np.std(shuffled)))

    @property
    def is_telling(self) -> bool:
        """Whether a perfect model would stand out."""
        return abs(best(self.metric) - self.mean) > _TELLING * self.deviation

    @property
    def better(self) -> float:
        """How much better the score is than with shuffled labels."""
        return (self.score - self.mean) * sign(self.metric)

    @property
    def is_there(self) -> bool:
        """Whether the score is better than chance makes it."""
        return self.better > RELATED * self.deviation

    @property
    def share(self) -> float:
        """How far the score is on the way from chance to the best one."""
        return self.better / abs(best(self.metric) - self.mean)


def label_shift(metric: Metric, answers: Array, labels: Array) -> int | None:
    """What to add to class numbers that count from another number than the model does; None where they do not."""
    if answers.ndim != 2 or class_problem(labels, answers.shape[1]) is not None:
        return None
    given = labels.astype(np.int64)
    for shift in (-1, 1):
        moved = given + shift
        within = ((moved >= 0) & (moved < answers.shape[1])).reshape(-1)
        if within.sum() < _ENOUGH or not Relation.of(metric, answers[within], moved[within]).is_there:
            continue
        as_given, as_moved = (metric.statistics(answers[within], each[within]) for each in (given, moved))
        if estimate_drop(metric, as_given, as_moved).certainty(0.0) >= CERTAIN:
            return shift
    return None
