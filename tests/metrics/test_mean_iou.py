import numpy as np
import pytest

from mobile_export.metrics.mean_iou import MeanIou
from mobile_export.metrics.metric import score_of

# Two maps of 2 × 2 pixels, of the classes 0 to 2 and of 3, which is nowhere.
LABELS = np.array([[[0, 0], [1, 1]], [[0, 2], [2, 255]]])
PREDICTED = np.array([[[0, 1], [1, 1]], [[0, 2], [0, 1]]])
ANSWERS = np.eye(4, dtype=np.float32)[PREDICTED]


def score(metric: MeanIou, answers: np.ndarray, labels: np.ndarray) -> float:
    assert metric.problem(labels, answers) is None
    return score_of(metric, metric.statistics(answers, labels))


def test_pixels_of_all_samples_count_together() -> None:
    expected = (2 / 4 + 2 / 3 + 1 / 2) / 3
    assert score(MeanIou(ignore=255), ANSWERS, LABELS) == pytest.approx(expected)
    assert score(MeanIou(ignore=255), ANSWERS, LABELS[..., None]) == pytest.approx(expected)


def test_a_class_that_is_only_predicted_counts_as_missed() -> None:
    labels = np.zeros((1, 2, 2), np.uint8)
    assert score(MeanIou(), np.eye(3)[[[[0, 0], [0, 1]]]], labels) == pytest.approx((3 / 4 + 0) / 2)


def test_one_score_a_pixel() -> None:
    labels = np.array([[[0, 1], [1, 1]]])
    answers = np.array([[[[0.4], [0.6]], [[0.7], [0.3]]]])
    assert score(MeanIou(), answers, labels) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert score(MeanIou(threshold=0.2), answers, labels) == pytest.approx((0 + 3 / 4) / 2)


def test_a_pixel_that_is_not_finite_is_of_no_class() -> None:
    answers = ANSWERS.copy()
    answers[0, 0, 0, 3] = np.nan
    assert score(MeanIou(ignore=255), answers, LABELS) == pytest.approx((1 / 4 + 2 / 3 + 1 / 2) / 3)


def test_weights_are_how_often_a_sample_counts() -> None:
    metric = MeanIou(ignore=255)
    found = metric.score(metric.statistics(ANSWERS, LABELS), np.array([[2.0, 1.0]]))
    assert found[0] == pytest.approx(score(metric, ANSWERS[[0, 0, 1]], LABELS[[0, 0, 1]]))


def test_blind_answers_the_commonest_class() -> None:
    assert MeanIou(ignore=255).blind(LABELS) == pytest.approx(3 / 7 / 3)


@pytest.mark.parametrize(
    ("labels", "shape", "said"),
    [
        (
            LABELS,
            ANSWERS.shape,
            "lie between 0 and 255; the model has the classes 0 to 3, and ignore may name a number for pixels that do "
            "not count",
        ),
        (LABELS[:, :1], ANSWERS.shape, "have shape [2, 1, 2]; one class number for each of [2, 2] is expected"),
        (LABELS.astype(float), ANSWERS.shape, "are float64; class numbers are integers"),
        (LABELS, (2, 4), "need an output of shape [samples, height, width, classes], and it is [2, 4]"),
        (np.full((2, 2, 2), -1), ANSWERS.shape, "are -1 everywhere, which is ignored"),
    ],
)
def test_wrong_labels(labels: np.ndarray, shape: tuple[int, ...], said: str) -> None:
    assert MeanIou().problem(labels, np.zeros(shape)) == said
