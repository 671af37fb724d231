import numpy as np
import pytest

from mobile_export.data_checks import DATA_CHECKS
from tests.data_checks.evidence import answered, found, one_hot

CLASSES = np.arange(200) % 10


def test_sound() -> None:
    assert found("labels", answered(one_hot(CLASSES), CLASSES)) == []


@pytest.mark.parametrize("shift", [-1, 1])
def test_counting_from_another_number(shift: int) -> None:
    kept = (CLASSES + shift >= 0) & (CLASSES + shift < 10)
    (issue,) = DATA_CHECKS["labels"](answered(one_hot(CLASSES[kept]), CLASSES[kept] + shift))
    assert issue.severity == "error"
    assert f"{-shift:+d} on each" in issue.message


def test_counting_round() -> None:
    assert found("labels", answered(one_hot(CLASSES), (CLASSES + 1) % 10)) == ["error"]


def test_one_answer_to_everything_fits_no_shift() -> None:
    labels = np.repeat([3, 2], [190, 10])
    assert found("labels", answered(one_hot(np.full(200, 2)), labels)) == []


@pytest.mark.parametrize(("count", "severities"), [(16, ["error"]), (15, [])])
def test_all_the_same(count: int, severities: list[str]) -> None:
    assert found("labels", answered(one_hot(CLASSES[:count]), np.full(count, 4))) == severities


def test_other_kinds_of_labels() -> None:
    values = np.random.default_rng(0).random((100, 3)).astype(np.float32)
    assert found("labels", answered(values, values, "mse")) == []
