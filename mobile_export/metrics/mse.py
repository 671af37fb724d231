"""Mean squared error."""

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array, Real
from mobile_export.metrics.mean_error import MeanError
from mobile_export.metrics.metric import STRICT, some_rows


@dataclass(frozen=True, config=STRICT)
class MeanSquaredError(MeanError):
    """Mean of (answer - label)² over all values of all samples."""

    def _errors(self, differences: Real) -> Real:
        return np.square(differences)

    def blind(self, labels: Array) -> float | None:
        """That of always answering the mean: the variance."""
        return float(some_rows(labels).var(axis=0).mean())
