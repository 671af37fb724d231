"""Mean absolute error."""

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.metrics.metric import (
    STRICT,
    Mean,
    Statistics,
    column,
    finite_samples,
    flat,
    some_flat,
    value_problem,
)
from mobile_export.tensors import Array


@dataclass(frozen=True, config=STRICT)
class MeanAbsoluteError(Mean):
    """Mean of |answer - label| over all values of all samples."""

    higher_is_better = False
    bounds = (0.0, np.inf)

    def problem(self, labels: Array, answers: Array) -> str | None:
        return value_problem(labels, answers)

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """Each sample's mean error; infinite where an answer is not finite."""
        with np.errstate(invalid="ignore"):
            errors = np.abs(flat(answers) - flat(labels)).mean(axis=1)
        return column(np.where(finite_samples(answers), errors, np.inf))

    def blind(self, labels: Array) -> float | None:
        """That of always answering the median."""
        values = some_flat(labels)
        return float(np.abs(values - np.median(values, axis=0)).mean())
