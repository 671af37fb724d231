"""Bytes."""

from mobile_export.checks.evidence import Evidence, Measurement, measured
from mobile_export.target import Limits


def size(evidence: Evidence, limits: Limits) -> list[Measurement]:
    """Bytes of the file, of its deflated form, and as a fraction of the frozen float32 graph."""
    return [
        measured("size", evidence.size, limits),
        measured("zipped_size", evidence.zipped_size, limits),
        measured("size_ratio", evidence.size / max(evidence.frozen_size, 1), limits),
    ]
