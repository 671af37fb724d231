import numpy as np
import pytest

from tests.data_checks.evidence import evidence, found, pictures


@pytest.mark.parametrize(("different", "severities"), [(100, []), (80, []), (79, ["warning"]), (2, ["warning"])])
def test_copies(different: int, severities: list[str]) -> None:
    images = pictures(different)[np.arange(100) % different]
    assert found("duplicates", evidence(images)) == severities


def test_small_samples_come_again_by_chance() -> None:
    assert found("duplicates", evidence(np.random.default_rng(0).integers(0, 3, (100, 4)))) == []


def test_what_is_all_the_same_is_said_elsewhere() -> None:
    assert found("duplicates", evidence(np.repeat(pictures(1), 40, axis=0))) == []
