import io

import pytest
from rich.console import Console

from mobile_export.compare.table import notes, tables
from tests.compare.samples import candidate, check, comparison, drop, refused

SCORED = (check("accuracy", 0.98, half=0.005, unit="share"), drop(0.01, 0.002))
MISSED = (check("accuracy", 0.5, half=0.005, unit="share"), drop(0.48, 0.01, limit=0.02))
FOUND = comparison(
    candidate("digits_int8", 25_000, 18, SCORED, file={"precision": "int8"}),
    candidate("onnx_float32", 70_000, 36, SCORED, in_target=False),
    candidate("collapsed", 1_000, 5, MISSED),
    refused("tflite_int8", "operator 'X' has no integer kernel"),
    candidate("flex", 900, unseen=("not timed: nothing here runs it",), file={"unchecked": "nothing here runs it"}),
)


def printed(width: int, **more) -> list[str]:
    screen = Console(file=io.StringIO(), width=width, markup=False, highlight=False, **more)
    for table in tables(FOUND, width):
        screen.print(table)
    return screen.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_number_is_cut_at_any_width(width: int) -> None:
    lines = printed(width)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    head = next(line for line in lines if "candidate" in line)
    assert all(heading in head for heading in ("zipped", "top1", "1 thread"))
    row = next(line for line in lines if "digits_int8" in line)
    assert all(cell in row for cell in ("25.0 kB", "98.00 % [97.50, 98.50]", "18 µs"))


def test_wider_tables_show_more_and_what_is_left_out_is_said() -> None:
    heads = {width: next(line for line in printed(width) if "candidate" in line) for width in (80, 120, 200)}
    assert [sum("candidate" in line for line in printed(width)) for width in (80, 200)] == [2, 1]
    assert len(heads[80].split()) < len(heads[120].split()) < len(heads[200].split())
    assert "anonymous" in heads[200]
    assert "anonymous" in next(note for note in notes(FOUND, 50) if note.startswith("not shown here"))
    assert not any(note.startswith("not shown here") for note in notes(FOUND, 300))


def test_the_best_come_first_and_what_failed_last() -> None:
    names = ("flex", "digits_int8", "onnx_float32", "collapsed")
    assert [next(n for n in names if n in line) for line in printed(200)[3:7]] == list(names)
    assert [line.split()[:2] for line in printed(200) if "onnx_float32" in line] == [["ok", "+"]]
    marked = [line for line in printed(200) if "★" in line]
    assert len(marked) == 1
    assert "digits_int8" in marked[0]


def test_missed_limits_are_red_and_said_with_what_was_asked() -> None:
    lines = printed(200, force_terminal=True, color_system="standard")
    assert any("\x1b[1;31m48.00 % [47.00, 49.00]" in line for line in lines)
    assert any("collapsed" in line and "48.00 %" in line and "≤ 2.00 %" in line for line in lines)


def test_what_was_not_made_and_not_seen_has_its_reason() -> None:
    text = "\n".join(printed(120))
    assert "tflite_int8" in text
    assert "operator 'X' has no integer kernel" in text
    assert "not timed: nothing here runs it" in text


def test_latency_is_named_as_of_this_computer() -> None:
    said = next(note for note in notes(FOUND) if note.startswith("latency"))
    assert "this computer (a processor, 2 cores, Linux; LiteRT 2.3)" in said
    assert "promise nothing about a phone" in said
    untimed = comparison(candidate("a"))
    assert not any("latency" in note for note in notes(untimed))
