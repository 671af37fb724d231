"""What became of a target's files since a manifest of before, such as that of the last release."""

from collections.abc import Iterator, Sequence
from typing import Literal

from mobile_export.compare.result import Candidate, Change
from mobile_export.published.manifest import ArtifactEntry, CheckEntry, DeviceEntry, Manifest
from mobile_export.report.terminal import DIFFERENCE, format_bytes, format_limit, format_measured
from mobile_export.target import Target

Verdict = Literal["better", "worse", "different"]

_SIZES = ("bytes", "zipped_bytes")
_TOLD_BY_SIZES = frozenset({"size", "zipped_size", "size_ratio"})
"""Checks of the same numbers, which are told only where they begin or cease to pass."""
_RAN = "run"


def changes_since(baseline: Manifest, target: Target, candidates: Sequence[Candidate]) -> tuple[Change, ...]:
    """Changes of the target's own files; those that the comparison alone has made are no part of a release."""
    before = {entry.name: entry for entry in baseline.artifacts}
    own = {candidate.name: candidate for candidate in candidates if candidate.in_target}
    asked = {artifact.name for artifact in target.artifacts}
    found: list[Change] = []
    for name, entry in before.items():
        if name not in asked:
            found.append(_change(name, "present", _said(entry), "removed", "different"))
        elif name in own:
            found += _of_file(entry, own[name])
    for name, candidate in own.items():
        if name not in before and candidate.entry is not None:
            found.append(_change(name, "present", "", f"new: {_said(candidate.entry)}", "different"))
    return tuple(found)


def _of_file(old: ArtifactEntry, candidate: Candidate) -> Iterator[Change]:
    new = candidate.entry
    if new is None:
        yield _change(old.name, "present", _said(old), f"refused: {candidate.refused}", "worse")
        return
    if (old.format, _precision(old)) != (new.format, _precision(new)):
        yield _change(old.name, "precision", _said(old), _said(new), "different")
    for size in _SIZES:
        was, now = getattr(old, size), getattr(new, size)
        if was != now:
            yield _change(old.name, size, format_bytes(was), format_bytes(now), "better" if now < was else "worse")
    earlier = {check.name: check for check in old.checks}
    for check in new.checks:
        if check.name in earlier:
            yield from _of_check(old.name, earlier[check.name], check)
        elif not check.passed:
            yield _change(old.name, check.name, "not measured", _measured(check), "worse")
    for name in sorted(earlier.keys() - {check.name for check in new.checks}):
        yield _change(old.name, name, _measured(earlier[name]), "no longer checked", "worse")
    yield from _of_devices(old, new)


def _of_devices(old: ArtifactEntry, new: ArtifactEntry) -> Iterator[Change]:
    """On which devices it is run, and what it answers there, as far as that is not what it answers here."""
    before, after = ({device.device: device for device in entry.devices} for entry in (old, new))
    for name in dict.fromkeys((*before, *after)):
        was, now = _ran(before.get(name)), _ran(after.get(name))
        if was != now:
            verdict: Verdict = "better" if now == _RAN else "worse" if was == _RAN else "different"
            yield _change(old.name, f"on {name}", was, now, verdict)
        earlier = {check.name: check for check in before[name].checks} if name in before else {}
        for check in after[name].checks if name in after else ():
            known = earlier.get(check.name)
            if known is not None and (check.name == DIFFERENCE or known.passed != check.passed):
                yield from _of_check(old.name, known, check, f" on {name}")
            elif known is None and not check.passed:
                yield _change(old.name, f"{check.name} on {name}", "not measured", _measured(check), "worse")


def _ran(device: DeviceEntry | None) -> str:
    if device is None:
        return "not asked for"
    return f"not run: {device.skipped}" if device.skipped else _RAN


def _of_check(artifact: str, old: CheckEntry, new: CheckEntry, place: str = "") -> Iterator[Change]:
    """What became of a limit; a check that passes no longer, or again; otherwise a value that is shown as another."""
    what = f"{new.name}{place}"
    if old.limit != new.limit:
        verdict: Verdict = "worse" if _is_looser(old, new) else "better"
        yield _change(artifact, f"limit of {what}", format_limit(old), format_limit(new), verdict)
    if old.passed != new.passed:
        yield _change(artifact, what, _measured(old), _measured(new), "better" if new.passed else "worse")
    elif new.name not in _TOLD_BY_SIZES and format_measured(old) != format_measured(new):
        yield _change(artifact, what, format_measured(old), format_measured(new), _verdict(old, new))


def _is_looser(old: CheckEntry, new: CheckEntry) -> bool:
    """Whether the new limit, which is another, lets more pass."""
    if old.limit is None or new.limit is None:
        return new.limit is None
    return (new.limit < old.limit) == new.at_least


def _verdict(old: CheckEntry, new: CheckEntry) -> Verdict:
    """Whether it is better or worse, beyond what the samples can tell."""
    if old.interval is not None and new.interval is not None:
        low, high = new.interval
        if low <= old.value <= high:
            return "different"
    return "better" if (new.value > old.value) == new.at_least else "worse"


def _measured(check: CheckEntry) -> str:
    return f"{format_measured(check)} ({'passed' if check.passed else 'missed'} {format_limit(check)})"


def _said(entry: ArtifactEntry) -> str:
    return f"{entry.format} {_precision(entry)}"


def _precision(entry: ArtifactEntry) -> str:
    mixed = f"{entry.precision}, mixed" if entry.scheme.layers else entry.precision
    return mixed if entry.interface == "float32" else f"{mixed} ({entry.interface})"


def _change(artifact: str, what: str, before: str, after: str, verdict: Verdict) -> Change:
    return Change(artifact=artifact, what=what, before=before, after=after, verdict=verdict)
