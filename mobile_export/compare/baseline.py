"""What became of a target's files since a manifest of before, such as that of the last release."""

from collections.abc import Iterator, Sequence
from typing import Literal

from mobile_export.compare.result import Candidate, Change
from mobile_export.published.manifest import ArtifactEntry, CheckEntry, Manifest
from mobile_export.report.terminal import format_bytes, format_limit, format_value
from mobile_export.target import Target

Verdict = Literal["better", "worse", "different"]

_SIZES = ("bytes", "zipped_bytes")
_TOLD_BY_SIZES = frozenset({"size", "zipped_size", "size_ratio"})
"""Checks of the same numbers, which are told only where they begin or cease to pass."""


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


def _of_check(artifact: str, old: CheckEntry, new: CheckEntry) -> Iterator[Change]:
    """What became of a limit; a check that passes no longer, or again; otherwise a value that is shown as another."""
    if old.limit != new.limit:
        verdict: Verdict = "worse" if _is_looser(old, new) else "better"
        yield _change(artifact, f"limit of {new.name}", format_limit(old), format_limit(new), verdict)
    if old.passed != new.passed:
        yield _change(artifact, new.name, _measured(old), _measured(new), "better" if new.passed else "worse")
    elif new.name not in _TOLD_BY_SIZES and _value(old) != _value(new):
        yield _change(artifact, new.name, _value(old), _value(new), _verdict(old, new))


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


def _value(check: CheckEntry) -> str:
    return format_value(check.value, check.unit)


def _measured(check: CheckEntry) -> str:
    return f"{_value(check)} ({'passed' if check.passed else 'missed'} {format_limit(check)})"


def _said(entry: ArtifactEntry) -> str:
    return f"{entry.format} {_precision(entry)}"


def _precision(entry: ArtifactEntry) -> str:
    mixed = f"{entry.precision}, mixed" if entry.scheme.layers else entry.precision
    return mixed if entry.interface == "float32" else f"{mixed} ({entry.interface})"


def _change(artifact: str, what: str, before: str, after: str, verdict: Verdict) -> Change:
    return Change(artifact=artifact, what=what, before=before, after=after, verdict=verdict)
