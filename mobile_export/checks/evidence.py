"""What checks look at, and what they say."""

import math
from dataclasses import dataclass
from typing import Literal

from mobile_export.metrics import Metric, Statistics
from mobile_export.samples import Samples
from mobile_export.target import Limits

Unit = Literal["", "bytes", "share", "dB"]


@dataclass(frozen=True)
class Scores:
    """How the reference and the artifact did on the same evaluation samples.

    Attributes:
        name: of the metric.
        reference, artifact: what the metric keeps of each sample.
        blind: what someone would score who knows the labels' frequencies alone; None: no telling.
    """

    name: str
    metric: Metric
    reference: Statistics
    artifact: Statistics
    blind: float | None = None


@dataclass(frozen=True)
class Evidence:
    """Everything measured on one artifact.

    Attributes:
        precision: the artifact's.
        reference, answers: outputs on the same samples, by public name, shape [samples, ...].
        scores: None without evaluation data.
        size, zipped_size: bytes of the file, and of its deflated form.
        frozen_size: bytes of the optimized, frozen float32 graph.
        drawn: whether the samples were random, since the target brings none.
        lacking_kernels: what the file needs and its runtime has not, a clause each; None where no runtime is named.
        latency_ratio: time of an answer over the float32 file's; None where it was not measured.
    """

    precision: str
    reference: Samples
    answers: Samples
    scores: Scores | None
    size: int
    zipped_size: int
    frozen_size: int
    drawn: bool = False
    lacking_kernels: tuple[str, ...] | None = None
    latency_ratio: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One measured number against what was asked of it.

    Attributes:
        name: the key in `limits`.
        value: what was measured; NaN never passes a limit.
        limit: None when it is only reported.
        at_least: whether the limit is the least or the most that `value` may be.
        note: why, where the number alone does not say it.
        unit: of `value` and `limit`; a share is shown in percent.
        interval: within which it lies with 95 % confidence; None where that is not told.
    """

    name: str
    value: float
    limit: float | None
    at_least: bool
    note: str = ""
    interval: tuple[float, float] | None = None
    unit: Unit = ""

    @property
    def passed(self) -> bool:
        """Whether the limit holds; a NaN on either side fails."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def asked(self) -> str:
        """The limit as text: `≥ 0.9`, or a dash."""
        return "–" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:g}"


def measured(name: str, value: float, limits: Limits, default: float | None = None, note: str = "") -> Measurement:
    """`value` against the target's limit of that name, or the check's `default`."""
    asked = getattr(limits, name)
    limit = default if asked is None else float(asked)
    return Measurement(name, value, limit, name in AT_LEAST, note, unit=UNITS.get(name, ""))


def decimal(value: float) -> float:
    """Without binary rounding: 1 - 0.98 is a little more than 0.02, and a drop of just the limit is none too many."""
    return float(f"{value:.12g}")


UNITS: dict[str, Unit] = {
    "size": "bytes",
    "zipped_size": "bytes",
    "top1_agreement": "share",
    "sqnr": "dB",
}
"""Of numbers that have one; what a score is in, its metric says."""

AT_LEAST = frozenset({"accuracy", "confidence", "cosine", "sqnr", "rank_agreement", "top1_agreement"})
"""Limits that are lower bounds; all others are upper bounds."""

NAN = math.nan
