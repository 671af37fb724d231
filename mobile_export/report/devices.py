"""What a person sees of devices in a terminal or a build log."""

from collections.abc import Iterator, Mapping
from math import isfinite

from rich.table import Table
from rich.text import Text

from mobile_export.published.manifest import DeviceEntry, Manifest
from mobile_export.report.terminal import DIFFERENCE, WIDE, cell, fitting, format_value, plain_table, short_names

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
ROUNDING = 1e-5
"""What two devices may be apart, of a file, without a word: sums in another order."""


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


def legend(shown: Mapping[str, str]) -> str:
    """What the numbers are that are `shown`, by the names of checks."""
    sentences = []
    if DIFFERENCE in shown:
        sentences.append(
            f"{shown[DIFFERENCE]}: the largest between an answer there and here, over the largest magnitude here"
        )
    others = [heading for name, heading in shown.items() if name != DIFFERENCE]
    if others:
        sentences.append(
            f"{', '.join(others)}: as measured here on all samples, moved by what differs there on those that were run"
        )
    return "; ".join(sentences)


def _devices_table(manifest: Manifest, shown: Mapping[str, str]) -> Table:
    table = plain_table()
    table.caption, table.caption_justify, table.caption_style = legend(shown), "left", "dim"
    for heading in ("", "artifact", "device"):
        table.add_column(heading, no_wrap=heading != "artifact", overflow="fold")
    for heading in ("run", *shown.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    called = short_names(device.device for entry in manifest.artifacts for device in entry.devices)
    for entry in manifest.artifacts:
        for device in entry.devices:
            samples = Text("–", "dim") if device.skipped else Text(counted(device.samples))
            cells = [cell(device.check(name)) for name in shown]
            table.add_row(_verdict(device), entry.name, called[device.device], samples, *cells)
    return table


def counted(samples: int) -> str:
    """`32 samples`."""
    return f"{samples:,} sample{'s' * (samples != 1)}"


def disagreement_lines(manifest: Manifest) -> Iterator[str]:
    """Files that devices with the same kernels do not agree about: how far each is from here."""
    for entry in manifest.artifacts:
        alike: dict[str, dict[str, float]] = {}
        for device in entry.devices:
            check = device.check(DIFFERENCE)
            if check is not None and isfinite(check.value):
                kernels = ":".join(device.device.split(":")[2:])
                alike.setdefault(kernels, {})[device.device] = check.value
        for apart in alike.values():
            if max(apart.values()) - min(apart.values()) > ROUNDING:
                called = short_names(apart)
                said = ", ".join(f"{called[name]} by {format_value(value, '')}" for name, value in apart.items())
                yield f"{entry.name}: devices differ from each other; from here, {said}"


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
