"""What is counted of right, labelled and predicted samples: precision, recall, f1."""

import numpy as np
import pytest

from mobile_export.metrics import METRICS
from mobile_export.metrics.metric import score_of

NAMES = ("precision", "recall", "f1")
# Class 1: 2 right of 3 labelled and 4 predicted.
BINARY = np.array([0.9, 0.8, 0.1, 0.7, 0.6, 0.2]), np.array([1, 1, 1, 0, 0, 0])
# Right, labelled, predicted: class 0 1, 2, 1; class 1 1, 1, 3; class 2 1, 2, 1; class 3 is nowhere.
THREE = np.eye(4)[[0, 1, 1, 2, 1]], np.array([0, 0, 1, 2, 2])


def scores(answers: np.ndarray, labels: np.ndarray, **parameters) -> list[float]:
    found = []
    for name in NAMES:
        metric = METRICS[name](**parameters)
        assert metric.problem(labels, answers) is None
        found.append(score_of(metric, metric.statistics(answers, labels)))
    return found


def test_binary() -> None:
    expected = pytest.approx([2 / 4, 2 / 3, 4 / 7])
    answers, labels = BINARY
    assert scores(answers, labels) == expected
    assert scores(answers[:, None], labels) == expected
    assert scores(np.stack([1 - answers, answers], axis=1), labels[:, None]) == expected


def test_threshold() -> None:
    answers, labels = BINARY
    assert scores(answers, labels, threshold=0.75) == pytest.approx([1, 2 / 3, 4 / 5])
    assert scores(answers, labels, threshold=0.95) == [0, 0, 0]


def test_class_1_may_be_nowhere() -> None:
    assert scores(np.zeros(3), np.zeros(3, int)) == [0, 0, 0]


def test_macro() -> None:
    precisions, recalls, f1s = [1, 1 / 3, 1], [1 / 2, 1, 1 / 2], [2 / 3, 2 / 4, 2 / 3]
    assert scores(*THREE, average="macro") == pytest.approx([sum(of) / 3 for of in (precisions, recalls, f1s)])


def test_micro() -> None:
    assert scores(*THREE, average="micro") == pytest.approx([3 / 5] * 3)


def test_weights_are_how_often_a_sample_counts() -> None:
    answers, labels = THREE
    often = [0, 0, 1, 2, 2, 2, 3, 4]
    for name in NAMES:
        metric = METRICS[name](average="macro")
        found = metric.score(metric.statistics(answers, labels), np.array([[2.0, 1, 3, 1, 1]]))
        assert found[0] == pytest.approx(score_of(metric, metric.statistics(answers[often], labels[often])))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_is_wrong_whatever_the_label(value: float) -> None:
    answers, labels = (of.copy() for of in BINARY)
    answers[[0, 5]] = value  # one right of each
    assert scores(answers, labels) == pytest.approx([1 / 4, 1 / 3, 2 / 7])


def test_blind_answers_the_best_class_always() -> None:
    labels = np.array([0, 0, 0, 1])
    assert [METRICS[name]().blind(labels) for name in NAMES] == [1 / 4, None, 2 / 5]
    assert [METRICS[name](average="macro").blind(labels) for name in NAMES] == pytest.approx([3 / 8, 1 / 2, 3 / 7])
    assert [METRICS[name](average="micro").blind(labels) for name in NAMES] == [3 / 4] * 3


@pytest.mark.parametrize(
    ("labels", "shape", "average", "said"),
    [
        ([0, 1], (2, 3), "binary", 'are of 3 classes; average = "binary" is for two, so choose "macro" or "micro"'),
        ([0, 3], (2, 3), "macro", "lie between 0 and 3; the model has the classes 0 to 2"),
        ([0, 2], (2,), "binary", "lie between 0 and 2; the model has the classes 0 to 1"),
        ([0.0, 1.0], (2, 1), "binary", "are float64; class numbers are integers"),
        (
            [0, 1],
            (2, 3, 4),
            "macro",
            "need an output of shape [samples, classes] or [samples, 1], and it is [2, 3, 4]",
        ),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_labels(name: str, labels: list, shape: tuple[int, ...], average: str, said: str) -> None:
    assert METRICS[name](average=average).problem(np.array(labels), np.zeros(shape)) == said
