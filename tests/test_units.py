"""A unit that nobody lists as independent would be free to import its siblings."""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from mobile_export.apps import LANGUAGES
from mobile_export.checks import CHECKS
from mobile_export.data import READERS
from mobile_export.data_checks import DATA_CHECKS
from mobile_export.devices import DEVICES
from mobile_export.formats import FORMATS
from mobile_export.graph_transform_tool.transforms import GRAPH_TRANSFORMS
from mobile_export.lint import DELEGATES
from mobile_export.metrics import METRICS
from mobile_export.sources import SOURCES
from mobile_export.transforms import TRANSFORMS

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = [each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["type"] == "independence"]


def module_of(unit: object) -> str:
    """Where a function, a class, or an object's class is defined."""
    return getattr(unit, "__module__", None) or type(unit).__module__


@pytest.mark.parametrize(
    ("kind", "units"),
    {
        "CHECKS": CHECKS.values(),
        "DATA_CHECKS": DATA_CHECKS.values(),
        "DELEGATES": DELEGATES.values(),
        "DEVICES": DEVICES.values(),
        "FORMATS": FORMATS.values(),
        "LANGUAGES": LANGUAGES.values(),
        "METRICS": METRICS.values(),
        "READERS": READERS.values(),
        "SOURCES": SOURCES.values(),
        "TRANSFORMS": [each.rewrite for each in TRANSFORMS.values()],
        "GRAPH_TRANSFORMS": [each.rewrite for each in GRAPH_TRANSFORMS.values()],
    }.items(),
)
def test_a_contract_lists_all_units_of_a_kind(kind: str, units) -> None:
    modules = {module_of(unit) for unit in units}
    unlisted = [
        {module for module in modules if not any(fnmatchcase(module, listed) for listed in contract["modules"])}
        for contract in CONTRACTS
    ]
    assert min(unlisted, key=len) == set(), f"{kind}: list these in pyproject.toml"
