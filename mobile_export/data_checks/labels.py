"""Class numbers that mean what the model means by them."""

from collections.abc import Iterator

from mobile_export.data_checks.evidence import Evidence, Issue
from mobile_export.data_checks.relation import label_shift
from mobile_export.metrics.metric import score_of

_ENOUGH = 16
"""Samples of which not all are of one class by chance."""


def labels(evidence: Evidence) -> Iterator[Issue]:
    """Labels that are all the same, or that count classes from another number than the model."""
    data, scored = evidence.evaluation, evidence.scored
    if data is None or scored is None or data.labels is None:
        return
    if len(data.labels) >= _ENOUGH and (data.labels == data.labels[0]).all():
        yield Issue(
            "error",
            f"data.evaluation: {scored.labels_key!r} is the same in all of {len(data.labels)} samples; bring samples "
            "of every kind with their labels",
        )
        return
    shift = label_shift(scored.metric, data.answers, data.labels)
    if shift is not None:
        score = score_of(scored.metric, scored.metric.statistics(data.answers, data.labels))
        yield Issue(
            "error",
            f"data.evaluation: the labels in {scored.labels_key!r} count classes from another number than the model: "
            f"the reference's {scored.name} is {score:.3g}, and far better with {shift:+d} on each; store them so",
        )
