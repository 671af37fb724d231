"""Medians, ratios and marks are asked of what was measured, and a result survives its file."""

import math

import pytest
from pydantic import ValidationError

from benchmarks.harness import Run
from benchmarks.result import Mark, Row, compared, load, result, this_machine


def row(mark: Mark | None = None, **measured: tuple[float, ...]) -> Row:
    return Row(what="wall time", unit="s", measured=measured, ratio_of=("peer", "ours"), mark=mark)


def test_a_ratio_is_of_medians():
    assert row(ours=(1.0, 2.0, 90.0), peer=(10.0, 12.0, 11.0)).ratio == 5.5


def test_a_ratio_to_nothing_is_infinite():
    assert row(ours=(0.0,), peer=(1.0,)).ratio == math.inf


@pytest.mark.parametrize(
    ("mark", "met"),
    [
        (Mark(at_least=5.0), True),
        (Mark(at_least=5.01), False),
        (Mark(at_most=5.0), True),
        (Mark(at_most=4.99), False),
        (Mark(of="ours", at_most=2.0), True),
        (Mark(of="ours", at_most=1.9), False),
        (None, None),
    ],
)
def test_a_mark_is_met_at_its_bound_and_missed_beyond_it(mark, met):
    assert row(mark, ours=(2.0,), peer=(10.0,)).met is met


def test_no_number_meets_no_mark():
    assert row(Mark(at_least=5.0), ours=(1.0,), peer=(math.nan,)).met is False


def test_a_mark_on_a_ratio_that_is_not_there_is_a_mistake():
    with pytest.raises(ValueError, match="wall time: it is held against a ratio, and has none"):
        _ = Row(what="wall time", unit="s", measured={"ours": (1.0,)}, mark=Mark(at_least=1)).met


def test_rows_of_runs():
    runs = {"ours": (Run(1.0, 2.0, 300, "", ""), Run(3.0, 4.0, 500, "", ""))}
    assert compared("x", runs, "seconds").measured == {"ours": (1.0, 3.0)}
    assert compared("x", runs, "peak_bytes").unit == "B"


def test_round_trip(tmp_path):
    rows = [row(Mark(at_least=6), ours=(1.0, 2.0), peer=(3.0,)), row(ours=(1.0,), peer=(2.0,))]
    found = result("cold_export", "Cold export", "What it is.", rows, ["A note."])
    found.save(tmp_path / "found.json")
    assert load(tmp_path / "found.json") == found
    assert found.missed == (rows[0],)


def test_a_file_with_something_else_in_it_is_no_result(tmp_path):
    found = result("cold_export", "Cold export", "What it is.", [])
    found.save(tmp_path / "found.json")
    path = tmp_path / "found.json"
    path.write_text(path.read_text().replace('"title"', '"headline"'))
    with pytest.raises(ValidationError):
        load(path)


def test_a_result_does_not_tell_whose_machine_it_is():
    assert set(this_machine().model_dump()) == {"processor", "cores", "memory", "system", "python"}
