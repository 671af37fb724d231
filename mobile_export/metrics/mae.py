"""Mean absolute error."""

import numpy as np
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array, Real
from mobile_export.metrics.mean_error import MeanError
from mobile_export.metrics.metric import STRICT, some_rows


@dataclass(frozen=True, config=STRICT)
class MeanAbsoluteError(MeanError):
    """Mean of |answer - label| over all values of all samples."""

    def _errors(self, differences: Real) -> Real:
        return np.abs(differences)

    def blind(self, labels: Array) -> float | None:
        """That of always answering the median."""
        values = some_rows(labels)
        return float(np.abs(values - np.median(values, axis=0)).mean())
