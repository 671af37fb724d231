"""Kernels that the phone's TensorFlow has."""

from mobile_export.checks.evidence import Evidence, Measurement
from mobile_export.target import Limits

SHOWN = 3
"""Kernels that are named; of more, how many there are."""


def kernels(evidence: Evidence, limits: Limits) -> list[Measurement]:  # noqa: ARG001  one lacking is one too many
    """How many kernels the file needs that its runtime has not: none, where the target names a runtime."""
    lacks = evidence.lacking_kernels
    if lacks is None:
        return []
    more = f"; and {len(lacks) - SHOWN} more" if len(lacks) > SHOWN else ""
    return [Measurement("kernels", len(lacks), 0, at_least=False, note="; ".join(lacks[:SHOWN]) + more)]
