"""Top-1 accuracy."""

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array
from mobile_export.metrics.metric import STRICT, Mean, Statistics, class_problem, column, finite_samples


@dataclass(frozen=True, config=STRICT)
class Top1(Mean):
    """Share of samples whose highest-scored class is the labelled one."""

    higher_is_better = True
    bounds = (0.0, 1.0)

    def problem(self, labels: Array, answers: Array) -> str | None:
        if answers.ndim != 2 or answers.shape[1] < 2:
            return f"need an output of shape [samples, classes], and it is {list(answers.shape)}"
        return class_problem(labels, answers.shape[1])

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """1 where right, 0 where wrong."""
        right = np.argmax(answers, axis=1) == labels.reshape(-1)
        return column(right & finite_samples(answers))

    def blind(self, labels: Array) -> float | None:
        """The share of the commonest class."""
        return float(np.unique(labels, return_counts=True)[1].max() / labels.size)
