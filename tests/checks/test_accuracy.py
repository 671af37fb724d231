import re

import numpy as np
import pytest

from mobile_export.checks import Evidence, Measurement, Scores
from mobile_export.checks.accuracy import DEFAULT_DROP, accuracy
from mobile_export.metrics import METRICS, Metric
from mobile_export.metrics.custom import Custom
from mobile_export.target import Limits

SAMPLES = 200
TOP1, MSE, R2, WER = (METRICS[name]() for name in ("top1", "mse", "r2", "word_error"))


def judged(scores: Scores | None, **limits: float) -> dict[str, Measurement]:
    return {m.name: m for m in accuracy(Evidence("int8", {}, {}, scores, 1, 1, 1), Limits(**limits))}


def shares(reference: float, artifact: float, samples: int = SAMPLES) -> Scores:
    """Of so many samples, those that the reference and the artifact have right, the same ones as far as may be."""
    right = [
        (np.arange(samples) < round(share * samples)).astype(np.float64)[:, None] for share in (reference, artifact)
    ]
    return Scores("top1", TOP1, *right)


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
    found = judged(shares(reference, artifact), **limits)
    assert {name for name, m in found.items() if not m.passed} == missed


@pytest.mark.parametrize(
    ("reference", "artifact", "limits"),
    [(1.0, 0.98, {}), (1.0, 0.99, {"accuracy_drop": 0.01}), (0.95, 0.94, {"accuracy_drop": 0.01})],
)
def test_a_drop_of_exactly_the_limit_passes(reference: float, artifact: float, limits: dict[str, float]) -> None:
    assert judged(shares(reference, artifact), **limits)["accuracy_drop"].passed


def test_values_intervals_and_default() -> None:
    found = judged(shares(0.9, 0.8))
    assert {name: (m.value, m.limit, m.note) for name, m in found.items()} == {
        "accuracy": (0.8, None, "top1 of 200 samples"),
        "accuracy_drop": (pytest.approx(0.1), DEFAULT_DROP, ""),
        "confidence": (pytest.approx(0, abs=1e-3), None, ""),
    }
    assert found["accuracy"].interval == pytest.approx((0.738, 0.853), abs=3e-3)
    assert found["accuracy_drop"].interval == pytest.approx((0.058, 0.150), abs=3e-3)


@pytest.mark.parametrize(
    ("reference", "artifact", "samples", "limits", "note", "number"),
    [
        (0.9, 0.9, 200, {"accuracy_drop": 0.02}, "", None),
        (0.95, 0.944, 1000, {"accuracy_drop": 0.02}, "", None),
        (1.0, 1.0, 20, {"accuracy_drop": 0.02}, "cannot tell with 20 samples; needs about #", 149),
        (0.9, 0.89, 200, {"accuracy_drop": 0.02}, "cannot tell with 200 samples; needs about #", 580),
        (0.9, 0.89, 1000, {"accuracy_drop": 0.014}, "cannot tell with 1,000 samples; needs about #", 2440),
        (
            0.9,
            0.875,
            200,
            {},
            "cannot tell with 200 samples, since the drop may be as small as #; more samples like these would miss the "
            "limit",
            0.0024,
        ),
        (0.9, 0.8, 200, {}, "the drop is at least #", 0.061),
        (
            0.9,
            0.9,
            200,
            {"accuracy_drop": 0.0},
            "cannot tell with 200 samples; the drop is as large as the limit, which no number of samples can tell "
            "apart",
            None,
        ),
    ],
)
def test_confidence(
    reference: float, artifact: float, samples: int, limits: dict[str, float], note: str, number: float | None
) -> None:
    found = judged(shares(reference, artifact, samples), confidence=0.95, **limits)["confidence"]
    assert (found.passed, found.limit, found.at_least) == (not note, 0.95, True)
    if number is None:
        assert found.note == note
    else:
        said = re.fullmatch(re.escape(note).replace(r"\#", "([0-9.,]+)"), found.note)
        assert said, found.note
        assert float(said[1].replace(",", "")) == pytest.approx(number, rel=0.1)


