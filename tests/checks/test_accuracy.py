import numpy as np
import pytest

from mobile_export.checks import Evidence, Scores
from mobile_export.checks.accuracy import DEFAULT_DROP, accuracy
from mobile_export.target import Limits

SAMPLES = 200


def measure(reference: float, artifact: float, **limits: float):
    """Of 200 samples, the shares that the reference and the artifact have right."""
    scores = [(np.arange(SAMPLES) < round(share * SAMPLES)).astype(np.float64) for share in (reference, artifact)]
    evidence = Evidence("int8", {}, {}, Scores("top1", *scores), size=1, zipped_size=1, frozen_size=1)
    return {m.name: m for m in accuracy(evidence, Limits(**limits))}


@pytest.mark.parametrize(
    ("reference", "artifact", "limits", "missed"),
    [
        (0.9, 0.9, {}, set()),
        (0.9, 0.885, {}, set()),
        (0.9, 0.875, {}, {"accuracy_drop"}),
        (0.9, 0.1, {}, {"accuracy_drop"}),
        (0.5, 0.9, {}, set()),
        (0.9, 0.9, {"accuracy": 0.9}, set()),
        (0.9, 0.895, {"accuracy": 0.9}, {"accuracy"}),
        (0.9, 0.9, {"accuracy_drop": 0.0}, set()),
        (0.9, 0.895, {"accuracy_drop": 0.0}, {"accuracy_drop"}),
        (0.9, 0.895, {"accuracy_drop": 0.0051}, set()),
        (0.9, 0.895, {"accuracy_drop": 0.0049}, {"accuracy_drop"}),
        (0.9, 0.4, {"accuracy_drop": 0.5}, set()),
        (0.9, 0.395, {"accuracy_drop": 0.5}, {"accuracy_drop"}),
        (0.9, 0.395, {"accuracy_drop": 0.5, "accuracy": 0.4}, {"accuracy_drop", "accuracy"}),
        (0.8, 0.85, {"accuracy_drop": -0.04}, set()),  # must be better than the reference
        (0.8, 0.83, {"accuracy_drop": -0.04}, {"accuracy_drop"}),
    ],
)
def test_limits(reference: float, artifact: float, limits: dict[str, float], missed: set[str]) -> None:
    assert {name for name, m in measure(reference, artifact, **limits).items() if not m.passed} == missed


@pytest.mark.parametrize(
    ("reference", "artifact", "limits"),
    [(1.0, 0.98, {}), (1.0, 0.99, {"accuracy_drop": 0.01}), (0.95, 0.94, {"accuracy_drop": 0.01})],
)
def test_a_drop_of_exactly_the_limit_passes(reference: float, artifact: float, limits: dict[str, float]) -> None:
    assert measure(reference, artifact, **limits)["accuracy_drop"].passed


def test_values_and_default() -> None:
    found = measure(0.9, 0.8)
    assert {name: (m.value, m.limit, m.note) for name, m in found.items()} == {
        "accuracy": (0.8, None, "top1 of 200 samples"),
        "accuracy_drop": (pytest.approx(0.1), DEFAULT_DROP, ""),
    }


def test_a_score_that_is_no_number_fails() -> None:
    scores = Scores("top1", np.ones(2), np.array([1.0, np.nan]))
    found = accuracy(Evidence("int8", {}, {}, scores, 1, 1, 1), Limits(accuracy=0.1))
    assert [m.passed for m in found] == [False, False]


def test_nothing_is_measured_without_labelled_data() -> None:
    assert accuracy(Evidence("int8", {}, {}, None, 1, 1, 1), Limits(accuracy=0.9)) == []
