import numpy as np
import pytest

from mobile_export.metrics.metric import score_of
from mobile_export.metrics.top1 import Top1
from mobile_export.metrics.top_k import TopK

ANSWERS = np.array([[0.1, 0.4, 0.3, 0.2]] * 4)
LABELS = np.array([0, 1, 2, 3])


@pytest.mark.parametrize(("k", "right"), [(1, [0, 1, 0, 0]), (2, [0, 1, 1, 0]), (3, [0, 1, 1, 1])])
def test_statistics(k: int, right: list[int]) -> None:
    assert TopK(k).statistics(ANSWERS, LABELS).reshape(-1).tolist() == right


def test_the_first_of_one_is_top1() -> None:
    rng = np.random.default_rng(0)
    answers, labels = rng.integers(0, 4, (200, 5)).astype(np.float32), rng.integers(0, 5, 200)  # with many ties
    answers[:20, 0] = np.nan
    assert np.array_equal(TopK(1).statistics(answers, labels), Top1().statistics(answers, labels))


def test_equal_scores_do_not_all_fit() -> None:
    assert TopK(2).statistics(np.zeros((4, 4)), LABELS).reshape(-1).tolist() == [1, 1, 0, 0]


def test_an_answer_that_is_not_finite_is_wrong() -> None:
    assert (
        score_of(TopK(3), TopK(3).statistics(np.array([[np.nan, 1, 0, 0], [np.inf, 1, 0, 0]]), np.array([1, 1]))) == 0
    )


def test_blind() -> None:
    assert TopK(2).blind(np.array([0, 0, 0, 1, 1, 2, 3, 4])) == 5 / 8


@pytest.mark.parametrize(
    ("labels", "shape", "said"),
    [
        ([0, 6], (2, 7), None),
        ([0, 7], (2, 7), "lie between 0 and 7; the model has the classes 0 to 6"),
        ([0, 1], (2, 5), "are always among the first 5 of 5 classes; choose a smaller k"),
        ([0, 1], (2, 7, 7), "need an output of shape [samples, classes], and it is [2, 7, 7]"),
    ],
)
def test_labels(labels: list[int], shape: tuple[int, ...], said: str | None) -> None:
    assert TopK().problem(np.array(labels), np.zeros(shape)) == said
