"""Top-k accuracy."""

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array
from mobile_export.metrics.metric import STRICT, Mean, Statistics, class_problem, column, finite_samples


@dataclass(frozen=True, config=STRICT)
class TopK(Mean):
    """Share of samples whose labelled class is among the `k` highest-scored; of equal scores the lower is first."""

    k: int = Field(5, ge=1)

    higher_is_better = True
    bounds = (0.0, 1.0)

    def problem(self, labels: Array, answers: Array) -> str | None:
        if answers.ndim != 2:
            return f"need an output of shape [samples, classes], and it is {list(answers.shape)}"
        if answers.shape[1] <= self.k:
            return f"are always among the first {self.k} of {answers.shape[1]} classes; choose a smaller k"
        return class_problem(labels, answers.shape[1])

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """1 where right, 0 where wrong."""
        classes = labels.reshape(-1, 1).astype(np.int64)
        own = np.take_along_axis(answers, classes, axis=1)
        ahead = (answers > own) | ((answers == own) & (np.arange(answers.shape[1]) < classes))
        return column((ahead.sum(axis=1) < self.k) & finite_samples(answers))

    def blind(self, labels: Array) -> float | None:
        """The share of the `k` commonest classes."""
        return float(np.sort(np.unique(labels, return_counts=True)[1])[-self.k :].sum() / labels.size)
