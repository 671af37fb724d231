import numpy as np
import pytest

from mobile_export.data_checks.evidence import NormFit
from tests.data_checks.evidence import evidence, found, one_hot, pictures, sample_set

BYTES = np.rint(pictures(100) * 255)
CLASSES = np.arange(100) % 10


def answers(certain: int) -> np.ndarray:
    unsure = one_hot(CLASSES) * 0.5 + 0.05
    unsure[:certain] = one_hot(CLASSES[:certain])
    return unsure


@pytest.mark.parametrize(("certain", "severities"), [(39, []), (40, ["warning"])])
def test_bytes_that_saturate(certain: int, severities: list[str]) -> None:
    assert found("saturation", evidence(sample_set("calibration", BYTES, answers=answers(certain)))) == severities


def test_fractions_and_scores_that_are_no_probabilities() -> None:
    assert found("saturation", evidence(sample_set("calibration", pictures(100), answers=answers(100)))) == []
    assert found("saturation", evidence(sample_set("calibration", BYTES, answers=answers(100) * 3))) == []


def test_batch_norms_know_better() -> None:
    data = evidence(sample_set("calibration", BYTES, answers=answers(100)))
    fits = (NormFit("data.calibration", data.inputs[0], "norm", 0.1),)
    assert found("saturation", evidence(sample_set("calibration", BYTES, answers=answers(100)), fits=fits)) == []
