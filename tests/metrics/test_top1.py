import numpy as np
import pytest

from mobile_export.metrics import METRICS
from mobile_export.metrics.metric import score_of

TOP1 = METRICS["top1"]()
NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("answers", "labels", "scores"),
    [
        ([[0.1, 0.9], [0.8, 0.2]], [1, 0], [1, 1]),
        ([[0.1, 0.9], [0.8, 0.2]], [0, 0], [0, 1]),
        ([[0.1, 0.9], [0.8, 0.2]], [[1], [1]], [1, 0]),
        ([[-5, -3, -4]], [1], [1]),
        ([[NAN, 0.9], [0.8, NAN]], [1, 0], [0, 0]),
        ([[NAN, NAN]], [0], [0]),
        ([[INF, 0.0], [0.0, -INF]], [0, 0], [0, 0]),
        ([[0.5, 0.5], [0.5, 0.5]], [0, 1], [1, 0]),  # a tie goes to the lower class, as in the app
    ],
)
def test_statistics(answers: list, labels: list, scores: list[float]) -> None:
    found = TOP1.statistics(np.array(answers, np.float32), np.array(labels))
    assert found.dtype == np.float64
    assert found.tolist() == [[score] for score in scores]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32])
def test_integer_answers(dtype: type) -> None:
    answers = np.array([[3, 9, 1], [7, 2, 2]], dtype)
    assert TOP1.statistics(answers, np.array([1, 2], np.uint8)).tolist() == [[1], [0]]


def test_score_is_the_weighted_mean() -> None:
    statistics = np.array([[1.0], [0.0], [1.0], [0.0]])
    assert score_of(TOP1, statistics) == 0.5
    assert TOP1.score(statistics, np.array([[1.0, 1, 1, 1], [3, 0, 0, 1], [0.5, 1, 0, 0.5]])).tolist() == [
        0.5,
        0.75,
        0.25,
    ]


def test_blind() -> None:
    assert TOP1.blind(np.array([2, 2, 2, 0, 1])) == 0.6


@pytest.mark.parametrize("labels", [np.array([0, 3]), np.array([[0], [3]]), np.array([0, 3], np.uint8)])
def test_sound_labels(labels: np.ndarray) -> None:
    assert TOP1.problem(labels, np.zeros((2, 4))) is None


@pytest.mark.parametrize(
    ("labels", "shape", "said"),
    [
        ([0, 4], (2, 4), "lie between 0 and 4; the model has the classes 0 to 3"),
        ([-1, 3], (2, 4), "lie between -1 and 3; the model has the classes 0 to 3"),
        ([0.0, 1.0], (2, 4), "are float64; class numbers are integers"),
        (["a", "b"], (2, 4), "are <U1; class numbers are integers"),
        ([True, False], (2, 4), "are bool; class numbers are integers"),
        ([[0, 1], [1, 0]], (2, 2), "have shape [2, 2]; one class number a sample is expected"),
        ([0, 1], (2,), "need an output of shape [samples, classes], and it is [2]"),
        ([0, 0], (2, 1), "need an output of shape [samples, classes], and it is [2, 1]"),
        ([0, 1], (2, 3, 4), "need an output of shape [samples, classes], and it is [2, 3, 4]"),
    ],
)
def test_wrong_labels(labels: list, shape: tuple[int, ...], said: str) -> None:
    assert TOP1.problem(np.array(labels), np.zeros(shape)) == said
