"""Ways to score answers against the truth, one a file.

A metric is a frozen dataclass; its fields are the parameters that `[data] evaluation metric` may give.
"""

from dataclasses import fields

from pydantic import ValidationError

from mobile_export.errors import TargetError
from mobile_export.metrics.auc import Auc
from mobile_export.metrics.confusion import F1, Precision, Recall
from mobile_export.metrics.cosine import Cosine
from mobile_export.metrics.custom import Custom
from mobile_export.metrics.mae import MeanAbsoluteError
from mobile_export.metrics.mean_iou import MeanIou
from mobile_export.metrics.metric import Metric, Statistics
from mobile_export.metrics.mse import MeanSquaredError
from mobile_export.metrics.r2 import R2
from mobile_export.metrics.top1 import Top1
from mobile_export.metrics.top_k import TopK
from mobile_export.metrics.transcripts import CharacterError, WordError
from mobile_export.target import MetricChoice
from mobile_export.user_code import load_code

__all__ = ["METRICS", "METRIC_PARAMETERS", "Metric", "Statistics", "make_metric"]

METRICS: dict[str, type[Metric]] = {
    "top1": Top1,
    "top_k": TopK,
    "auc": Auc,
    "precision": Precision,
    "recall": Recall,
    "f1": F1,
    "mae": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "r2": R2,
    "cosine": Cosine,
    "mean_iou": MeanIou,
    "word_error": WordError,
    "character_error": CharacterError,
}
"""By the name that `[data] evaluation metric` uses."""

METRIC_PARAMETERS: dict[str, tuple[str, ...]] = {
    name: tuple(field.name for field in fields(metric))  # type: ignore[arg-type]
    for name, metric in METRICS.items()
}
"""What each may be given."""


def make_metric(choice: MetricChoice) -> Metric:
    """The metric that a target chooses. The user's own is loaded, which runs its module: for workers.

    Raises:
        TargetError: a parameter has a value that it cannot have.
        ModelError: the user's code cannot be loaded.
    """
    parameters = dict(choice.parameters)
    try:
        if choice.code is None:
            return METRICS[choice.name](**parameters)
        function = load_code(choice.code, "data.evaluation.metric")
        return Custom(**{**parameters, "name": choice.name, "function": function})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, detail['loc']))}: {_plain(detail['msg'])} (it is {detail['input']!r})"
            if detail["type"] != "value_error"
            else _plain(detail["msg"])
            for detail in error.errors(include_url=False)
        )
        raise TargetError(f"{choice.name}: {wrong}") from error


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[0].lower() + message[1:]
