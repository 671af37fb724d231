import numpy as np

from mobile_export.data_checks import DATA_CHECKS
from tests.data_checks.evidence import evidence, found, pictures

IMAGES = pictures(60)


def test_disjoint() -> None:
    assert found("overlap", evidence(IMAGES[:30], IMAGES[30:])) == []


def test_shared() -> None:
    (issue,) = DATA_CHECKS["overlap"](evidence(IMAGES[:30], IMAGES[28:]))
    assert issue.severity == "warning"
    assert "2 of 32 samples" in issue.message


def test_small_samples_are_shared_by_chance() -> None:
    rng = np.random.default_rng(0)
    assert found("overlap", evidence(rng.integers(0, 3, (40, 4)), rng.integers(0, 3, (40, 4)))) == []


def test_one_set() -> None:
    assert found("overlap", evidence(IMAGES)) == found("overlap", evidence(evaluation=IMAGES)) == []
