"""Checks of calibration and evaluation data, one a file; they run before anything is quantized."""

from collections.abc import Callable, Iterable
from pathlib import Path

from mobile_export.data_checks.amount import amount
from mobile_export.data_checks.blind import blind
from mobile_export.data_checks.classes import classes
from mobile_export.data_checks.constant import constant
from mobile_export.data_checks.duplicates import duplicates
from mobile_export.data_checks.evidence import Evidence, Finding, Issue
from mobile_export.data_checks.expected import expected
from mobile_export.data_checks.gather import gather
from mobile_export.data_checks.labels import labels
from mobile_export.data_checks.likeness import likeness
from mobile_export.data_checks.misread import misread
from mobile_export.data_checks.noise import noise
from mobile_export.data_checks.normalization import normalization
from mobile_export.data_checks.overlap import overlap
from mobile_export.data_checks.ranges import ranges
from mobile_export.data_checks.saturation import saturation
from mobile_export.graphs.graph import Graph
from mobile_export.metrics import Statistics
from mobile_export.samples import Samples
from mobile_export.target import Target

__all__ = ["DATA_CHECKS", "DataCheck", "Evidence", "Finding", "Issue", "lint"]

DataCheck = Callable[[Evidence], Iterable[Issue]]

DATA_CHECKS: dict[str, DataCheck] = {
    "normalization": normalization,
    "ranges": ranges,
    "misread": misread,
    "saturation": saturation,
    "noise": noise,
    "constant": constant,
    "likeness": likeness,
    "labels": labels,
    "blind": blind,
    "expected": expected,
    "amount": amount,
    "classes": classes,
    "duplicates": duplicates,
    "overlap": overlap,
}
"""By the name that `[data] accept` uses; what names a cause comes before what names its consequences."""


def lint(
    graph: Graph, target: Target, folder: Path, statistics: Statistics | None, answers: Samples | None = None
) -> list[Finding]:
    """What is suspicious about the data of `target`, without what it accepts.

    Args:
        graph: the reference graph, with its batch norms.
        folder: has the samples, as `sampling.gather` stores them.
        statistics: the metric's, of the reference's answers to all evaluation samples; None where there are none.
        answers: the reference's, to the samples of `sampling.PARITY`, as far as they are known.
    """
    if target.data.calibration is None and target.data.evaluation is None:
        return []
    evidence = gather(graph, target, folder, statistics, answers or {})
    return [
        Finding(name, issue.severity, issue.message)
        for name, check in DATA_CHECKS.items()
        if name not in target.data.accept
        for issue in check(evidence)
    ]
