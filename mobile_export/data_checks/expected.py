"""A reference that is as good as it was when it was trained."""

from collections.abc import Iterator

from mobile_export.data_checks.evidence import Evidence, Issue
from mobile_export.metrics.interval import estimate_score
from mobile_export.metrics.metric import sign

SURE = 0.995
"""Confidence with which the score must be worse."""
TOLERATED = 0.02
"""Of the expected score, or of 1 where scores end there: what another decoder of images, or another split, may cost."""


def expected(evidence: Evidence) -> Iterator[Issue]:
    """`data.evaluation.expected` against the reference's score."""
    scored = evidence.scored
    if scored is None or scored.expected is None:
        return
    low, high = scored.metric.bounds
    if not low <= scored.expected <= high:
        said = f"is {scored.expected:g}, and {scored.name} lies between {low:g} and {high:g}; write it so"
        yield Issue("error", f"data.evaluation.expected: {said}")
        return
    found = estimate_score(scored.metric, scored.statistics)
    nearest = found.at_most(SURE) if scored.metric.higher_is_better else found.at_least(SURE)
    missing = (scored.expected - nearest) * sign(scored.metric)
    if not missing > 0:
        return
    unit = 1.0 if (low, high) == (0.0, 1.0) else abs(scored.expected)
    yield Issue(
        "error" if missing > TOLERATED * unit else "warning",
        f"data.evaluation.expected: {scored.expected:g} was expected, and the reference's {scored.name} is "
        f"{found.value:.4g} on {len(scored.statistics)} samples, {nearest:.4g} at best; check that the weights, the "
        "samples and their preprocessing are those that it was measured with",
    )
