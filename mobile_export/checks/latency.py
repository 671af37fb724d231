"""Time of an answer, as a fraction of what the float32 file of the same format takes."""

from mobile_export.checks.evidence import Evidence, Measurement, measured
from mobile_export.target import Limits


def latency(evidence: Evidence, limits: Limits) -> list[Measurement]:
    """Only where the target limits it: it is measured alone on this machine, which takes a while."""
    if evidence.latency_ratio is None:
        return []
    return [measured("latency_ratio", evidence.latency_ratio, limits, note="on this computer; a phone's may differ")]
