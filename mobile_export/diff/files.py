"""The files of a target, each against the one that had its name."""

from collections.abc import Iterator

from mobile_export.apps.interface import RUNTIMES
from mobile_export.diff.change import Change, breaking, compatible, listed
from mobile_export.diff.edges import by_hand
from mobile_export.published.manifest import ArtifactEntry, DeviceEntry, Manifest
from mobile_export.report.devices import counted
from mobile_export.report.terminal import DIFFERENCE, format_bytes, format_measured, format_value

_SCORES = ("accuracy", "accuracy_drop", "sqnr")


def file_changes(old: Manifest, new: Manifest, wrapped: bool) -> Iterator[Change]:
    """Differences of files; `wrapped` where the app calls a class that runs them."""
    before, after = ({entry.name: entry for entry in manifest.artifacts} for manifest in (old, new))
    for name in before:
        if name not in after:
            yield breaking(name, "is gone")
        else:
            yield from _artifact(before[name], after[name], wrapped)
    for name, entry in after.items():
        if name not in before:
            yield compatible(name, f"is new: {entry.format}, {entry.precision}, {format_bytes(entry.bytes)}")


def _artifact(old: ArtifactEntry, new: ArtifactEntry, wrapped: bool) -> Iterator[Change]:
    runtimes = RUNTIMES.get(old.format, old.format), RUNTIMES.get(new.format, new.format)
    by_class = wrapped and old.format in RUNTIMES and new.format in RUNTIMES
    if runtimes[0] != runtimes[1]:
        yield breaking(new.name, f"runs in {runtimes[1]}, ran in {runtimes[0]}: the app needs that library")
    elif old.file != new.file:
        yield Change(not by_class, (new.name,), f"is {new.file}, was {old.file}")
    if by_class:
        yield from _inside(old, new)
    else:
        yield from by_hand(old, new)
    yield from _content(old, new)


def _inside(old: ArtifactEntry, new: ArtifactEntry) -> Iterator[Change]:
    """What the generated class takes care of, and who reads the file besides has to know."""
    after = {edge.name: edge for edge in (*new.inputs, *new.outputs)}
    for edge in (*old.inputs, *old.outputs):
        if edge.name in after and after[edge.name].dtype != edge.dtype:
            yield compatible(
                new.name, f"{edge.name}: {edge.dtype} → {after[edge.name].dtype} in the file, not in the class"
            )


def _content(old: ArtifactEntry, new: ArtifactEntry) -> Iterator[Change]:
    if old.precision != new.precision:
        yield compatible(new.name, f"precision {old.precision} → {new.precision}")
    if old.sha256 != new.sha256:
        yield compatible(new.name, f"other bytes: {format_bytes(old.bytes)} → {format_bytes(new.bytes)}")
    scores = {check.name: check for check in old.checks if check.name in _SCORES}
    for check in new.checks:
        if check.name in scores and scores[check.name].value != check.value:
            was = format_value(scores[check.name].value, check.unit)
            yield compatible(new.name, f"{check.name} {was} → {format_value(check.value, check.unit)}")
    if new.unchecked and not old.unchecked:
        yield compatible(new.name, f"is not checked any more: {new.unchecked}")
    yield from _devices(old, new)
    kernels = sorted(new.kernels.keys() - old.kernels.keys())
    if old.kernels and kernels:
        yield compatible(new.name, f"needs kernels that it did not: {listed(kernels)}")
    yield from _scales(old, new)


def _devices(old: ArtifactEntry, new: ArtifactEntry) -> Iterator[Change]:
    """On which devices it was run, and how far its answers there are from those on the computer that built it."""
    before, after = ({device.device: device for device in entry.devices} for entry in (old, new))
    for name in dict.fromkeys((*before, *after)):
        was, now = _answers(before.get(name)), _answers(after.get(name))
        if was != now:
            yield compatible(new.name, f"on {name}: {was} → {now}")


def _answers(device: DeviceEntry | None) -> str:
    if device is None or device.skipped:
        return "not run"
    found = device.check(DIFFERENCE)
    if found is None:
        return "run"
    samples = counted(device.samples)
    return (
        f"answers to {samples} differ by {format_measured(found)}" if found.value else f"the same answers to {samples}"
    )


def _scales(old: ArtifactEntry, new: ArtifactEntry) -> Iterator[Change]:
    after = {edge.name: edge for edge in (*new.inputs, *new.outputs)}
    for edge in (*old.inputs, *old.outputs):
        now = after.get(edge.name)
        if now and None not in (now.scale, edge.scale) and (now.scale, now.zero_point) != (edge.scale, edge.zero_point):
            said = [f"scale {e.scale:g}, zero point {e.zero_point}" for e in (edge, now)]
            yield compatible(new.name, f"{edge.name}: {said[0]} → {said[1]}")
