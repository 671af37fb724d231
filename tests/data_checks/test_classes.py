import numpy as np

from mobile_export.data_checks import DATA_CHECKS
from tests.data_checks.evidence import evidence, found, one_hot, sample_set

CLASSES = np.arange(200) % 10
ROWS = np.zeros((200, 4), np.float32)
EVALUATION = sample_set("evaluation", ROWS, CLASSES, one_hot(CLASSES))


def calibration(classes: np.ndarray, labelled: bool = False) -> object:
    return sample_set("calibration", ROWS[: len(classes)], classes if labelled else None, one_hot(classes))


def test_every_class() -> None:
    assert found("classes", evidence(calibration(CLASSES), EVALUATION)) == []


def test_missing_by_answers() -> None:
    (issue,) = DATA_CHECKS["classes"](evidence(calibration(CLASSES[CLASSES > 1]), EVALUATION))
    assert issue.severity == "warning"
    assert "of class 0, 1, 20% of data.evaluation, by what the reference answers" in issue.message


def test_missing_by_labels() -> None:
    (issue,) = DATA_CHECKS["classes"](evidence(calibration(np.full(200, 3), labelled=True), EVALUATION))
    assert "of class 0, 1, 2, 4, 5 and 4 more, 90% of data.evaluation;" in issue.message


def test_few_samples_lack_a_class_by_chance() -> None:
    assert found("classes", evidence(calibration(CLASSES[1:10]), EVALUATION)) == []


def test_a_class_that_the_reference_never_answers_is_not_missed() -> None:
    answers = one_hot(np.maximum(CLASSES, 2))
    sound = sample_set("evaluation", ROWS, CLASSES, answers)
    assert found("classes", evidence(calibration(np.maximum(CLASSES, 2)), sound)) == []


def test_values_are_no_classes() -> None:
    values = sample_set("evaluation", ROWS, np.zeros((200, 3), np.float32), np.zeros((200, 3), np.float32))
    assert found("classes", evidence(calibration(CLASSES), values)) == []
