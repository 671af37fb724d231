import math

import pytest

from mobile_export.compare.pareto import LATENCY_NOISE, SQNR_NOISE, beats, mark_pareto
from tests.compare.samples import candidate, check, drop, refused


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


@pytest.mark.parametrize(("faster", "expected"), [(0.5, ["small"]), (1.5, ["small", "fast"])])
def test_latencies_within_noise_tie(faster: float, expected: list[str]) -> None:
    micros = 100 * (1 - faster * LATENCY_NOISE)
    assert best(candidate("small", 500, 100), candidate("fast", 900, micros)) == expected


@pytest.mark.parametrize(
    ("half", "expected"),
    [
        (0.0, ["small", "exact"]),  # one sample in a hundred, without noise
        (0.005, ["small", "exact"]),
        (0.008, ["small"]),  # 0.01 is less than the root of 2 * 0.008²
        (math.nan, ["small"]),
    ],
)
def test_scores_whose_intervals_allow_the_difference_tie(half: float, expected: list[str]) -> None:
    small, exact = (
        candidate("small", 500, checks=(drop(0.01, half),)),
        candidate("exact", 900, checks=(drop(0.0, half),)),
    )
    assert best(small, exact) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (30.0 + SQNR_NOISE / 2, ["small"]),
        (30.0 + SQNR_NOISE * 2, ["small", "exact"]),
        (math.inf, ["small", "exact"]),
        (math.nan, ["small"]),
    ],
)
def test_without_evaluation_data_sqnr_counts(more: float, expected: list[str]) -> None:
    small, exact = (
        candidate("small", 500, checks=(check("sqnr", 30.0, unit="dB"),)),
        candidate("exact", 900, checks=(check("sqnr", more, unit="dB"),)),
    )
    assert best(small, exact) == expected


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