def test_the_surer_one_must_be_the_less_passes() -> None:
    scores = shares(0.9, 0.89)
    passed = [judged(scores, confidence=asked)["confidence"].passed for asked in (0.6, 0.75, 0.9, 0.99)]
    assert passed == [True, True, False, False]
    assert judged(scores)["confidence"].passed


def errors(reference: float, artifact: float) -> Scores:
    spread = np.random.default_rng(0).random((SAMPLES, 1)) + 0.5
    return Scores("mse", MSE, *(spread / spread.mean() * error for error in (reference, artifact)), blind=10.0)


@pytest.mark.parametrize(
    ("reference", "artifact", "limits", "missed"),
    [
        (1.0, 1.19, {}, set()),
        (1.0, 1.21, {}, {"accuracy_drop"}),
        (1.0, 0.1, {}, set()),
        (1.0, 1.04, {"accuracy_drop": 0.05, "accuracy": 1.05, "confidence": 0.95}, {"confidence"}),
        (1.0, 1.04, {"accuracy_drop": 0.5, "accuracy": 1.05, "confidence": 0.95}, set()),
        (1.0, 1.06, {"accuracy_drop": 0.05, "accuracy": 1.05}, {"accuracy_drop", "accuracy"}),
        (1.0, np.inf, {"accuracy": 1e300, "confidence": 0.95}, {"accuracy_drop", "accuracy", "confidence"}),
    ],
)
def test_of_errors_less_is_better(
    reference: float, artifact: float, limits: dict[str, float], missed: set[str]
) -> None:
    found = judged(errors(reference, artifact), **limits)
    assert {name for name, m in found.items() if not m.passed} == missed
    assert not found["accuracy"].at_least


@pytest.mark.parametrize(
    ("metric", "blind", "drop"),
    [
        (TOP1, 0.1, 0.02),
        (METRICS["cosine"](), 0.9, 0.04),
        (R2, 0.0, 0.02),
        (WER, 1.0, 0.02),
        (MSE, 50.0, 1.0),
        (Custom("m:f", print), None, 0.01),  # of the reference's own 0.5
        (Custom("m:f", print, bounds=(0.0, 100.0)), None, 2.0),
    ],
)
def test_the_default_drop_is_of_the_metrics_scale(metric: Metric, blind: float | None, drop: float) -> None:
    columns = 1 if metric.is_mean else 2
    statistics = np.tile(np.arange(SAMPLES) % 2, (columns, 1)).T.astype(float)
    found = judged(Scores("m", metric, statistics, statistics, blind))["accuracy_drop"]
    assert found.limit == pytest.approx(drop)


@pytest.mark.parametrize("reference", [1.0, np.nan])
def test_a_score_that_is_no_number_fails(reference: float) -> None:
    scores = Scores("top1", TOP1, np.full((2, 1), reference), np.array([[1.0], [np.nan]]))
    found = judged(scores, accuracy=0.1, confidence=0.95)
    assert [m.passed for m in found.values()] == [False] * 3
    assert found["confidence"].note == "a score is not finite"


def test_nothing_is_measured_without_labelled_data() -> None:
    assert judged(None, accuracy=0.9) == {}


@pytest.mark.parametrize(("count", "sure"), [(1, False), (5, False), (20, False), (400, True)])
def test_few_samples_prove_little_of_an_error_without_bound(count: int, sure: bool) -> None:
    """All samples agree; another one might be no better than a blind guess, whose error is 1 here."""
    kept = MSE.statistics(np.zeros((count, 1)), np.zeros((count, 1)))
    found = judged(Scores("mse", MSE, kept, kept, blind=1.0), accuracy_drop=0.02, confidence=0.95)
    assert found["accuracy_drop"].passed
    assert found["confidence"].passed == sure
    assert ("cannot tell with" in found["confidence"].note) != sure
