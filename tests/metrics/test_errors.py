"""What is scored by how far numbers lie apart: mae, mse, r2."""

import numpy as np
import pytest

from mobile_export.metrics import METRICS
from mobile_export.metrics.metric import score_of

MAE, MSE, R2 = (METRICS[name]() for name in ("mae", "mse", "r2"))
ANSWERS = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 30.0]], np.float32)
LABELS = np.array([[1, 10], [2, 21], [3, 32]])


def score(metric, answers=ANSWERS, labels=LABELS) -> float:
    assert metric.problem(labels, answers) is None
    return score_of(metric, metric.statistics(answers, labels))


def test_scores() -> None:
    assert score(MAE) == pytest.approx((0 + 0 + 0 + 1 + 1 + 2) / 6)
    assert score(MSE) == pytest.approx((0 + 0 + 0 + 1 + 1 + 4) / 6)
    assert score(R2) == pytest.approx(((1 - 1 / 2) + (1 - 5 / 242)) / 2)


def test_one_value_a_sample_may_have_any_shape() -> None:
    for answers, labels in (
        (ANSWERS[:, 0], LABELS[:, 0]),
        (ANSWERS[:, :1], LABELS[:, 0]),
        (ANSWERS[:, 0], LABELS[:, :1]),
    ):
        assert score(MSE, answers, labels) == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", [MAE, MSE, R2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_not_finite_spoils_the_score(metric, value: float) -> None:
    answers = ANSWERS.copy()
    answers[1, 0] = value
    assert score(metric, answers) == (-np.inf if metric.higher_is_better else np.inf)


def test_weights_are_how_often_a_sample_counts() -> None:
    twice = [0, 0, 0, 1, 2, 2]
    for metric in (MAE, MSE, R2):
        found = metric.score(metric.statistics(ANSWERS, LABELS), np.array([[3.0, 1.0, 2.0]]))
        assert found[0] == pytest.approx(score(metric, ANSWERS[twice], LABELS[twice]))


def test_large_values_do_not_drown_their_differences() -> None:
    assert score(R2, LABELS + 1e9 + 0.5, LABELS + 1e9) == pytest.approx(((1 - 0.75 / 2) + (1 - 0.75 / 242)) / 2)


def test_blind() -> None:
    labels = np.array([0.0, 0.0, 0.0, 4.0])
    assert MAE.blind(labels) == 1.0
    assert MSE.blind(labels) == 3.0
    assert R2.blind(labels) == 0.0


@pytest.mark.parametrize("metric", [MAE, MSE, R2])
@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array(["a", "b"]), "are <U1; numbers are expected"),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), "have shape [2, 2]; the model's answers have [2, 3]"),
        (np.array([[1.0, 2.0, np.nan]] * 2), "are not all finite"),
        (np.array([[1.0, 2.0, -np.inf]] * 2), "are not all finite"),
    ],
)
def test_wrong_labels(metric, labels: np.ndarray, said: str) -> None:
    assert metric.problem(labels, np.zeros((2, 3))) == said


def test_what_r2_cannot_do() -> None:
    same = np.array([[1.0, 2.0], [3.0, 2.0]])
    assert R2.problem(same, same) == "hold a value that is the same in all samples, of which nothing can be explained"
    many = np.broadcast_to(np.float32([1, 2]), (3_000_000, 2))
    assert R2.problem(many, many[:8]) == (
        "are 6,000,000 values; R² is for up to 4,194,304: draw fewer samples, or choose mse"
    )


def test_what_only_rounding_tells_apart_is_the_same_to_r2() -> None:
    near = np.array([[2**60], [2**60 + 1]])
    assert "the same in all samples" in R2.problem(near, near)


def test_r2_of_samples_with_the_same_label_is_not_defined() -> None:
    statistics = R2.statistics(ANSWERS, np.array([[1, 10], [2, 10], [3, 10]]))
    assert np.isnan(score_of(R2, statistics))


def test_complex_answers() -> None:
    for metric in (MAE, MSE, R2):
        said = metric.problem(LABELS, ANSWERS.astype(np.complex64))
        assert said == "need an output of real numbers, and it is complex64"
