"""Coefficient of determination."""

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array, Real, real_rows
from mobile_export.metrics.metric import STRICT, Statistics, finite_samples, value_problem

MOST_VALUES = 1 << 22
"""Of all samples together: two numbers are kept of each, 64 MiB in all, for the reference and for every file."""


@dataclass(frozen=True, config=STRICT)
class R2:
    """Share of the labels' variance that the answers explain; of several values a sample, the mean of their shares.

    NaN where a value is the same in all samples.
    """

    higher_is_better = True
    bounds = (-np.inf, 1.0)
    is_mean = False

    def problem(self, labels: Array, answers: Array) -> str | None:
        problem = value_problem(labels, answers)
        if problem is not None:
            return problem
        if labels.size > MOST_VALUES:
            return f"are {labels.size:,} values; R² is for up to {MOST_VALUES:,}: draw fewer samples, or choose mse"
        low, high = (real_rows(extreme(labels, axis=0)[None]) for extreme in (np.min, np.max))
        if not (low < high).all():
            return "hold a value that is the same in all samples, of which nothing can be explained"
        return None

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """Squared errors, infinite where an answer is not finite; then the labels."""
        with np.errstate(invalid="ignore"):
            errors = np.square(real_rows(answers) - real_rows(labels))
        return np.hstack([np.where(finite_samples(answers)[:, None], errors, np.inf), real_rows(labels)])

    def score(self, statistics: Statistics, weights: Real) -> Real:
        errors, labels = np.hsplit(statistics, 2)
        centred = labels - labels.mean(axis=0)  # squares of large values would drown their differences
        total = weights @ np.square(centred) - np.square(weights @ centred) / weights.sum(axis=1, keepdims=True)
        shares = np.divide(weights @ errors, total, out=np.full_like(total, np.nan), where=total > 0)
        scores: Real = (1 - shares).mean(axis=1)
        return scores

    def blind(self, labels: Array) -> float | None:
        """0, that of always answering the mean."""
        return 0.0
