import numpy as np
import pytest

from mobile_export.data_checks import DATA_CHECKS
from tests.data_checks.evidence import answered, found, one_hot

RNG = np.random.default_rng(0)
CLASSES = np.arange(200) % 10


def right_in(share: float, labels: np.ndarray, count: int = 10) -> np.ndarray:
    """Answers of which that share is right, and the others are of any class."""
    guesses = np.random.default_rng(1).integers(0, count, len(labels))
    return one_hot(np.where(np.random.default_rng(2).random(len(labels)) < share, labels, guesses), count)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.25])
def test_sound(share: float) -> None:
    assert found("blind", answered(right_in(share, CLASSES), CLASSES)) == []


def test_shuffled() -> None:
    (issue,) = DATA_CHECKS["blind"](answered(one_hot(CLASSES), RNG.permutation(CLASSES)))
    assert issue.severity == "error"
    assert "'label'" in issue.message


def test_one_answer_to_everything() -> None:
    assert found("blind", answered(one_hot(np.zeros(200, int)), CLASSES)) == ["error"]


def test_a_rare_class_that_is_found_is_no_chance_though_its_accuracy_is_below_the_commonest() -> None:
    labels = np.repeat([0, 1], [190, 10])
    answers = one_hot(np.repeat([0, 1], [165, 35]), 2)  # 87.5 % right, and 95 % are of class 0
    assert found("blind", answered(answers, labels)) == []


@pytest.mark.parametrize(("count", "severities"), [(8, []), (100, ["error"])])
def test_too_few_to_tell(count: int, severities: list[str]) -> None:
    labels = np.arange(count) % 2
    assert (
        found("blind", answered(one_hot(1 - labels[::-1] if count == 8 else RNG.permutation(labels), 2), labels))
        == severities
    )


def test_errors_are_lower_where_answers_belong_to_labels() -> None:
    values = RNG.random((100, 3)).astype(np.float32)
    near = values + 0.1 * RNG.standard_normal(values.shape).astype(np.float32)
    assert found("blind", answered(near, values, "mse")) == []
    assert found("blind", answered(near[::-1].copy(), values, "mse")) == ["error"]


def test_a_shift_is_the_concern_of_another_check() -> None:
    assert found("blind", answered(one_hot(CLASSES), (CLASSES + 1) % 10)) == []


def test_labels_that_are_all_the_same_are_said_elsewhere() -> None:
    assert found("blind", answered(one_hot(CLASSES), np.zeros(200, int))) == []
