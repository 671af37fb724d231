import pytest

from mobile_export.checks import Evidence
from mobile_export.checks.size import size
from mobile_export.target import Limits

FILE = Evidence("int8", {}, {}, None, size=250, zipped_size=200, frozen_size=1000)


def test_values() -> None:
    assert {m.name: (m.value, m.passed) for m in size(FILE, Limits())} == {
        "size": (250, True),
        "zipped_size": (200, True),
        "size_ratio": (0.25, True),
    }


@pytest.mark.parametrize(("limit", "enough", "short"), [("size", 250, 249), ("zipped_size", 200, 199)])
def test_bytes(limit: str, enough: int, short: int) -> None:
    assert all(m.passed for m in size(FILE, Limits(**{limit: enough})))
    assert [m.name for m in size(FILE, Limits(**{limit: short})) if not m.passed] == [limit]


def test_ratio() -> None:
    assert all(m.passed for m in size(FILE, Limits(size_ratio=0.25)))
    assert [m.name for m in size(FILE, Limits(size_ratio=0.249)) if not m.passed] == ["size_ratio"]
