"""Whether intervals hold what they promise; exact bounds are computed here from the binomial distribution itself."""

import math
import tracemalloc

import numpy as np
import pytest

from mobile_export.metrics import METRICS, Metric, interval
from mobile_export.metrics.custom import Custom
from mobile_export.metrics.interval import estimate_drop, estimate_score, needed_samples

TOP1, MSE, AUC, F1 = (METRICS[name]() for name in ("top1", "mse", "auc", "f1"))


def shares(right: int, count: int) -> np.ndarray:
    return (np.arange(count) < right).astype(np.float64)[:, None]


def chance_of_at_most(right: int, count: int, share: float) -> float:
    return sum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(right + 1))


@pytest.mark.parametrize(("right", "count"), [(20, 20), (0, 20), (18, 20), (95, 100), (180, 200)])
def test_of_a_share_it_is_the_exact_one(right: int, count: int) -> None:
    """Clopper and Pearson: at either end, what was seen, or something further off, has a chance of 2.5 %."""
    score = estimate_score(TOP1, shares(right, count))
    low, high = score.interval()
    assert score.value == right / count
    if right > 0:
        assert 1 - chance_of_at_most(right - 1, count, low) == pytest.approx(0.025, rel=0.15)
    else:
        assert low == pytest.approx(0, abs=1e-3)
    if right < count:
        assert chance_of_at_most(right, count, high) == pytest.approx(0.025, rel=0.15)
    else:
        assert high == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("count", [20, 149, 1000])
def test_where_no_sample_differs_a_share_may_be_wrong_unseen(count: int) -> None:
    for metric, statistics in (
        (TOP1, shares(count, count)),
        (AUC, np.stack([np.arange(count)] * 2, axis=1) > count / 2),
    ):
        drop = estimate_drop(metric, statistics.astype(np.float64), statistics.astype(np.float64))
        assert drop.value == 0
        assert drop.at_most(0.95) == pytest.approx(1 - 0.05 ** (1 / count), rel=0.03)
        assert drop.at_least(0.95) == pytest.approx(-drop.at_most(0.95))


def test_samples_are_paired() -> None:
    """Two files that are both right in half of the samples: the same half, or another."""
    one, other = shares(500, 1000), 1 - shares(500, 1000)
    assert estimate_drop(TOP1, one, one).at_most(0.95) < 0.004
    assert estimate_drop(TOP1, one, other).at_most(0.95) > 0.04


@pytest.mark.parametrize("lower_is_better", [False, True])
def test_worse_is_a_drop_above_0(lower_is_better: bool) -> None:
    metric = Custom("m:f", print, higher_is_better=not lower_is_better, bounds=(0.0, 1.0))
    drop = estimate_drop(metric, shares(900, 1000), shares(800, 1000))
    sign = -1 if lower_is_better else 1
    assert drop.value == pytest.approx(0.1 * sign)
    low, high = drop.interval()
    assert low < 0.1 * sign < high
    assert low * high > 0


def test_certainty_is_the_confidence_whose_bound_is_the_limit() -> None:
    drop = estimate_drop(TOP1, shares(190, 200), shares(186, 200))
    for confidence in (0.6, 0.8, 0.95, 0.99):
        assert drop.certainty(drop.at_most(confidence)) == pytest.approx(confidence, abs=1e-3)
    assert drop.certainty(2.0) == 1
    assert drop.certainty(-1.0) == 0
    assert math.isnan(drop.certainty(math.nan))


@pytest.mark.parametrize(("reference", "artifact", "value"), [(1.0, np.inf, np.inf), (np.inf, np.inf, np.nan)])
def test_what_is_not_finite_holds_no_limit(reference: float, artifact: float, value: float) -> None:
    with np.errstate(invalid="ignore"):
        drop = estimate_drop(MSE, np.full((9, 1), reference), np.full((9, 1), artifact))
    assert drop.value == value or (math.isnan(drop.value) and math.isnan(value))
    assert not drop.certainty(1e300) > 0


