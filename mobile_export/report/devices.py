"""What a person sees of devices in a terminal or a build log."""

from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text

from mobile_export.published.manifest import DeviceEntry, Manifest
from mobile_export.report.terminal import DIFFERENCE, WIDE, cell, fitting, format_value, plain_table

_HEADINGS = {
    DIFFERENCE: "difference",
    "sqnr": "SQNR",
    "top1_agreement": "same top-1",
    "accuracy": "accuracy",
    "accuracy_drop": "drop",
}
_DISPENSABLE = ("top1_agreement", "accuracy_drop", "sqnr")
SHOWN = 3
"""How many operators of a file on a device are named; JSON has all that were found."""


def devices_table(manifest: Manifest, width: int = WIDE) -> Table:
    """One row a file and device; as `artifacts_table` has it, with how far answers there are from those here.

    Where everything was skipped there are no rows: a warning says it.
    """
    if all(device.skipped and device.passed for entry in manifest.artifacts for device in entry.devices):
        return plain_table()
    return fitting(lambda shown: _devices_table(manifest, shown), headings(manifest), _DISPENSABLE, width)


def headings(manifest: Manifest) -> dict[str, str]:
    """What is shown of devices, by the names of checks: those of which anything was measured."""
    devices = [device for entry in manifest.artifacts for device in entry.devices]
    return {name: heading for name, heading in _HEADINGS.items() if any(device.check(name) for device in devices)}


def _devices_table(manifest: Manifest, shown: Mapping[str, str]) -> Table:
    table = plain_table()
    for heading in ("", "artifact", "device"):
        table.add_column(heading, no_wrap=not heading, overflow="fold")
    for heading in ("samples", *shown.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in manifest.artifacts:
        for device in entry.devices:
            samples = Text("–", "dim") if device.skipped else Text(f"{device.samples:,}")
            cells = [cell(device.check(name)) for name in shown]
            table.add_row(_verdict(device), entry.name, device.device, samples, *cells)
    return table


def operator_lines(manifest: Manifest) -> Iterator[str]:
    """Where answers on a device differ by more than they may: the operators at fault, the worst first."""
    for entry in manifest.artifacts:
        for device in entry.devices:
            where = f"{entry.name} on {device.device}"
            for found in device.operators[:SHOWN]:
                much = f"{format_value(found.difference, '')}, in {format_value(found.share, 'share')} of its values"
                why = f": {found.reason}" if found.reason else ""
                yield f"{where}: {found.operator} {found.name} differs by {much}{why}"
            more = len(device.operators) - SHOWN
            if more > 0:
                said = "operator differs" if more == 1 else "operators differ"
                yield f"{where}: {more} more {said}; --format json names all"


def _verdict(device: DeviceEntry) -> Text:
    if not device.passed:
        return Text("failed", "bold red")
    return Text("not run", "bold yellow") if device.skipped else Text("ok", "green")
