"""A reference whose answers have to do with the labels."""

from collections.abc import Iterator

from mobile_export.data_checks.evidence import Evidence, Issue
from mobile_export.data_checks.relation import CERTAIN, Relation, label_shift

HARDLY = 0.25
"""Of the way from chance to the best score: below it, a model that is not surely better than chance is blind."""


def blind(evidence: Evidence) -> Iterator[Issue]:
    """The score against those with the labels shuffled, unless another check says what is wrong."""
    data, scored = evidence.evaluation, evidence.scored
    if data is None or scored is None or data.labels is None or (data.labels == data.labels[0]).all():
        return
    relation = Relation.of(scored.metric, data.answers, data.labels)
    if relation.is_there or not relation.is_telling:
        return
    if any(retrial.certainty >= CERTAIN for retrial in scored.retrials):
        return
    if label_shift(scored.metric, data.answers, data.labels) is not None:
        return
    yield Issue(
        "error" if relation.share < HARDLY else "warning",
        f"data.evaluation: the reference's {scored.name} on {len(data.labels)} samples is {relation.score:.3g}, and "
        f"{relation.mean:.3g} with the labels shuffled: the labels in {scored.labels_key!r}, or the samples, do not "
        "belong to this model or are in another order; look at data.evaluation.source, and at the model's weights",
    )
