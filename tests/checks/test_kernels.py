import pytest

from mobile_export.checks import CHECKS, Evidence, judge
from mobile_export.checks.kernels import SHOWN, kernels
from mobile_export.target import Limits


def evidence(lacking: tuple[str, ...] | None) -> Evidence:
    return Evidence("float32", {}, {}, None, size=1, zipped_size=1, frozen_size=1, lacking_kernels=lacking)


def test_nothing_is_said_where_no_runtime_is_named() -> None:
    assert kernels(evidence(None), Limits()) == []


def test_a_runtime_that_has_all() -> None:
    (measured,) = kernels(evidence(()), Limits())
    assert (measured.name, measured.value, measured.limit, measured.passed) == ("kernels", 0, 0, True)


@pytest.mark.parametrize("count", [1, SHOWN, SHOWN + 2])
def test_one_that_is_lacking_fails(count: int) -> None:
    lacking = tuple(f"Op{k} (node 'n{k}'): why" for k in range(count))
    (measured,) = judge(evidence(lacking), Limits(), {"kernels": CHECKS["kernels"]})["kernels"]
    assert (measured.value, measured.passed) == (count, False)
    assert measured.note.startswith("Op0 (node 'n0'): why")
    assert ("and 2 more" in measured.note) == (count > SHOWN)
