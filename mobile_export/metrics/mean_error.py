"""What mean errors share."""

from abc import ABC, abstractmethod

import numpy as np

from mobile_export.graphs.tensors import Array, Real, real_rows
from mobile_export.metrics.metric import Mean, Statistics, column, finite_samples, value_problem


class MeanError(Mean, ABC):
    """Base of metrics that take the mean over all values of all samples of how far answers are from labels."""

    higher_is_better = False
    bounds = (0.0, np.inf)

    @abstractmethod
    def _errors(self, differences: Real) -> Real:
        """Of each difference, how much it counts."""

    def problem(self, labels: Array, answers: Array) -> str | None:
        return value_problem(labels, answers)

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """Each sample's mean error; infinite where an answer is not finite."""
        with np.errstate(invalid="ignore"):
            errors = self._errors(real_rows(answers) - real_rows(labels)).mean(axis=1)
        return column(np.where(finite_samples(answers), errors, np.inf))
