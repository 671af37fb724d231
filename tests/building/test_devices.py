"""Files are run on the devices that they are to run on; where one is missing, that is said before any work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mobile_export.devices.installation import is_native
from mobile_export.errors import MissingToolError
from mobile_export.pipeline.drawing import load_drawn
from mobile_export.planning.devices import Overrides
from mobile_export.planning.plan import Plan, plan
from mobile_export.workers import prepare_server
from tests.building.test_making import ARTIFACTS, maker
from tests.building.test_making import planned as planned_here
from tests.toolchains import not_run

A53, A76 = "arm64:cortex-a53", "arm64:cortex-a76"
EVERYWHERE = sorted(set(ARTIFACTS) - {"mapped"})


def planned(folder: Path, *devices: str, skip: bool = False) -> Plan:
    """As files that are run on these devices."""
    here = planned_here(folder)
    return plan(here.path, Overrides(devices, skip).of(here.target))


@dataclass(frozen=True)
class Watching:
    """Notes what a build is busy with."""

    told: list[str]

    def busy(self, names: Sequence[str]) -> None:
        self.told.extend(names)

    def done(self, name: str, seconds: float) -> None:
        """Nothing is."""


@pytest.fixture
def missing(tmp_path: Path, monkeypatch) -> None:
    """No device is set up."""
    if is_native():
        not_run("an ARM computer needs no set-up of arm64")
    prepare_server()  # it keeps the environment in which it starts, for the tests that come after
    monkeypatch.setenv("MOBILE_EXPORT_DEVICES", str(tmp_path / "none"))


def test_what_is_missing_is_said_before_any_work(missing: None, tmp_path: Path) -> None:
    plan_ = planned(tmp_path, A53)
    told: list[str] = []
    making, stage = maker(tmp_path, watcher=Watching(told))
    for how in (making.make, making.attempt):
        with pytest.raises(MissingToolError, match="mobile-export device install arm64"):
            how(plan_, plan_.target.artifacts, stage)
    assert told == [f"{plan_.target.name}: see that {A53} is there"] * 2
    assert not stage.exists()
    assert not list(making.work.iterdir())


def test_what_runs_nowhere_needs_no_device(missing: None, tmp_path: Path) -> None:
    plan_ = planned(tmp_path, A53)
    making, stage = maker(tmp_path)
    made = making.make(plan_, [a for a in plan_.target.artifacts if a.name == "mapped"], stage)
    assert made["mapped"].entry.devices == ()


def test_skipping_needs_no_device_and_marks_every_file(missing: None, tmp_path: Path) -> None:
    plan_ = planned(tmp_path, A53, A76, skip=True)
    making, stage = maker(tmp_path, jobs=2)
    made = making.make(plan_, plan_.target.artifacts, stage)
    marked = {
        name: [(device.device, "--skip-device" in device.skipped) for device in one.entry.devices]
        for name, one in made.items()
    }
    assert marked.pop("mapped") == []
    assert marked == {name: [(A53, True), (A76, True)] for name in EVERYWHERE}
    assert all(one.entry.passed for one in made.values())


def test_targets_share_a_ground_where_the_same_samples_are_drawn(tmp_path: Path) -> None:
    (making, _), here = maker(tmp_path), planned_here(tmp_path)

    def ground(samples: int, *devices: str, skip: bool = False) -> Path:
        target = Overrides(devices, skip).of(here.target)
        asked = target.device.model_copy(update={"samples": samples})
        return making.ground(plan(here.path, target.model_copy(update={"device": asked}))).folder

    few, more = ground(4, A53), ground(8, A53, A76)
    assert [len(load_drawn(folder).rows) for folder in (few, more)] == [4, 8]
    assert ground(8, A76) == more
    assert len({few, more, ground(4), ground(8), ground(4, A53, skip=True)}) == 3  # nothing is drawn in the last three
