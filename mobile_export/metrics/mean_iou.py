"""Mean intersection over union of label maps."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from mobile_export.graphs.tensors import Array, Real
from mobile_export.metrics.metric import STRICT, Statistics, ratio


@dataclass(frozen=True, config=STRICT)
class MeanIou:
    """Pixels that are both predicted and labelled as a class, over those that are either; the mean over classes.

    Pixels are counted over all samples together. A pixel is of its highest-scored class; where the model has one score
    a pixel, of class 1 if that is above `threshold`. Pixels labelled `ignore` are not looked at, and classes that are
    neither labelled nor predicted are left out.
    """

    ignore: int = -1
    threshold: float = 0.5

    higher_is_better = True
    bounds = (0.0, 1.0)
    is_mean = False

    def problem(self, labels: Array, answers: Array) -> str | None:
        if answers.ndim < 3:
            return f"need an output of shape [samples, height, width, classes], and it is {list(answers.shape)}"
        if labels.dtype.kind not in "iu":
            return f"are {labels.dtype}; class numbers are integers"
        if labels.shape[1:] not in (answers.shape[1:-1], (*answers.shape[1:-1], 1)):
            return (
                f"have shape {list(labels.shape)}; one class number for each of {list(answers.shape[1:-1])} is expected"
            )
        classes, extremes = max(2, answers.shape[-1]), self._extremes(labels)
        if extremes is None:
            return f"are {self.ignore} everywhere, which is ignored"
        low, high = extremes
        if low < 0 or high >= classes:
            return (
                f"lie between {low} and {high}; the model has the classes 0 to {classes - 1}, "
                "and ignore may name a number for pixels that do not count"
            )
        return None

    def statistics(self, answers: Array, labels: Array) -> Statistics:
        """Of each class the pixels in the intersection, then of each those in the union."""
        classes = max(2, answers.shape[-1])
        finite = np.isfinite(answers).all(axis=-1).reshape(len(answers), -1)
        best = answers[..., 0] > self.threshold if answers.shape[-1] == 1 else answers.argmax(axis=-1)
        labelled = labels.reshape(len(labels), -1).astype(np.int64)
        predicted = best.reshape(len(answers), -1).astype(np.int64)
        counts = labelled != self.ignore

        def pixels(of: NDArray[np.int64], where: NDArray[np.bool_]) -> NDArray[np.int64]:
            numbered = of + np.arange(len(of))[:, None] * classes
            return np.bincount(numbered[where], minlength=len(of) * classes).reshape(len(of), classes)

        both = pixels(labelled, counts & finite & (labelled == predicted))
        either = pixels(labelled, counts) + pixels(predicted, counts & finite) - both
        return np.hstack([both, either]).astype(np.float64)

    def score(self, statistics: Statistics, weights: Real) -> Real:
        both, either = np.hsplit(weights @ statistics, 2)
        return ratio(ratio(both, either).sum(axis=1), (either > 0).sum(axis=1).astype(np.float64))

    def blind(self, labels: Array) -> float | None:
        """That of always answering the commonest class."""
        _, high = self._extremes(labels) or (0, 0)
        counts = np.zeros(high + 1, np.int64)
        for sample in self._counted(labels):
            counts += np.bincount(sample, minlength=high + 1)
        return float(counts.max() / counts.sum() / np.count_nonzero(counts))

    def _extremes(self, labels: Array) -> tuple[int, int] | None:
        """The lowest and the highest class that counts; None where none does."""
        found = [(int(sample.min()), int(sample.max())) for sample in self._counted(labels) if sample.size]
        return (min(low for low, _ in found), max(high for _, high in found)) if found else None

    def _counted(self, labels: Array) -> Iterator[Array]:
        """The pixels of each sample that count: no two samples are held."""
        return (sample[sample != self.ignore] for sample in labels)
