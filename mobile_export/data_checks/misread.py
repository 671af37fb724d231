"""Samples that the reference would read better in another way."""

from collections.abc import Iterator

from mobile_export.data_checks.evidence import Evidence, Issue
from mobile_export.data_checks.relation import CERTAIN
from mobile_export.metrics.metric import sign

LIKELY = 0.99
"""Confidence with which a score must be better to be worth a look."""


def misread(evidence: Evidence) -> Iterator[Issue]:
    """The best of the usual readings of each input, where it beats the data as it is."""
    scored = evidence.scored
    if scored is None:
        return
    for each in evidence.inputs:
        better = [trial for trial in scored.retrials if trial.input == each and trial.certainty >= LIKELY]
        if not better:
            continue
        best = max(better, key=lambda trial: sign(scored.metric) * trial.score)
        yield Issue(
            "error" if best.certainty >= CERTAIN else "warning",
            f"data.evaluation: the reference's {scored.name} on {best.samples} samples is {best.given:.3g} with "
            f"{each.name!r} as it is, and {best.score:.3g} after {best.reading.words}; {each.advice(best.reading)}",
        )
