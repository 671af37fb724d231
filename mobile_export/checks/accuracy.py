"""The score on labelled data, how far it is below the reference's, and how sure that is."""

import math
from dataclasses import replace

from mobile_export.checks.evidence import Evidence, Measurement, Scores, Unit, decimal, measured
from mobile_export.metrics.interval import Estimate, estimate_drop, estimate_score, needed_samples
from mobile_export.metrics.metric import best, score_of, spread
from mobile_export.target import Limits

DEFAULT_DROP = 0.02
"""How much worse a score may be when the target does not say, as a fraction of its scale: enough for a sound int8 file,
far from a collapsed one."""


def accuracy(evidence: Evidence, limits: Limits) -> list[Measurement]:
    """Score of the artifact, how much worse it is than the reference's on the same samples, and with what confidence.

    `confidence` is the highest at which the drop's one-sided bound holds its limit; so a target that asks for 0.95
    has the bound judged, besides the drop itself.
    """
    scores = evidence.scores
    if scores is None:
        return []
    score = estimate_score(scores.metric, scores.artifact)
    drop = estimate_drop(scores.metric, scores.reference, scores.artifact, widest=scale_of(scores))
    note = f"{scores.name} of {len(scores.artifact)} samples"
    unit: Unit = "share" if scores.metric.bounds == (0, 1) else ""
    reached = measured("accuracy", score.value, limits, note=note)
    most = default_drop(scores) if limits.accuracy_drop is None else limits.accuracy_drop
    return [
        replace(reached, at_least=scores.metric.higher_is_better, interval=score.interval(), unit=unit),
        replace(measured("accuracy_drop", decimal(drop.value), limits, most), interval=drop.interval(), unit=unit),
        _confidence(scores, drop, most, limits.confidence),
    ]


def default_drop(scores: Scores) -> float:
    """`DEFAULT_DROP` of the metric's scale."""
    return DEFAULT_DROP * scale_of(scores)


def scale_of(scores: Scores) -> float:
    """How far a score can fall, or usually does.

    That is the distance between the worst score and the best (1 for shares, 2 for cosines); where there is no worst,
    that between the blind score and the best (for MSE the labels' variance, so that MSE and R² are held to the same;
    1 for word errors). Where neither is known, as of user code, or there is one label alone, it is the reference's
    own score.
    """
    blind = math.nan if scores.blind is None else scores.blind
    scales = (spread(scores.metric), abs(best(scores.metric) - blind))
    own = abs(score_of(scores.metric, scores.reference))
    return next((scale for scale in scales if math.isfinite(scale) and scale > 0), own)


def _confidence(scores: Scores, drop: Estimate, limit: float, asked: float | None) -> Measurement:
    """How sure it is that the drop holds its limit; told to everyone, judged where the target asks."""
    certainty = drop.certainty(limit)
    note = _reason(scores, drop, limit, asked) if asked is not None and not certainty >= asked else ""
    return Measurement("confidence", certainty, asked, True, note)


def _reason(scores: Scores, drop: Estimate, limit: float, confidence: float) -> str:
    """Why it is not sure that the drop holds `limit`, and what would help."""
    if not math.isfinite(drop.value):
        return "a score is not finite"
    surely = drop.at_least(confidence)
    if surely > limit:
        return f"the drop is at least {surely:.3g}"
    count = len(scores.artifact)
    undecided = f"cannot tell with {count:,} sample{'s' if count > 1 else ''}"
    needed = needed_samples(
        scores.metric, scores.reference, scores.artifact, limit, confidence, widest=scale_of(scores)
    )
    if needed is not None:
        return f"{undecided}; needs about {_two_digits(needed):,}"
    if decimal(drop.value) > limit:
        return (
            f"{undecided}, since the drop may be as small as {surely:.3g}; more samples like these would miss the limit"
        )
    return f"{undecided}; the drop is as large as the limit, which no number of samples can tell apart"


def _two_digits(count: int) -> int:
    """Rounded up to two digits."""
    unit = int(10 ** max(len(str(count)) - 2, 0))
    return math.ceil(count / unit) * unit
