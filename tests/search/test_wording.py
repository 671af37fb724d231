"""The one sentence that says what was chosen, and why."""

from dataclasses import replace

import pytest

from mobile_export.quantize.scheme import Scheme
from mobile_export.search.trail import Outcome, Proposal, Reading, Trail, Trial
from mobile_export.search.wording import conclusion, describe_scheme
from mobile_export.target import Limits

LIMITS = Limits(accuracy_drop=0.01)


def trial(scheme: Scheme, size: int, drop: float, why="uniform") -> Trial:
    reading = Reading("accuracy", "accuracy_drop", drop, 0.01, False, drop <= 0.01, unit="share")
    noise = Reading("parity", "sqnr", 20.0, 10.0, True, True, unit="dB")
    return Trial(Proposal(scheme, why), Outcome("passed" if reading.passed else "missed", size, (reading, noise)))


INT8, FLOAT16 = trial(Scheme("int8"), 30, 0.24), trial(Scheme("float16"), 50, 0.0)
MIXED = trial(Scheme.mixed("int8", {"a": "int16x8", "b": "int16x8"}), 32, 0.002, "bisection")
PROBE = Trial(Proposal(Scheme("float32"), "sensitivity", "probe"), Outcome("passed", 1))


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        (Scheme("int8"), "int8"),
        (Scheme.mixed("int8", {"a": "int16x8", "b": "int16x8"}), "int8 with 2 of 9 layers at int16x8"),
        (
            Scheme.mixed("int8", {"a": "int16x8", "b": "float16", "c": "float16"}),
            "int8 with 2 of 9 layers at float16 and 1 at int16x8",
        ),
        (
            Scheme("int8", per_channel=False, ranges="entropy", weights="mse"),
            "int8, one scale a tensor, ranges by entropy, weights by mse",
        ),
    ],
)
def test_a_scheme_in_words(scheme: Scheme, said: str) -> None:
    assert describe_scheme(scheme, 9) == said


def test_a_mixture_and_what_is_wrong_without() -> None:
    assert conclusion(Trail((INT8, FLOAT16, PROBE, MIXED)), MIXED, 9, LIMITS) == (
        "int8 with 2 of 9 layers at int16x8: the smallest of 3 files tried that holds accuracy_drop ≤ 1.00 %; "
        "int8 alone does not: accuracy_drop is 24.00 %"
    )


def test_a_larger_precision_and_what_is_wrong_with_the_smaller_one() -> None:
    assert conclusion(Trail((INT8, FLOAT16)), FLOAT16, 9, LIMITS) == (
        "float16: the smallest of 2 files tried that holds accuracy_drop ≤ 1.00 %; "
        "int8 does not: accuracy_drop is 24.00 %"
    )


def test_nothing_was_wrong() -> None:
    fine = trial(Scheme("int8"), 30, 0.0)
    said = "int8: the smallest of 2 files tried that holds all limits"
    assert conclusion(Trail((fine, FLOAT16)), fine, 9, Limits()) == said


def test_nothing_passes() -> None:
    assert conclusion(Trail((INT8,)), INT8, 9, LIMITS) == (
        "int8: no file holds all limits; of 1 file tried, this one comes nearest (accuracy_drop is 24.00 %)"
    )


def test_the_budget_ended_it() -> None:
    assert conclusion(Trail((INT8, FLOAT16), "300 s"), FLOAT16, 9, LIMITS).endswith(
        "accuracy_drop is 24.00 %; the search ended after 300 s, before it was done"
    )


def test_the_nearest_misses_fewest_limits_and_is_cleanest() -> None:
    clean = replace(
        INT8.outcome, readings=(INT8.outcome.readings[0], Reading("parity", "sqnr", 30.0, 10.0, True, True, unit="dB"))
    )
    cleaner = Trial(Proposal(Scheme("int16x8"), "uniform"), clean)
    large = Reading("size", "size", 3.0, 1.0, False, False, unit="bytes")
    larger = Trial(Proposal(Scheme("float32"), "uniform"), replace(clean, readings=(*clean.readings, large)))
    assert Trail((larger, INT8, cleaner)).nearest == cleaner
    assert Trail((PROBE,)).nearest is None
