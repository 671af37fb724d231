"""Calibration and evaluation that share samples."""

from collections.abc import Iterator

from mobile_export.data_checks.evidence import Evidence, Issue


def overlap(evidence: Evidence) -> Iterator[Issue]:
    """A file is judged too well on what its ranges were measured on."""
    first, second = evidence.calibration, evidence.evaluation
    if first is None or second is None or first.is_small:
        return
    seen = set(first.digests)
    shared = sum(digest in seen for digest in second.digests)
    if shared:
        yield Issue(
            "warning",
            f"data.evaluation: {shared} of {len(second.digests)} samples are in data.calibration too, where files know "
            "them; take them out of one of the two",
        )
