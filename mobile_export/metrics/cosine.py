"""Cosine similarity with the true vectors."""

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array, Real, real_rows
from mobile_export.metrics.metric import STRICT, Mean, Statistics, column, some_rows, value_problem


@dataclass(frozen=True, config=STRICT)
class Cosine(Mean):
    """Mean cosine of the angle between a sample's answer and its label."""

    higher_is_better = True
    bounds = (-1.0, 1.0)

    def problem(self, labels: Array, answers: Array) -> str | None:
        problem = value_problem(labels, answers)
        if problem is None and answers[0].size < 2:
            return f"need an output of at least two values a sample, and it is {list(answers.shape)}"
        if problem is None and not labels.reshape(len(labels), -1).any(axis=1).all():
            return "hold a vector of zeros, which has no direction"
        return problem

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """Each sample's cosine; -1 where the answer is all zeros, or is not finite."""
        with np.errstate(invalid="ignore"):
            cosines = np.clip((_units(real_rows(answers)) * _units(real_rows(labels))).sum(axis=1), -1, 1)
        return column(np.where(np.isfinite(cosines), cosines, -1.0))

    def blind(self, labels: Array) -> float | None:
        """That of always answering in the labels' mean direction."""
        return float(np.linalg.norm(_units(some_rows(labels)).mean(axis=0)))


def _units(vectors: Real) -> Real:
    """Of length 1; NaN where the length is 0 or not finite."""
    vectors = vectors / np.abs(vectors).max(axis=1, keepdims=True)  # squares of large values are infinite
    units: Real = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units
