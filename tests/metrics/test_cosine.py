import numpy as np
import pytest

from mobile_export.metrics.cosine import Cosine
from mobile_export.metrics.metric import score_of

COSINE = Cosine()


@pytest.mark.parametrize(
    ("answer", "cosine"),
    [
        ([2.0, 0.0], 1),
        ([0.0, 5.0], 0),
        ([-1.0, 0.0], -1),
        ([1.0, 1.0], 0.5**0.5),
        ([1e300, 1e300], 0.5**0.5),
        ([0.0, 0.0], -1),
        ([np.nan, 0.0], -1),
        ([np.inf, 0.0], -1),
    ],
)
@pytest.mark.filterwarnings("error")
def test_statistics(answer: list[float], cosine: float) -> None:
    assert COSINE.statistics(np.array([answer]), np.array([[3.0, 0.0]]))[0, 0] == pytest.approx(cosine)


def test_blind_knows_the_mean_direction() -> None:
    labels = np.array([[1.0, 0.0], [0.0, 7.0], [2.0, 0.0]])
    always = np.repeat([[2.0, 1.0]], 3, axis=0)
    assert COSINE.blind(labels) == pytest.approx(score_of(COSINE, COSINE.statistics(always, labels)))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.ones((2, 3)), None),
        (np.ones((2, 3, 1)), None),
        (np.array([[1.0, 0, 0], [0, 0, 0]]), "hold a vector of zeros, which has no direction"),
        (np.ones((2, 4)), "have shape [2, 4]; the model's answers have [2, 3]"),
    ],
)
def test_labels(labels: np.ndarray, said: str | None) -> None:
    assert COSINE.problem(labels, np.zeros((2, 3))) == said


def test_one_value_has_no_direction() -> None:
    said = "need an output of at least two values a sample, and it is [2, 1]"
    assert COSINE.problem(np.ones((2, 1)), np.ones((2, 1))) == said
