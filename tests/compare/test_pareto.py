import math

import pytest

from mobile_export.compare.pareto import LATENCY_NOISE, SQNR_NOISE, beats, mark_pareto
from tests.compare.samples import candidate, check, drop, refused, timing
from tests.published_folder import device


def best(*candidates) -> list[str]:
    return [one.name for one in mark_pareto(candidates) if one.pareto]


def test_a_file_that_is_beaten_in_one_thing_and_better_in_none_is_no_choice() -> None:
    small, large = candidate("small", 500, 10, (drop(0.0),)), candidate("large", 900, 10, (drop(0.0),))
    assert best(small, large) == ["small"]
    assert (beats(small, large), beats(large, small)) == (True, False)


def test_each_that_is_best_in_something_stays() -> None:
    found = best(
        candidate("small", 500, 30, (drop(0.02),)),
        candidate("fast", 900, 10, (drop(0.02),)),
        candidate("exact", 900, 30, (drop(0.0),)),
        candidate("none", 950, 30, (drop(0.02),)),
    )
    assert found == ["small", "fast", "exact"]


def test_equal_files_do_not_beat_each_other() -> None:
    assert best(candidate("one", 500, 10), candidate("other", 500, 10)) == ["one", "other"]


def test_no_chain_of_ties_loses_a_file_that_nothing_left_beats() -> None:
    chain = [
        candidate(n, z, 10, (drop(d, 0.01),)) for n, z, d in (("a", 500, 0.03), ("b", 600, 0.02), ("c", 700, 0.01))
    ]
    assert best(*chain) == ["a", "b", "c"]


@pytest.mark.parametrize(("faster", "beaten"), [(0.5, False), (1.5, True)])
def test_latencies_within_noise_tie(faster: float, beaten: bool) -> None:
    fast, slow = candidate("fast", 500, 100 * (1 - faster * LATENCY_NOISE)), candidate("slow", 500, 100)
    assert beats(fast, slow) == beaten
    assert not beats(slow, fast)


def test_latencies_tie_where_the_intervals_of_their_medians_overlap() -> None:
    fast, slow = (
        candidate(name, 500, timings=(timing(median).model_copy(update={"interval": interval}),))
        for name, median, interval in (("fast", 0.8, (0.7, 0.95)), ("slow", 1.0, (0.9, 1.1)))
    )
    assert not beats(fast, slow)


@pytest.mark.parametrize(("half", "beaten"), [(0.0, True), (0.005, True), (0.008, False), (math.nan, False)])
def test_scores_whose_intervals_allow_the_difference_tie(half: float, beaten: bool) -> None:
    exact, lossy = (candidate("a", checks=(drop(d, half),)) for d in (0.0, 0.01))
    assert beats(exact, lossy) == beaten
    assert not beats(lossy, exact)


def test_of_an_interval_the_half_that_faces_the_other_file_counts() -> None:
    exact = candidate("exact", checks=(drop(0.0).model_copy(update={"interval": (-0.05, 0.001)}),))
    lossy = candidate("lossy", checks=(drop(0.01).model_copy(update={"interval": (0.009, 0.06)}),))
    assert beats(exact, lossy)


@pytest.mark.parametrize(
    ("more", "beaten"), [(30 + SQNR_NOISE / 2, False), (30 + SQNR_NOISE * 2, True), (math.inf, True), (math.nan, False)]
)
def test_without_evaluation_data_sqnr_counts(more: float, beaten: bool) -> None:
    exact, lossy = (candidate("a", checks=(check("sqnr", value, unit="dB"),)) for value in (more, 30.0))
    assert beats(exact, lossy) == beaten


def test_above_enough_decibels_all_are_exact() -> None:
    rounded, exact = (
        candidate("a", 500, checks=(check("sqnr", 90.0),)),
        candidate("b", 900, checks=(check("sqnr", 140.0),)),
    )
    assert best(rounded, exact) == ["a"]


def test_what_missed_a_limit_was_refused_or_not_run_is_never_marked() -> None:
    found = best(
        candidate("missed", 100, checks=(drop(0.5, limit=0.01),)),
        candidate("unchecked", 100, file={"unchecked": "nothing here runs it"}),
        refused("refused", "why"),
        candidate("passed", 900, checks=(drop(0.0, limit=0.01),)),
    )
    assert found == ["passed"]


def test_nothing_passed() -> None:
    assert best(refused("refused", "why")) == []
    assert best() == []


def test_what_fails_on_a_device_is_no_choice() -> None:
    small = candidate("small", 500, 10, (drop(0.0),), file={"devices": (device("cortex-a76", 0.5),)})
    assert best(small, candidate("large", 900, 10, (drop(0.0),))) == ["large"]
