"""The reference's own score, beside which those of the files stand. Runs in a worker."""

from dataclasses import dataclass
from pathlib import Path

from mobile_export.metrics import make_metric
from mobile_export.metrics.interval import estimate_score
from mobile_export.pipeline.work import SCORED
from mobile_export.published.manifest import CheckEntry
from mobile_export.samples import load_samples
from mobile_export.sampling import PARITY
from mobile_export.target import Target


@dataclass(frozen=True)
class Reference:
    """What files are held against.

    Attributes:
        metric: which one; empty without evaluation data.
        samples: on which answers are scored or, without evaluation data, compared.
        score: None without evaluation data.
    """

    metric: str
    samples: int
    score: CheckEntry | None


def refer_to(target: Target, folder: Path) -> Reference:
    """The score of the answers that the reference gave in the work folder."""
    evaluation = target.data.evaluation
    if evaluation is None:
        return Reference("", len(next(iter(load_samples(folder / PARITY).values()))), None)
    metric, statistics = make_metric(evaluation.metric), load_samples(folder / SCORED)["statistics"]
    score = estimate_score(metric, statistics)
    entry = CheckEntry(
        check="accuracy",
        name="accuracy",
        value=score.value,
        limit=None,
        at_least=metric.higher_is_better,
        passed=True,
        interval=score.interval(),
        unit="share" if metric.bounds == (0, 1) else "",
    )
    return Reference(evaluation.metric.name, len(statistics), entry)
