"""What a person sees in a terminal or a build log."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isnan
from typing import Literal, Protocol

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mobile_export.published.manifest import ArtifactEntry, CheckEntry, Manifest


def format_bytes(count: float) -> str:
    """`1.2 MB`; decimal units, as the app stores count."""
    for unit in ("B", "kB", "MB"):
        if round(count, 1) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def format_value(value: float, unit: str) -> str:
    """A measurement in its unit: bytes, dB, or a share in percent."""
    if unit == "bytes":
        return format_bytes(value)
    if unit == "share":
        return f"{value * 100:.2f} %"
    return f"{value:.1f} dB" if unit == "dB" else f"{value:.3g}"


class Limited(Protocol):
    """A measured number's limit."""

    @property
    def limit(self) -> float | None: ...

    @property
    def at_least(self) -> bool: ...

    @property
    def unit(self) -> str: ...


def format_limit(measured: Limited) -> str:
    """`≥ 90.00 %`, or a dash where there is none."""
    if measured.limit is None:
        return "–"
    return f"{'≥' if measured.at_least else '≤'} {format_value(measured.limit, measured.unit)}"


def format_measured(check: CheckEntry) -> str:
    """A value in its unit; of a device's answers that differ in no bit, that they do not.

    A dash where a number says nothing, and no limit asks for it.
    """
    if check.limit is None and isnan(check.value):
        return "–"
    return "same bits" if check.name == DIFFERENCE and check.value == 0 else format_value(check.value, check.unit)


DIFFERENCE = "device_difference"
"""The check of the same answers there as here."""
WIDE = 120
"""Columns of a log, which every terminal of a developer has."""
_HEADINGS = {
    "size": "size",
    "zipped_size": "zipped",
    "size_ratio": "ratio",
    "accuracy": "accuracy",
    "accuracy_drop": "drop",
    "sqnr": "SQNR",
    "top1_agreement": "same top-1",
}
_DISPENSABLE = ("top1_agreement", "zipped_size", "size_ratio", "accuracy_drop")
"""What is left out of a table that would be too wide, in that order."""


def artifacts_table(manifest: Manifest, width: int = WIDE) -> Table:
    """One row an artifact: size, accuracy and parity, and whether it passed, or could not be run.

    Behind the precision, in parentheses, stands the element type at the file's edges where it is not float32; behind
    a drop, half the width of the interval within which it lies with 95 % confidence. Numbers are never cut short:
    where `width` does not take them all, whole columns are left out.
    """
    return fitting(lambda shown: _artifacts_table(manifest, shown), _HEADINGS, _DISPENSABLE, width)


def fitting(
    table_of: Callable[[Mapping[str, str]], Table], headings: Mapping[str, str], dispensable: Sequence[str], width: int
) -> Table:
    """A table without as many columns as there is no room for, in the order in which they are dispensable."""
    shown, screen = dict(headings), Console(width=10 * width)
    for name in ("", *dispensable):
        shown.pop(name, None)
        table = table_of(shown)
        if Measurement.get(screen, screen.options, table).maximum <= width:
            break
    return table


def _artifacts_table(manifest: Manifest, shown: Mapping[str, str]) -> Table:
    table = plain_table()
    for heading in ("", "artifact", "format", "precision"):
        table.add_column(heading, no_wrap=heading != "artifact", overflow="fold")
    for heading in shown.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in manifest.artifacts:
        found = {check.name: check for check in entry.checks}
        cells = [cell(found.get(name)) for name in shown]
        table.add_row(_verdict(entry), entry.name, entry.format, _precision(entry), *cells)
    return table


def failures_table(manifest: Manifest) -> Table:
    """Every missed limit: what was measured against what was asked. Columns that would be empty are left out."""
    missed = [(entry, device, check) for entry in manifest.artifacts for device, check in entry.missed]
    called = short_names(device for _, device, _ in missed if device)
    columns = {
        "artifact": [entry.name for entry, _, _ in missed],
        "device": [called.get(device, "") for _, device, _ in missed],
        "limit": [check.name for _, _, check in missed],
        "measured": [format_measured(check) for _, _, check in missed],
        "asked": [format_limit(check) for _, _, check in missed],
        "note": [check.note for _, _, check in missed],
    }
    shown = {heading: cells for heading, cells in columns.items() if any(cells)}
    table = plain_table()
    for heading in shown:
        justify: Literal["left", "right"] = "right" if heading in ("measured", "asked") else "left"
        table.add_column(heading, justify=justify, no_wrap=heading not in ("artifact", "note"), overflow="fold")
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*cells)
    return table


def short_names(devices: Iterable[str]) -> dict[str, str]:
    """What devices are called in a table: their names, without the kind where all are of one."""
    names = list(dict.fromkeys(devices))
    kinds = {name.partition(":")[0] for name in names}
    return {name: (name.partition(":")[2] if len(kinds) == 1 else "") or name for name in names}


def plain_table() -> Table:
    """One whose head alone is underlined."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def search_lines(manifest: Manifest) -> list[str]:
    """What each search of precisions chose, and why."""
    return [f"{entry.name}: {entry.search.conclusion}" for entry in manifest.artifacts if entry.search]


def print_tables(console: Console, tables: Sequence[Table]) -> None:
    """Print tables that have rows."""
    for table in tables:
        if table.row_count:
            console.print(table)


def _verdict(entry: ArtifactEntry) -> Text:
    if not entry.passed:
        return Text("failed", "bold red")
    return Text("not run", "bold yellow") if entry.unchecked else Text("ok", "green")


def cell(check: CheckEntry | None) -> Text:
    """What was measured, in red where it misses its limit; a dash where nothing was."""
    if check is None:
        return Text("–", "dim")
    value = format_measured(check)
    if check.name == "accuracy_drop" and check.interval is not None:
        value += f" ± {format_value((check.interval[1] - check.interval[0]) / 2, check.unit)}"
    return Text(value, "" if check.passed else "bold red")


def _precision(entry: ArtifactEntry) -> str:
    precision = f"{entry.precision}, mixed" if entry.scheme.layers else entry.precision
    return precision if entry.interface == "float32" else f"{precision} ({entry.interface})"
