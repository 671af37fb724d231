import numpy as np
import pytest

from mobile_export.data_checks import DATA_CHECKS, Evidence
from mobile_export.data_checks.evidence import ModelInput, Retrial, Scored
from mobile_export.data_checks.readings import REVERSED, usual_readings
from mobile_export.metrics import METRICS
from mobile_export.target import Preprocessing


def judged(certainty: float, dtype: str = "float32", reading=REVERSED) -> list:
    given = ModelInput("x", dtype, "model.inputs[0].preprocessing", Preprocessing())
    retrials = (
        Retrial(given, usual_readings(0, 255, (8, 8, 3))[0], 0.5, 0.4, 0.0, 256),
        Retrial(given, reading, 0.5, 0.8, certainty, 256),
    )
    scored = Scored(METRICS["top1"](), "top1", None, "label", np.ones((256, 1)), retrials)
    return list(DATA_CHECKS["misread"](Evidence((given,), scored=scored)))


@pytest.mark.parametrize(
    ("certainty", "severities"), [(0.98, []), (0.99, ["warning"]), (0.999, ["warning"]), (0.9995, ["error"])]
)
def test_a_better_reading(certainty: float, severities: list[str]) -> None:
    assert [issue.severity for issue in judged(certainty)] == severities


def test_it_says_what_to_change() -> None:
    (issue,) = judged(1.0)
    assert "is 0.5 with 'x' as it is, and 0.8 after reversing its channels" in issue.message
    assert 'set channel_order = "bgr" in model.inputs[0].preprocessing' in issue.message


def test_integers_are_stored_so() -> None:
    (issue,) = judged(1.0, "uint8")
    assert issue.message.endswith("after reversing its channels; store the samples so")


def test_without_scores() -> None:
    assert list(DATA_CHECKS["misread"](Evidence(()))) == []
