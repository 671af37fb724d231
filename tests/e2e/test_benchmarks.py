"""Benchmarks on a tiny network: both sides run, and every figure is there. What they say of speed says nothing."""

import sys

import pytest

from benchmarks.cold_export import CHAIN, OURS, cold_export

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform != "linux", reason="the harness needs Linux")]


def test_cold_export(tmp_path):
    found = cold_export(tmp_path, megabytes=0.2, runs=0, side=24)
    rows = {(row.group, row.what): row for row in found.rows}
    assert len([row for row in found.rows if row.mark is not None]) == 4
    for what in ("wall time", "CPU time", "peak memory"):
        row = rows["The whole export", what]
        assert all(row.median(side) > 0 for side in (CHAIN, OURS))
    stages = [row for row in found.rows if row.group.startswith("Our stages")]
    steps = [row for row in found.rows if row.group.startswith("The official tools' steps, seconds")]
    assert len(stages) >= 6
    assert [row.what for row in steps][:3] == ["imports", "freeze", "optimize_for_inference"]
    whole = rows["The whole export", "wall time"].median(CHAIN)
    assert sum(row.median(CHAIN) for row in steps) <= whole
