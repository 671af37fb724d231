"""Enough samples to measure ranges on."""

from collections.abc import Iterator

from mobile_export.data_checks.evidence import Evidence, Issue

FEW, TOO_FEW = 32, 8
"""Converters' manuals ask for a hundred to a few hundred. After n samples, the next one goes beyond their range
in 2 of n + 1 cases: with 31 in one of 16, with 7 in one of 4."""


def amount(evidence: Evidence) -> Iterator[Issue]:
    """Calibration needs samples; how sure a score is with few evaluation samples, its interval says."""
    data = evidence.calibration
    if data is not None and data.count < FEW:
        yield Issue(
            "error" if data.count < TOO_FEW else "warning",
            f"{data.key}: ranges cannot be measured well on so few samples ({data.count}); bring 100 or more, and "
            "let data.calibration.samples allow them",
        )
