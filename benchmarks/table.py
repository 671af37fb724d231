"""Results as people read them: figures in their units, and a table in the terminal."""

import statistics
import sys
from itertools import groupby

from rich.console import Console
from rich.table import Table

from benchmarks.result import Result, Row, Unit
from mobile_export.report.terminal import WIDE, format_bytes


def figure(value: float, unit: Unit) -> str:
    """`12.3 s`, `45 ms`, `1.61 GB`, or three digits."""
    if unit == "B":
        return format_bytes(value)
    if unit == "s":
        return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"
    return f"{value:.3g}"


def measured(row: Row, column: str) -> str:
    """The median of the runs, with the least and the most of them; a dash where none were made."""
    values = row.measured.get(column)
    if not values:
        return "–"
    middle = figure(statistics.median(values), row.unit)
    low, high = figure(min(values), row.unit), figure(max(values), row.unit)
    return middle if low == high else f"{middle} ({low} – {high})"


def ratio(row: Row) -> str:
    """`6.1 ×`: how many times the one side is the other."""
    return "–" if row.ratio is None else f"{row.ratio:.3g} ×"


def ratio_name(row: Row) -> str:
    """`tf2onnx / mobile-export`."""
    return " / ".join(row.ratio_of or ())


def mark(row: Row) -> str:
    """What is asked, such as `tf2onnx / mobile-export ≥ 6 ×` or `mobile-export ≤ 1.80 GB`."""
    if row.mark is None:
        return "–"
    bounds = (("≥", row.mark.at_least), ("≤", row.mark.at_most))
    of_ratio = row.mark.of == "ratio"
    asked = [
        f"{sign} {bound:.3g} ×" if of_ratio else f"{sign} {figure(bound, row.unit)}"
        for sign, bound in bounds
        if bound is not None
    ]
    return f"{ratio_name(row) if of_ratio else row.mark.of} {' and '.join(asked)}"


def verdict(row: Row) -> str:
    """`met`, `MISSED`, or a dash where nothing is asked."""
    return {None: "–", True: "met", False: "MISSED"}[row.met]


def table(rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of rows that stand together; columns that would be empty are left out."""
    kinds = {ratio_name(row) for row in rows if row.ratio_of}
    heading = kinds.pop() if len(kinds) == 1 else "ratio"
    sides = list(dict.fromkeys(column for row in rows for column in row.measured))
    headings = ["", *sides, heading, "asked", "verdict", "note"]
    lines = [
        [
            row.what,
            *(measured(row, side) for side in sides),
            _ratio_under(heading, row),
            mark(row),
            verdict(row),
            row.note,
        ]
        for row in rows
    ]
    kept = [k for k in range(len(headings)) if k == 0 or any(line[k] not in ("–", "") for line in lines)]
    return [headings[k] for k in kept], [[line[k] for k in kept] for line in lines]


def _ratio_under(heading: str, row: Row) -> str:
    """A ratio; where not all of a table are of the same columns, with the names of its own."""
    return f"{ratio(row)} ({ratio_name(row)})" if row.ratio_of and heading == "ratio" else ratio(row)


def groups(result: Result) -> list[tuple[str, list[Row]]]:
    """Rows by the table that they stand in, in order."""
    return [(name, list(rows)) for name, rows in groupby(result.rows, key=lambda row: row.group)]


def show(result: Result) -> None:
    """All tables, in the terminal."""
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(f"[bold]{result.title}[/bold]")
    for name, rows in groups(result):
        headings, lines = table(rows)
        drawn = Table(*headings, title=name or None, title_justify="left")
        for line in lines:
            drawn.add_row(*line, style="red" if "MISSED" in line else None)
        console.print(drawn)
    for note in result.notes:
        console.print(note, markup=False)
