import numpy as np
import pytest

from mobile_export.data_checks import DATA_CHECKS
from tests.data_checks.evidence import answered, found, one_hot

CLASSES = np.arange(1000) % 10
ANSWERS = one_hot(np.where(np.arange(1000) < 760, CLASSES, (CLASSES + 3) % 10))  # 0.76 are right


@pytest.mark.parametrize(
    ("expected", "severities"),
    [
        (None, []),
        (0.70, []),
        (0.76, []),
        (0.78, []),  # within what the draw of samples explains
        (0.805, ["warning"]),
        (0.9, ["error"]),
    ],
)
def test_accuracy(expected: float | None, severities: list[str]) -> None:
    assert found("expected", answered(ANSWERS, CLASSES, expected=expected)) == severities


def test_per_cent() -> None:
    (issue,) = DATA_CHECKS["expected"](answered(ANSWERS, CLASSES, expected=76))
    assert issue.severity == "error"
    assert "lies between 0 and 1" in issue.message


@pytest.mark.parametrize(("expected", "severities"), [(0.02, []), (0.01, []), (0.001, ["error"])])
def test_an_error(expected: float, severities: list[str]) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((400, 3)).astype(np.float32)
    near = values + 0.1 * rng.standard_normal(values.shape).astype(np.float32)  # a squared error of 0.01
    assert found("expected", answered(near, values, "mse", expected)) == severities
