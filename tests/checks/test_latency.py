import pytest

from mobile_export.checks import Evidence, judge
from mobile_export.checks.latency import latency
from mobile_export.target import Limits


def file(ratio: float | None) -> Evidence:
    return Evidence("int8", {}, {}, None, size=1, zipped_size=1, frozen_size=1, latency_ratio=ratio)


@pytest.mark.parametrize(("ratio", "passed"), [(0.5, True), (0.500001, False), (float("nan"), False)])
def test_the_limit(ratio: float, passed: bool) -> None:
    (found,) = latency(file(ratio), Limits(latency_ratio=0.5))
    assert (found.name, found.passed, found.at_least) == ("latency_ratio", passed, False)
    assert found.note == "on this computer; a phone's may differ"


def test_without_a_limit_it_is_told() -> None:
    assert [found.passed for found in latency(file(2.0), Limits())] == [True]


def test_what_was_not_measured_holds_no_limit() -> None:
    assert latency(file(None), Limits()) == []
    missed = [
        m.name
        for found in judge(file(None), Limits(latency_ratio=0.5), {"latency": latency}).values()
        for m in found
        if not m.passed
    ]
    assert missed == ["latency_ratio"]
