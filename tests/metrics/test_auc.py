import numpy as np
import pytest

from mobile_export.metrics.auc import Auc
from mobile_export.metrics.metric import score_of

LABELS = np.array([0, 0, 1, 1])


def auc(answers: list, labels: np.ndarray = LABELS, **parameters: int) -> float:
    metric = Auc(**parameters)
    answers = np.array(answers, np.float32)
    assert metric.problem(labels, answers) is None
    return score_of(metric, metric.statistics(answers, labels))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.2, 0.8, 0.9], 1),
        ([0.9, 0.8, 0.2, 0.1], 0),
        ([0.1, 0.4, 0.35, 0.8], 0.75),
        ([0.5, 0.5, 0.5, 0.5], 0.5),
        ([0.1, 0.5, 0.5, 0.9], 0.875),  # of four pairs, one is even
        ([0.1, 0.2, np.nan, 0.9], 0.5),  # below everything
        ([np.nan, 0.2, 0.8, 0.9], 0.5),  # above everything
        ([0.1, 0.2, np.inf, 0.9], 0.5),
    ],
)
def test_one_score(scores: list[float], expected: float) -> None:
    assert auc(scores) == expected
    assert auc([[score] for score in scores]) == expected


def test_every_pair_is_counted() -> None:
    rng = np.random.default_rng(0)
    scores, labels, weights = rng.integers(0, 20, 100) / 20, rng.integers(0, 2, 100), rng.random(100)
    statistics = Auc().statistics(scores[:, None], labels)
    pairs = [(i, j) for i in np.flatnonzero(labels == 1) for j in np.flatnonzero(labels == 0)]
    won = sum(weights[i] * weights[j] * ((scores[i] > scores[j]) + (scores[i] == scores[j]) / 2) for i, j in pairs)
    expected = won / sum(weights[i] * weights[j] for i, j in pairs)
    assert Auc().score(statistics, weights[None])[0] == pytest.approx(expected)


def test_of_two_logits_their_difference_counts() -> None:
    assert auc([[5.0, 6.0], [0.0, -1.0], [-3.0, 0.0], [-9.0, 2.0]]) == 1.0  # class 1 alone would rank the first highest


def test_of_two_probabilities_tiny_ones_still_differ() -> None:
    assert auc([[1.0, 1e-9], [1.0, 2e-9], [1.0, 3e-9], [1.0, 4e-9]]) == 1.0


def test_the_positive_class_may_be_chosen() -> None:
    for positive in (0, 1):  # of two classes the same, either way
        assert auc([0.1, 0.4, 0.35, 0.8], positive=positive) == 0.75
    labels = np.array([2, 2, 0, 1])
    assert auc([[0, 0, 0.9], [0, 0, 0.8], [0, 0, 0.85], [0, 0, 0.1]], labels, positive=2) == 0.75


@pytest.mark.parametrize(
    ("labels", "shape", "positive", "said"),
    [
        ([0, 1], (2, 3), None, "are of 3 classes; say in positive which of them is held against all others"),
        ([0, 1], (2, 2), 2, "cannot be held against class 2; the model has the classes 0 to 1"),
        ([0, 2], (2, 1), None, "lie between 0 and 2; the model has the classes 0 to 1"),
        ([1, 1], (2, 1), None, "hold samples of class 1 only, or none of it; both kinds are needed"),
        ([0, 1], (2, 3), 2, "hold samples of class 2 only, or none of it; both kinds are needed"),
        ([0, 1], (2, 3, 3), 1, "need an output of shape [samples, classes], and it is [2, 3, 3]"),
    ],
)
def test_labels(labels: list[int], shape: tuple[int, ...], positive: int | None, said: str) -> None:
    assert Auc(positive).problem(np.array(labels), np.zeros(shape)) == said


def test_blind() -> None:
    assert Auc().blind(LABELS) == 0.5


def test_of_one_kind_it_is_not_defined() -> None:
    metric = Auc()
    assert np.isnan(score_of(metric, metric.statistics(np.array([0.1, 0.9]), np.array([1, 1]))))
