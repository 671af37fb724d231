import pytest

from mobile_export.data_checks import DATA_CHECKS, Evidence, Issue
from mobile_export.data_checks.evidence import ModelInput, NormFit
from mobile_export.data_checks.readings import usual_readings
from mobile_export.target import Preprocessing

INPUT = ModelInput("x", "float32", "model.inputs[0].preprocessing", Preprocessing())
TO_BYTES, *_ = usual_readings(0, 1, (8, 8, 3))


def issues(*fits: tuple[str, float, float | None]) -> list[Issue]:
    """Of fits: the set, its distance, and that after × 255."""
    made = [
        NormFit(key, INPUT, "norm", distance, () if other is None else ((TO_BYTES, other),))
        for key, distance, other in fits
    ]
    return list(DATA_CHECKS["normalization"](Evidence((INPUT,), fits=tuple(made))))


def test_fits() -> None:
    assert issues(("data.calibration", 0.49, None), ("data.evaluation", 0.02, None)) == []


@pytest.mark.parametrize(("distance", "severity"), [(0.51, "warning"), (1.49, "warning"), (1.51, "error")])
def test_no_reading_explains_it(distance: float, severity: str) -> None:
    (issue,) = issues(("data.calibration", distance, distance))
    assert issue.severity == severity
    assert "no usual mistake explains it" in issue.message


def test_a_reading_explains_it() -> None:
    (issue,) = issues(("data.calibration", 1.0, 0.2))
    assert issue.severity == "error"
    assert "0.20 after × 255; store the samples so, or set scale = 255" in issue.message


def test_a_reading_that_is_hardly_better_explains_nothing() -> None:
    (issue,) = issues(("data.calibration", 0.6, 0.25))
    assert issue.severity == "warning"


def test_sets_that_are_wrong_alike_are_named_together() -> None:
    (issue,) = issues(("data.calibration", 5, 0.1), ("data.evaluation", 6, 0.1))
    assert issue.message.startswith("data.calibration and data.evaluation: ")


def test_a_set_that_is_wrong_alone_is_the_files_fault() -> None:
    (issue,) = issues(("data.calibration", 5, 0.1), ("data.evaluation", 0.1, None))
    assert issue.message.endswith("after × 255; store the samples so")


def test_sets_that_are_wrong_in_two_ways() -> None:
    assert [issue.severity for issue in issues(("data.calibration", 5, 0.1), ("data.evaluation", 1, None))] == [
        "error",
        "warning",
    ]


def test_the_worst_norm_counts() -> None:
    (issue,) = issues(("data.calibration", 0.1, None), ("data.calibration", 2, None))
    assert issue.severity == "error"
