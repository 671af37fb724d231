import numpy as np
import pytest

from tests.data_checks.evidence import evidence, found

ROWS = np.random.default_rng(0).random((64, 3))


@pytest.mark.parametrize(("count", "severities"), [(32, []), (31, ["warning"]), (8, ["warning"]), (7, ["error"])])
def test_calibration(count: int, severities: list[str]) -> None:
    assert found("amount", evidence(ROWS[:count])) == severities


def test_evaluation_may_be_small() -> None:
    assert found("amount", evidence(evaluation=ROWS[:4])) == []
