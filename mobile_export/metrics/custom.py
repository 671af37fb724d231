"""Scores by the user's own code."""

from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array
from mobile_export.metrics.metric import STRICT, Mean, Statistics, column, finite_samples, worst


@dataclass(frozen=True, config=STRICT)
class Custom(Mean):
    """The mean of what `function(answers, labels)` gives for each sample of a batch.

    Attributes:
        name: of the function, for errors.
        bounds: least and most that it gives, where there is such; intervals are surer with them.
    """

    name: str
    function: Callable[[Array, Array], Any]
    higher_is_better: bool = True
    bounds: tuple[float, float] = (-np.inf, np.inf)

    def __post_init__(self) -> None:
        if not self.bounds[0] < self.bounds[1]:
            raise ValueError("bounds are the least and the most, in this order")

    def problem(self, labels: Array, answers: Array) -> str | None:
        """Only the function knows."""
        return None

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """What the function gives; the worst that there is where an answer, or what it gives, is not finite.

        Raises:
            ModelError: the function failed, or gave something else than one number a sample.
        """
        try:
            scores = np.asarray(self.function(answers, labels), np.float64)
        except Exception as error:  # the user's code may raise anything
            raise ModelError(f"metric {self.name}: {type(error).__name__}: {error}") from error
        if scores.shape not in ((len(answers),), (len(answers), 1)):
            raise ModelError(
                f"metric {self.name}: gave shape {list(scores.shape)} for {len(answers)} samples; "
                "return one number a sample"
            )
        scores = scores.reshape(-1)
        sound = np.isfinite(scores) & finite_samples(answers)
        outside = scores[sound & ((scores < self.bounds[0]) | (scores > self.bounds[1]))]
        if outside.size:
            low, high = self.bounds
            raise ModelError(
                f"metric {self.name}: gave {outside[0]:g}, which is outside of bounds = [{low:g}, {high:g}]"
            )
        return column(np.where(sound, scores, worst(self)))

    def blind(self, labels: Array) -> float | None:
        """No telling."""
        return None
