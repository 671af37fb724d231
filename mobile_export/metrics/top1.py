"""Top-1 accuracy."""

import numpy as np
from numpy.typing import NDArray

from mobile_export.tensors import Array


class Top1:
    """Share of samples whose highest-scored class is the labelled one."""

    def check_labels(self, labels: Array, answers: Array) -> str | None:
        """Labels are class numbers: integers of shape [samples] or [samples, 1], below the number of scores."""
        if answers.ndim != 2 or answers.shape[1] < 2:
            return f"need an output of shape [samples, classes], and it is {list(answers.shape)}"
        if labels.dtype.kind not in "iu":
            return f"are {labels.dtype}; class numbers are integers"
        if labels.size != len(labels):
            return f"have shape {list(labels.shape)}; one class number a sample is expected"
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= answers.shape[1]:
            return f"lie between {low} and {high}; the model has the classes 0 to {answers.shape[1] - 1}"
        return None

    def per_sample(self, answers: Array, labels: Array) -> NDArray[np.float64]:
        """1 where right, 0 where wrong. An answer that is not finite is wrong."""
        right = np.argmax(answers, axis=1) == labels.reshape(-1)
        scores: NDArray[np.float64] = (right & np.isfinite(answers).all(axis=1)).astype(np.float64)
        return scores
