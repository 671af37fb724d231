"""All checks together: what was asked is measured, or fails."""

import numpy as np
import pytest

from mobile_export.checks import CHECKS, Evidence, Measurement, Scores, judge
from mobile_export.checks.evidence import AT_LEAST
from mobile_export.metrics import METRICS
from mobile_export.target import Limits

ANSWERS = {"y": np.random.default_rng(0).normal(size=(16, 4))}
SCORES = Scores("top1", METRICS["top1"](), np.ones((16, 1)), np.ones((16, 1)))
# The strictest of each limit that a file equal to the reference, of 100 bytes, keeps.
KEPT = {
    "accuracy": 1.0,
    "accuracy_drop": 0.18,  # 16 samples that agree cannot be surer
    "confidence": 0.95,
    "latency_ratio": 0.5,
    "size": 100,
    "zipped_size": 90,
    "size_ratio": 0.5,
    "max_abs": 0.0,
    "max_rel": 0.0,
    "cosine": 0.999999,
    "sqnr": 1e6,  # without any noise, it is infinite
    "rank_agreement": 0.999999,
    "top1_agreement": 1.0,
}


def evidence(scores: Scores | None = SCORES, answers=ANSWERS) -> Evidence:
    return Evidence("int8", ANSWERS, answers, scores, size=100, zipped_size=90, frozen_size=200, latency_ratio=0.5)


def missed(results: dict[str, list[Measurement]]) -> set[str]:
    return {m.name for measurements in results.values() for m in measurements if not m.passed}


def test_every_limit_of_the_target_file_is_measured_by_a_check() -> None:
    results = judge(evidence(), Limits())
    assert set(results) == set(CHECKS)
    measured_here = set(Limits.model_fields) - {"device_difference"}  # which tests of `device` look at
    assert set(KEPT) == measured_here
    assert {m.name for measurements in results.values() for m in measurements} == measured_here


def test_a_sound_file_passes_without_limits_and_with_all_of_them() -> None:
    assert missed(judge(evidence(), Limits())) == set()
    assert missed(judge(evidence(), Limits(**KEPT))) == set()


@pytest.mark.parametrize(
    ("limits", "names"),
    [
        (Limits(accuracy=0.1), {"accuracy"}),
        (Limits(accuracy_drop=0.9), {"accuracy_drop"}),
        (Limits(accuracy=0.1, accuracy_drop=0.9, size=100), {"accuracy", "accuracy_drop"}),
    ],
)
def test_a_limit_that_nothing_measured_fails(limits: Limits, names: set[str]) -> None:
    results = judge(evidence(scores=None), limits)
    assert missed(results) == names
    assert {m.note for m in results["unmeasured"]} == {"nothing to measure it with"}


@pytest.mark.parametrize(
    ("limits", "asked", "unit"),
    [
        (Limits(accuracy=0.9), ["≥ 0.9"], ""),
        (Limits(confidence=0.95), ["≥ 0.95"], ""),
        (Limits(latency_ratio=0.5), ["≤ 0.5"], ""),
        (Limits(size=100), ["≤ 100"], "bytes"),
        (Limits(sqnr=20), ["≥ 20"], "dB"),
    ],
)
def test_a_limit_that_nothing_measured_is_told_as_it_was_asked(limits: Limits, asked: list[str], unit: str) -> None:
    unmeasured = judge(evidence(scores=None), limits, checks={})["unmeasured"]
    assert [m.asked for m in unmeasured] == asked
    assert [m.unit for m in unmeasured] == [unit]


def test_a_limit_on_an_output_that_is_missing_fails() -> None:
    assert missed(judge(evidence(answers={}), Limits(max_abs=1e9))) == {"sqnr", "max_abs"}


def test_a_limit_without_its_check_fails() -> None:
    assert missed(judge(evidence(), Limits(size=100), checks={})) == {"size"}


@pytest.mark.parametrize(
    ("value", "limit", "at_least", "passed"),
    [
        (1.0, None, True, True),
        (float("nan"), None, True, True),
        (1.0, 1.0, True, True),
        (1.0, 1.0, False, True),
        (0.9, 1.0, True, False),
        (1.1, 1.0, True, True),
        (0.9, 1.0, False, True),
        (1.1, 1.0, False, False),
        (float("nan"), 1.0, True, False),
        (float("nan"), 1.0, False, False),
        (1.0, float("nan"), True, False),
        (1.0, float("nan"), False, False),
    ],
)
def test_measurement(value: float, limit: float | None, at_least: bool, passed: bool) -> None:
    assert Measurement("x", value, limit, at_least).passed is passed


def test_lower_bounds_are_limits_that_say_least_and_no_others_do() -> None:
    described = {name for name, field in Limits.model_fields.items() if "Least" in field.description}
    assert described == AT_LEAST


@pytest.mark.parametrize(
    ("limit", "at_least", "text"), [(None, True, "–"), (0.9, True, "≥ 0.9"), (0.02, False, "≤ 0.02")]
)
def test_asked(limit: float | None, at_least: bool, text: str) -> None:
    assert Measurement("x", 0.0, limit, at_least).asked == text
