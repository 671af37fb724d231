"""Checks that stand between a file and its publication: one a file, pure functions over plain data."""

from collections.abc import Mapping
from typing import Protocol

from mobile_export.checks.accuracy import accuracy
from mobile_export.checks.device import LIMIT as DEVICE_DIFFERENCE
from mobile_export.checks.device import device, moved
from mobile_export.checks.evidence import NAN, Evidence, Measurement, Scores, measured
from mobile_export.checks.kernels import kernels
from mobile_export.checks.latency import latency
from mobile_export.checks.parity import parity
from mobile_export.checks.size import size
from mobile_export.target import Limits

__all__ = ["CHECKS", "Check", "Evidence", "Measurement", "Scores", "device", "judge", "moved"]


class Check(Protocol):
    """Measures one aspect of an artifact."""

    def __call__(self, evidence: Evidence, limits: Limits) -> list[Measurement]: ...


CHECKS: dict[str, Check] = {
    "parity": parity,
    "accuracy": accuracy,
    "size": size,
    "latency": latency,
    "kernels": kernels,
}
"""All of them run on every artifact; `device`, which compares two runs of it, besides them where it runs elsewhere."""


def judge(evidence: Evidence, limits: Limits, checks: Mapping[str, Check] = CHECKS) -> dict[str, list[Measurement]]:
    """What every check measured here, by the check's name. A limit that no check measured is a failure.

    A target that asks for accuracy and brings no evaluation data, say, gets a failing measurement, not silence.
    """
    results = {name: check(evidence, limits) for name, check in checks.items()}
    seen = {measurement.name for measurements in results.values() for measurement in measurements}
    unmeasured = [name for name, asked in limits if asked is not None and name not in {*seen, DEVICE_DIFFERENCE}]
    if unmeasured:
        results["unmeasured"] = [measured(name, NAN, limits, note="nothing to measure it with") for name in unmeasured]
    return results
