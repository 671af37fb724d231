"""The page's first lines: which files passed, and which of them are the ones to choose from."""

from dataclasses import dataclass

from mobile_export.compare.cells import on
from mobile_export.compare.columns import format_seconds
from mobile_export.compare.pareto import latency
from mobile_export.compare.pick import choose
from mobile_export.compare.result import Candidate, Comparison
from mobile_export.published.manifest import CheckEntry
from mobile_export.report.terminal import format_bytes, format_limit, format_measured, format_value


@dataclass(frozen=True)
class Pick:
    """What `--pick` would choose in one respect.

    Attributes:
        respect: such as smallest.
    """

    respect: str
    name: str
    value: str
    detail: str


def sentence(comparison: Comparison) -> str:
    """How many candidates there are, and what became of them."""
    candidates = comparison.candidates
    passed = sum(candidate.passed for candidate in candidates)
    refused = sum(candidate.entry is None for candidate in candidates)
    missed = len(candidates) - passed - refused
    counted = f"{len(candidates)} candidate{'s' * (len(candidates) != 1)}"
    parts = [f"{passed} of {counted} {'passes' if passed == 1 else 'pass'} every limit"]
    if missed:
        parts.append(f"{missed} {'misses' if missed == 1 else 'miss'} one or more")
    if refused:
        parts.append(f"{refused} could not be made")
    return ", ".join(parts) + "."


def missed_limits(candidate: Candidate) -> list[str]:
    """Each limit that does not hold, in words."""
    missed = candidate.entry.missed if candidate.entry else ()
    return [_missed(check, device) for device, check in missed]


def picks(comparison: Comparison) -> list[Pick]:
    """The smallest, fastest and most accurate of the Pareto set, as far as that was measured."""
    front = [candidate for candidate in comparison.candidates if candidate.pareto]
    if not front:
        return []
    found = [_smallest(choose(comparison, "size"))]
    if any(latency(candidate) is not None for candidate in front):
        found.append(_fastest(choose(comparison, "latency")))
    return [*found, *_most_accurate(choose(comparison, "accuracy"))]


def _smallest(best: Candidate) -> Pick:
    assert best.entry is not None, "what is in the Pareto set has a file"  # noqa: S101  narrows the type
    download, size = format_bytes(best.entry.zipped_bytes), format_bytes(best.entry.bytes)
    return Pick("smallest", best.name, download, f"of the download; {size} on the phone")


def _fastest(best: Candidate) -> Pick:
    return Pick("fastest", best.name, format_seconds(latency(best) or 0), "median, 1 thread, on this computer")


def _most_accurate(best: Candidate) -> list[Pick]:
    """By its score, or by closeness to the reference where there is none; nothing where neither is known."""
    check = best.check("accuracy") or best.check("sqnr")
    return (
        [] if check is None else [Pick("most accurate", best.name, format_value(check.value, check.unit), check.note)]
    )


def _missed(check: CheckEntry, device: str) -> str:
    name, value = f"{check.name.replace('_', ' ')}{on(device)}", format_measured(check)
    asked = "" if check.limit is None else f", asked for {format_limit(check)}"
    return f"{name} is {value}{asked}" + (f" ({check.note})" if check.note else "")
