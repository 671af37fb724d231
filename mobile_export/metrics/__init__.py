"""Ways to score answers against the truth, one a file."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mobile_export.metrics.top1 import Top1
from mobile_export.tensors import Array


class Metric(Protocol):
    """A score; higher is better."""

    def check_labels(self, labels: Array, answers: Array) -> str | None:
        """What is wrong with `labels` for answers of this shape, as the end of a sentence; None when nothing is."""
        ...

    def per_sample(self, answers: Array, labels: Array) -> NDArray[np.float64]:
        """The score of each sample, shape [samples]; their mean is the score of the set."""
        ...


METRICS: dict[str, Metric] = {
    "top1": Top1(),
}
"""By the name that `[data] evaluation metric` uses."""
