from collections.abc import Callable

import numpy as np
import pytest

from mobile_export.data_checks import DATA_CHECKS
from tests.data_checks.evidence import evidence, found, pictures

IMAGES = pictures(200)
FIRST, SECOND = IMAGES[:80], IMAGES[80:]


def test_alike() -> None:
    assert found("likeness", evidence(FIRST, SECOND)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x * 255, "÷ 255"),
        (lambda x: x / 255, "× 255"),
        (lambda x: x * 2 - 1, "(x + 1) ÷ 2"),
        (lambda x: (x - 0.45) / 0.226, "undoing ImageNet"),
    ],
)
def test_prepared_in_another_way(change: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    (issue,) = DATA_CHECKS["likeness"](evidence(change(FIRST), SECOND))
    assert issue.severity == "error"
    assert f"after {words}" in issue.message


@pytest.mark.parametrize(("factor", "severities"), [(1.5, []), (0.45, ["warning"]), (0.1, ["error"])])
def test_another_strength(factor: float, severities: list[str]) -> None:
    assert found("likeness", evidence((SECOND - 0.5) * factor, FIRST - 0.5)) == severities


def test_few_samples_of_heavy_tails_are_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    tails = np.exp(rng.normal(0, 1.5, (64, 1)) + rng.normal(0, 1.5, (64, 30)))
    assert found("likeness", evidence(tails[:32], tails[32:])) == []


def test_integers_are_compared_too() -> None:
    assert found("likeness", evidence(np.arange(100)[:, None] * 9, np.arange(100)[:, None])) == ["error"]


def test_colours_in_another_order() -> None:
    red = np.array([1, 0.8, 0.6], np.float32)
    assert found("likeness", evidence(FIRST * red, SECOND * red)) == []
    (issue,) = DATA_CHECKS["likeness"](evidence(FIRST * red, SECOND * red[::-1]))
    assert issue.severity == "warning"
    assert "RGB" in issue.message


def test_too_few_to_tell() -> None:
    assert found("likeness", evidence(FIRST[:8] * 255, SECOND[:8])) == []
