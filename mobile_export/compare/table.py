"""A comparison in a terminal or a log."""

from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mobile_export.compare.cells import ADDED, KIND, PARETO, footnotes, kind, refused, rows, unseen, verdict
from mobile_export.compare.columns import Column, columns
from mobile_export.compare.result import Comparison
from mobile_export.report.terminal import WIDE, failures_table, plain_table

_STYLES = {"ok": "green", "missed": "bold red", "not run": "bold yellow"}
_VERDICTS = {"better": "green", "worse": "bold red", "different": ""}


def comparison_table(comparison: Comparison, width: int = WIDE) -> Table:
    """One row a candidate that has a file; those of the target in bold, the best marked, missed limits in red.

    Numbers are never cut short: where `width` does not take them all, the least important columns are left out.
    """
    return _candidates_table(comparison, _pages(comparison, width)[0])


def notes(comparison: Comparison, width: int = WIDE) -> list[str]:
    """What else has to be known to read the tables."""
    first, second = _pages(comparison, width)
    hidden = [column.heading for column in _all(comparison) if column not in first + second]
    more = [f"not shown here: {', '.join(hidden)}; --html and --json have all"] if hidden else []
    changed = ["nothing changed since the baseline"] if comparison.baseline and not comparison.changes else []
    return [*footnotes(comparison), *more, *changed]


def _pages(comparison: Comparison, width: int) -> tuple[list[Column], list[Column]]:
    """The most important columns, as many as there is room for; and in a second table, as many of the others."""
    first = _fitting(comparison, _all(comparison), width)
    return first, _fitting(comparison, [column for column in _all(comparison) if column not in first], width)


def _all(comparison: Comparison) -> list[Column]:
    return [KIND, *columns(comparison)]


def _fitting(comparison: Comparison, shown: Sequence[Column], width: int) -> list[Column]:
    """Those that there is room for, the most important first, in the order in which they stand."""
    screen = Console(width=10 * width)
    fitting: list[Column] = []
    for column in sorted(shown, key=lambda column: column.importance):
        more = [each for each in shown if each in fitting or each is column]
        if Measurement.get(screen, screen.options, _candidates_table(comparison, more)).maximum <= width:
            fitting = more
    return fitting


def tables(comparison: Comparison, width: int = WIDE) -> list[Table]:
    """All there is: candidates, missed limits, what could not be made or seen, and what changed since the baseline."""
    first, second = _pages(comparison, width)
    return [
        _candidates_table(comparison, first),
        *([_candidates_table(comparison, second)] if second else ()),
        failures_table(comparison.manifest),
        _refused_table(comparison),
        _unseen_table(comparison),
        _changes_table(comparison),
    ]


def _candidates_table(comparison: Comparison, shown: Sequence[Column]) -> Table:
    table = plain_table()
    for heading in ("", "", "", "candidate"):
        table.add_column(heading, no_wrap=True)
    for column in shown:
        table.add_column(column.heading, justify="left" if column == KIND else "right", no_wrap=True)
    for candidate in rows(comparison):
        cells = [column.cell(candidate) for column in shown]
        said = verdict(candidate)
        table.add_row(
            Text(PARETO if candidate.pareto else "", "bold green"),
            Text(said, _STYLES[said]),
            Text("" if candidate.in_target else ADDED),
            Text(candidate.name, "bold" if candidate.in_target else ""),
            *(Text(cell.line, "bold red" if cell.missed else "") for cell in cells),
        )
    return table


def _refused_table(comparison: Comparison) -> Table:
    table = plain_table()
    table.add_column("not made", no_wrap=True)
    table.add_column("format, precision", no_wrap=True)
    table.add_column("why", overflow="fold")
    for candidate in refused(comparison):
        table.add_row(Text(candidate.name), Text(kind(candidate)), Text(candidate.refused))
    return table


def _unseen_table(comparison: Comparison) -> Table:
    table = plain_table()
    table.add_column("not all is known of", no_wrap=True)
    table.add_column("why", overflow="fold")
    for name, why in unseen(comparison):
        table.add_row(Text(name), Text(why))
    return table


def _changes_table(comparison: Comparison) -> Table:
    table = plain_table()
    for heading in ("changed", "what", "before", "now", ""):
        table.add_column(heading, overflow="fold")
    for change in comparison.changes:
        style = _VERDICTS[change.verdict]
        table.add_row(
            *map(Text, (change.artifact, change.what, change.before, change.after)), Text(change.verdict, style)
        )
    return table
