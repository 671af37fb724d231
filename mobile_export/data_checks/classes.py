"""Calibration that shows every class."""

from collections.abc import Iterator

import numpy as np

from mobile_export.data_checks.evidence import Evidence, Issue, SampleSet
from mobile_export.graphs.tensors import Array
from mobile_export.metrics.metric import class_problem

RARE = 1e-4
"""Probability below which a class is not missing by chance."""
_SHOWN = 5


def classes(evidence: Evidence) -> Iterator[Issue]:
    """Classes of evaluation data that calibration data lacks: by labels in both, or by what the reference answers."""
    first, second = evidence.calibration, evidence.evaluation
    if first is None or second is None or _class_numbers(second) is None:
        return
    labels = _class_numbers(first), _class_numbers(second)
    seen, wanted = (
        given if labels[0] is not None and given is not None else data.answers.argmax(axis=1)
        for data, given in zip((first, second), labels, strict=True)
    )
    wanted, counts = np.unique(wanted, return_counts=True)
    shares = counts / counts.sum()
    missing = wanted[~np.isin(wanted, seen) & ((1 - shares) ** len(seen) < RARE)]
    if missing.size:
        more = f" and {missing.size - _SHOWN} more" if missing.size > _SHOWN else ""
        named = ", ".join(map(str, missing[:_SHOWN]))
        share = shares[np.isin(wanted, missing)].sum()
        yield Issue(
            "warning",
            f"data.calibration: none of its samples ({len(seen)}) is of class {named}{more}, "
            f"{share:.0%} of data.evaluation{', by what the reference answers' if labels[0] is None else ''}; bring "
            "samples of every class",
        )


def _class_numbers(data: SampleSet) -> Array | None:
    """Labels, where they are numbers of the classes that answers have a score for."""
    labels = data.labels
    if labels is None or data.answers.ndim != 2 or class_problem(labels, data.answers.shape[1]) is not None:
        return None
    return labels.reshape(-1)
