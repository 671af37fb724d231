import numpy as np
import pytest

from mobile_export.data_checks import DATA_CHECKS
from mobile_export.data_checks.traces import Factor, Range
from tests.data_checks.evidence import evidence, found, pictures

TAKEN = Range("quantize", "x", 0.0, 1.0, measured=True)
CLIP = Range("clip", "x", 0.0, 1.0, measured=False)
BYTES = Factor("scale", "x", 1 / 255)


@pytest.mark.parametrize("step", [TAKEN, CLIP])
def test_within(step: Range) -> None:
    assert found("ranges", evidence(pictures(40), steps=(step,))) == []


@pytest.mark.parametrize("step", [TAKEN, CLIP])
@pytest.mark.parametrize(("shift", "severities"), [(0.005, []), (0.1, ["warning"]), (0.5, ["error"])])
def test_beyond(step: Range, shift: float, severities: list[str]) -> None:
    images = np.linspace(0, 1, 40 * 48, dtype=np.float32).reshape(40, 4, 4, 3)
    assert found("ranges", evidence(images + shift, steps=(step,))) == severities


@pytest.mark.parametrize(("factor", "severities"), [(0.3, []), (0.2, ["warning"]), (1 / 255, ["error"])])
def test_a_range_that_is_hardly_used(factor: float, severities: list[str]) -> None:
    assert found("ranges", evidence(pictures(40) * factor, steps=(TAKEN,))) == severities
    assert found("ranges", evidence(pictures(40) * factor, steps=(CLIP,))) == []


def test_divided_twice() -> None:
    assert found("ranges", evidence(pictures(40) * 255, steps=(BYTES,))) == []
    (issue,) = DATA_CHECKS["ranges"](evidence(pictures(40), steps=(BYTES,)))
    assert issue.severity == "error"
    assert "normalized twice" in issue.message
    assert "× 255" in issue.message


def test_dark_pictures_are_not_divided_twice() -> None:
    assert found("ranges", evidence(pictures(40) * 20, steps=(BYTES,))) == []


def test_a_factor_that_says_nothing() -> None:
    assert found("ranges", evidence(pictures(40) / 255, steps=(Factor("scale", "x", 0.5),))) == []
