"""The score on labelled data."""

from mobile_export.checks.evidence import Evidence, Measurement, measured
from mobile_export.target import Limits

DEFAULT_DROP = 0.02
"""How far a score may fall when the target does not say: enough for a sound int8 file, far from a collapsed one."""


def accuracy(evidence: Evidence, limits: Limits) -> list[Measurement]:
    """Mean score of the artifact, and how far it lies below the reference's on the same samples."""
    if evidence.scores is None:
        return []
    score = float(evidence.scores.artifact.mean())
    # 1 - 0.99 is a little more than 0.01 in binary, and a drop of exactly the limit is none too many
    drop = round(float(evidence.scores.reference.mean()) - score, 12)
    count = len(evidence.scores.artifact)
    return [
        measured("accuracy", score, limits, note=f"{evidence.scores.metric} of {count} samples"),
        measured("accuracy_drop", drop, limits, DEFAULT_DROP),
    ]