def drawn_top1(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """One sample in 20 is lost, one in 50 won: a drop of 0.03."""
    kind = rng.choice(4, count, p=[0.05, 0.02, 0.83, 0.1])
    return np.isin(kind, (0, 2))[:, None].astype(float), np.isin(kind, (1, 2))[:, None].astype(float)


def drawn_mse(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors of variance 1, and of 0.04 more."""
    errors = rng.normal(size=(count, 1))
    return errors**2, (errors + 0.2 * rng.normal(size=(count, 1))) ** 2


def drawn_f1(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """One sample in five is positive; the reference is wrong in one of ten, the artifact in 12.4 of a hundred."""
    label = rng.random(count) < 0.2
    reference = label ^ (rng.random(count) < 0.1)
    artifact = reference ^ (rng.random(count) < 0.03)
    return np.stack([label, reference], axis=1).astype(float), np.stack([label, artifact], axis=1).astype(float)


def f1(wrong: float) -> float:
    return 0.4 * (1 - wrong) / (0.2 + 0.2 * (1 - wrong) + 0.8 * wrong)


@pytest.mark.parametrize(
    ("metric", "drawn", "count", "drop", "least"),
    [
        (TOP1, drawn_top1, 30, 0.03, 0.95),
        (TOP1, drawn_top1, 300, 0.03, 0.95),
        (F1, drawn_f1, 200, f1(0.1) - f1(0.124), 0.92),
        (MSE, drawn_mse, 30, 0.04, 0.90),
        (MSE, drawn_mse, 100, 0.04, 0.92),
    ],
)
def test_coverage(
    metric: Metric, drawn, count: int, drop: float, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How often a bound of 95 % confidence holds, over 400 sets of samples; by chance it may be 0.02 less."""
    monkeypatch.setattr(interval, "MOST_DRAWS", interval.LEAST_DRAWS)
    rng = np.random.default_rng(0)
    found = [estimate_drop(metric, *drawn(rng, count)) for _ in range(400)]
    assert np.mean([estimate.at_most(0.95) >= drop for estimate in found]) >= least - 0.02
    assert np.mean([estimate.at_least(0.95) <= drop for estimate in found]) >= least - 0.02
    two_sided = [estimate.interval() for estimate in found]
    assert np.mean([low <= drop <= high for low, high in two_sided]) >= least - 0.03
    wide = [high - low for low, high in two_sided]
    assert np.mean(wide) < 8 / count + 5 * np.std([estimate.value for estimate in found])  # and is not vacuous


@pytest.mark.parametrize(("count", "lost", "limit"), [(200, 1, 0.012), (200, 0, 0.01), (1000, 8, 0.012), (20, 0, 0.02)])
def test_needed_samples_are_enough_and_not_far_too_many(count: int, lost: int, limit: float) -> None:
    needed = needed_samples(TOP1, shares(count, count), shares(count - lost, count), limit, 0.95)
    assert needed > count
    for times, holds in ((1.2, True), (0.8, False)):
        many = round(needed * times)
        bound = estimate_drop(TOP1, shares(many, many), shares(round(many * (1 - lost / count)), many)).at_most(0.95)
        assert (bound <= limit) is holds


def test_needed_samples_of_a_score_without_bounds() -> None:
    rng = np.random.default_rng(0)
    needed = needed_samples(MSE, *drawn_mse(rng, 500), limit=0.06, confidence=0.95)
    assert 600 < needed < 5000
    assert estimate_drop(MSE, *drawn_mse(rng, 10 * needed)).at_most(0.95) < 0.06


@pytest.mark.parametrize("limit", [0.0, 0.005, 0.01, 0.01 + 1e-14])
def test_no_number_of_samples_shows_what_is_not_so(limit: float) -> None:
    assert needed_samples(TOP1, shares(200, 200), shares(198, 200), limit, 0.95) is None


def test_samples_in_another_order_or_counted_twice_change_little() -> None:
    rng = np.random.default_rng(0)
    one, other = drawn_mse(rng, 400)
    order = rng.permutation(400)
    assert estimate_drop(MSE, one, other).interval() == pytest.approx(
        estimate_drop(MSE, one[order], other[order]).interval(), rel=1e-9
    )
    twice = estimate_drop(MSE, np.tile(one, (2, 1)), np.tile(other, (2, 1))).interval()
    assert twice == pytest.approx(estimate_drop(MSE, one, other, times=2).interval(), rel=1e-9)


def test_the_same_every_time() -> None:
    assert np.array_equal(estimate_score(AUC, AUC_SAMPLES).upper, estimate_score(AUC, AUC_SAMPLES).upper)


AUC_SAMPLES = np.stack([np.random.default_rng(0).random(100), np.arange(100) % 2], axis=1)


@pytest.mark.parametrize("metric", [MSE, AUC])
def test_draws_of_many_samples_are_not_held_at_once(metric: Metric) -> None:
    """2,000 draws of 10,000 samples have 160 MB of weights."""
    rng = np.random.default_rng(0)
    statistics = np.stack([rng.random(10_000), np.arange(10_000) % 2], axis=1)[:, : 1 if metric is MSE else 2]
    tracemalloc.start()
    estimate_score(metric, statistics)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6
