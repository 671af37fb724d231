"""Precision, recall and F1: what is counted of right, labelled and predicted samples of each class."""

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array, Real
from mobile_export.metrics.metric import STRICT, Statistics, class_problem, finite_samples, group_sums, ratio


@dataclass(frozen=True, config=STRICT)
class _Confusion(ABC):
    """A ratio of counts, of class 1 (`binary`), of all classes together (`micro`), or its mean over classes (`macro`).

    A sample is of its highest-scored class; where the model has one score, of class 1 if that is above `threshold`.
    A ratio to nothing is 0. Macro leaves out classes that are neither labelled nor predicted.
    """

    average: Literal["binary", "macro", "micro"] = "binary"
    threshold: float = 0.5

    higher_is_better = True
    bounds = (0.0, 1.0)
    is_mean = False

    @abstractmethod
    def _ratio(self, right: Real, labelled: Real, predicted: Real) -> Real: ...

    def problem(self, labels: Array, answers: Array) -> str | None:
        if answers.size != len(answers) and answers.ndim != 2:
            return f"need an output of shape [samples, classes] or [samples, 1], and it is {list(answers.shape)}"
        classes = max(2, answers[0].size)
        if self.average == "binary" and classes > 2:
            return f'are of {classes} classes; average = "binary" is for two, so choose "macro" or "micro"'
        return class_problem(labels, classes)

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """The labelled and the predicted class; where an answer is not finite, another than the labelled one."""
        labelled = labels.reshape(-1).astype(np.int64)
        scores = answers.reshape(len(answers), -1)
        one = scores.shape[1] == 1
        predicted = scores[:, 0] > self.threshold if one else scores.argmax(axis=1)
        other = (labelled + 1) % max(2, scores.shape[1])
        return np.stack([labelled, np.where(finite_samples(answers), predicted, other)], axis=1).astype(np.float64)

    def score(self, statistics: Statistics, weights: Real) -> Real:
        classes, indices = np.unique(statistics, return_inverse=True)
        labels, predictions = indices.reshape(statistics.shape).T
        right = group_sums(weights * (labels == predictions), labels, len(classes))
        labelled, predicted = (group_sums(weights, of, len(classes)) for of in (labels, predictions))
        if self.average == "micro":
            return self._ratio(*(counts.sum(axis=1) for counts in (right, labelled, predicted)))
        ratios = self._ratio(right, labelled, predicted)
        if self.average == "binary":
            return np.asarray(ratios[:, classes == 1].sum(axis=1))  # there may be none
        return ratio(ratios.sum(axis=1), ((labelled + predicted) > 0).sum(axis=1).astype(np.float64))

    def blind(self, labels: Array) -> float | None:
        """That of always answering the same class, the best one; None where that makes no mistake: recall of one."""
        classes, times = np.unique(labels, return_counts=True)
        weights = times[None].astype(np.float64)
        always = [np.stack([classes, np.full_like(classes, one)], axis=1).astype(np.float64) for one in classes]
        score = max(float(self.score(statistics, weights)[0]) for statistics in always)
        return score if score < 1 else None


@dataclass(frozen=True, config=STRICT)
class Precision(_Confusion):
    """Share of a class's predictions that are right."""

    def _ratio(self, right: Real, labelled: Real, predicted: Real) -> Real:
        return ratio(right, predicted)


@dataclass(frozen=True, config=STRICT)
class Recall(_Confusion):
    """Share of a class's samples that are found."""

    def _ratio(self, right: Real, labelled: Real, predicted: Real) -> Real:
        return ratio(right, labelled)


@dataclass(frozen=True, config=STRICT)
class F1(_Confusion):
    """Harmonic mean of precision and recall."""

    def _ratio(self, right: Real, labelled: Real, predicted: Real) -> Real:
        return ratio(2 * right, labelled + predicted)
