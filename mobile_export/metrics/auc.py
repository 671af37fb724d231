"""Area under the ROC curve."""

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array, Real, real_rows
from mobile_export.metrics.metric import STRICT, Statistics, class_problem, finite_samples


@dataclass(frozen=True, config=STRICT)
class Auc:
    """Chance that a positive sample is scored above a negative one; equal scores count half. NaN without both kinds.

    A model with one score is for classes 0 and 1. Of two, how far the score of class 1 lies above that of class 0
    counts, which ranks probabilities and logits alike. Of more, `positive` is the class held against all others.
    """

    positive: int | None = Field(None, ge=0)

    higher_is_better = True
    bounds = (0.0, 1.0)
    is_mean = False

    def problem(self, labels: Array, answers: Array) -> str | None:
        scores = answers[0].size
        if len(answers.shape) > 2 and max(answers.shape[1:]) < scores:
            return f"need an output of shape [samples, classes], and it is {list(answers.shape)}"
        if self.positive is None and scores > 2:
            return f"are of {scores} classes; say in positive which of them is held against all others"
        if self.positive is not None and self.positive >= max(2, scores):
            return f"cannot be held against class {self.positive}; the model has the classes 0 to {max(2, scores) - 1}"
        problem = class_problem(labels, max(2, scores))
        if problem is None and len(np.unique(labels == self._class)) == 1:
            return f"hold samples of class {self._class} only, or none of it; both kinds are needed"
        return problem

    @property
    def _class(self) -> int:
        return 1 if self.positive is None else self.positive

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """The score, and 1 for positive samples."""
        scores = real_rows(answers)
        positive = labels.reshape(-1) == self._class
        if scores.shape[1] <= 2:
            ones = scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores[:, 0]
            score = ones if self._class == 1 else -ones
        else:
            score = scores[:, self._class]
        as_wrong_as_can_be = np.where(positive, -np.inf, np.inf)
        return np.stack([np.where(finite_samples(answers), score, as_wrong_as_can_be), positive], axis=1)

    def score(self, statistics: Statistics, weights: Real) -> Real:
        order = np.argsort(statistics[:, 0])
        is_positive = statistics[order, 1] == 1
        positives, negatives = order[is_positive], order[~is_positive]
        below = np.zeros((len(weights), len(negatives) + 1))  # the weight of the first so many negative samples
        np.cumsum(np.take(weights, negatives, axis=1), axis=1, out=below[:, 1:])
        lower, not_higher = (
            np.searchsorted(statistics[negatives, 0], statistics[positives, 0], side=side) for side in ("left", "right")
        )
        beaten = (np.take(below, lower, axis=1) + np.take(below, not_higher, axis=1)) / 2
        positive_weights = np.take(weights, positives, axis=1)
        won, pairs = (positive_weights * beaten).sum(axis=1), positive_weights.sum(axis=1) * below[:, -1]
        area: Real = np.divide(won, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)
        return area

    def blind(self, labels: Array) -> float | None:
        """A half: a coin's."""
        return 0.5
