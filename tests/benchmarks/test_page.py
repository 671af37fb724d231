"""The page says what the results say, and nothing else."""

import subprocess
import sys

import pytest

from benchmarks import page
from benchmarks.__main__ import COMMANDS
from benchmarks.result import RESULTS, Mark, Result, Row, load, result


def found(seconds: float, title: str = "Cold export") -> Result:
    asked = Row(
        group="The whole",
        what="wall | time",
        unit="s",
        measured={"peer": (60.0, 61.0, 62.0), "ours": (seconds,)},
        ratio_of=("peer", "ours"),
        mark=Mark(at_least=6),
    )
    return result("cold_export", title, "What it is.", [asked], ["A note."])


def test_the_page_is_made_of_the_results_in_the_repository():
    assert page.PAGE.read_text(encoding="utf-8") == page.current(), "run: python -m benchmarks.page"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_result_lies_where_its_name_says(path):
    assert load(path).path == path


def test_a_mark_that_is_met_is_said_to_be():
    text = page.page([found(10.0)])
    assert "1 of 1 marks are met." in text
    assert "| Cold export | The whole: wall \\| time | peer / ours ≥ 6 × | 6.1 × | met |" in text
    assert "MISSED" not in text


def test_a_mark_that_is_missed_is_said_to_be():
    text = page.page([found(10.2)])
    assert "0 of 1 marks are met." in text
    assert "| Cold export | The whole: wall \\| time | peer / ours ≥ 6 × | 5.98 × | **MISSED** |" in text
    assert "| wall \\| time | 61.0 s (60.0 s – 62.0 s) | 10.2 s | 5.98 × | peer / ours ≥ 6 × | **MISSED** |" in text


def test_what_is_missed_comes_first():
    met, missed = found(10.0), found(20.0)
    both = result("cold_export", "Cold export", "", [*met.rows, *missed.rows])
    lines = [line for line in page.page([both]).splitlines() if line.startswith("| Cold export")]
    assert [line.endswith("**MISSED** |") for line in lines] == [True, False]


def test_what_was_not_run_is_named():
    text = page.page([found(10.0)])
    assert "`python -m benchmarks.growth` has not been run yet." in text
    assert "`python -m benchmarks.cold_export` has not been run yet." not in text


def test_a_result_without_a_place_is_a_mistake():
    with pytest.raises(ValueError, match="no place for other"):
        page.page([found(1.0).model_copy(update={"name": "other"})])


def test_everything_on_the_page_is_a_command_that_is_listed():
    assert {*page.ORDER, "page"} == set(COMMANDS)
    listed = subprocess.run([sys.executable, "-m", "benchmarks"], capture_output=True, text=True, check=True)
    assert all(f"python -m benchmarks.{name}" in listed.stdout for name in COMMANDS)
