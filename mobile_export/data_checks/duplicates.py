"""Samples that come again."""

from collections.abc import Iterator

from mobile_export.data_checks.evidence import Evidence, Issue

MOST = 0.2
"""Share of samples that may be copies: sets that were gathered twice hold a half, sound ones a few in a hundred."""


def duplicates(evidence: Evidence) -> Iterator[Issue]:
    """Copies teach nothing about ranges, and make a score look surer than it is."""
    for data in evidence.sets:
        different = len(set(data.digests))
        share = 1 - different / len(data.digests)
        if share > MOST and not data.is_small and not data.is_still:
            yield Issue(
                "warning",
                f"{data.key}: of {len(data.digests)} samples only {different} are different; remove the copies",
            )
