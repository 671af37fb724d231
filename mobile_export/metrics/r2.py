"""Coefficient of determination."""

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.metrics.metric import STRICT, Real, Statistics, finite_samples, flat, value_problem
from mobile_export.tensors import Array

MOST_VALUES = 1000
"""Values a sample: two numbers are kept of each, for every sample."""


@dataclass(frozen=True, config=STRICT)
class R2:
    """Share of the labels' variance that the answers explain; of several values a sample, the mean of their shares."""

    higher_is_better = True
    bounds = (-np.inf, 1.0)
    is_mean = False

    def problem(self, labels: Array, answers: Array) -> str | None:
        problem = value_problem(labels, answers)
        if problem is not None:
            return problem
        if labels[0].size > MOST_VALUES:
            return f"have {labels[0].size} values a sample; R² is for up to {MOST_VALUES}, so choose mse"
        if not np.ptp(flat(labels), axis=0).all():
            return "hold a value that is the same in all samples, of which nothing can be explained"
        return None

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """Squared errors, infinite where an answer is not finite; then the labels."""
        with np.errstate(invalid="ignore"):
            errors = np.square(flat(answers) - flat(labels))
        return np.hstack([np.where(finite_samples(answers)[:, None], errors, np.inf), flat(labels)])

    def score(self, statistics: Statistics, weights: Real) -> Real:
        errors, labels = np.hsplit(statistics, 2)
        centred = labels - labels.mean(axis=0)  # squares of large values would drown their differences
        total = weights @ np.square(centred) - np.square(weights @ centred) / weights.sum(axis=1, keepdims=True)
        scores: Real = (1 - weights @ errors / total).mean(axis=1)
        return scores

    def blind(self, labels: Array) -> float | None:
        """0, that of always answering the mean."""
        return 0.0
