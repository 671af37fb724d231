"""What a table of candidates shows, in a terminal and in Markdown: columns by importance, and rows in their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from mobile_export.compare.result import Candidate, Comparison
from mobile_export.published.manifest import CheckEntry
from mobile_export.report.terminal import format_bytes, format_value
from mobile_export.timing.result import Timing

PARETO = "★"
"""Marks what no other candidate beats."""
ADDED = "+"
"""Marks what the target does not have."""
_NOTHING = "–"
_NOT_TAKEN = "not taken"


@dataclass(frozen=True)
class Cell:
    """What stands in a row and column; `missed` where it is beyond its limit."""

    text: str = _NOTHING
    missed: bool = False


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        importance: that of the first column to be left out, where not all fit, is the highest.
    """

    heading: str
    importance: int
    cell: Callable[[Candidate], Cell] = field(compare=False)


def columns(comparison: Comparison) -> list[Column]:
    """Those in which anything is known of any candidate, in the order in which they stand."""
    return [c for c in _columns(comparison) if any(c.cell(each).text != _NOTHING for each in comparison.candidates)]


def rows(comparison: Comparison) -> list[Candidate]:
    """Candidates that have a file: those that passed, by download size, then the others."""
    made = [candidate for candidate in comparison.candidates if candidate.entry is not None]
    return sorted(made, key=lambda c: (not c.passed, c.entry.zipped_bytes if c.entry else 0, c.name))


def refused(comparison: Comparison) -> list[Candidate]:
    """Candidates that have none."""
    return [candidate for candidate in comparison.candidates if candidate.entry is None]


def verdict(candidate: Candidate) -> str:
    """`ok`, `missed`, or `not run` where its answers could not be checked."""
    if not candidate.passed:
        return "missed"
    return "not run" if candidate.entry is not None and candidate.entry.unchecked else "ok"


def kind(candidate: Candidate) -> str:
    """`tflite int8 (uint8)`: format, precision, and the interface where it is not float32; and what `auto` found."""
    entry = candidate.entry
    precision = candidate.precision
    if entry is not None and (entry.precision != precision or entry.scheme.layers):
        found = f"{entry.precision}, mixed" if entry.scheme.layers else entry.precision
        precision = f"{precision}: {found}" if entry.precision != precision else found
    return f"{candidate.format} {precision}" + ("" if candidate.interface == "float32" else f" ({candidate.interface})")


def reference_line(comparison: Comparison) -> str:
    """What files are held against."""
    score = comparison.reference
    if score is None:
        return (
            f"answers are compared on {comparison.samples:,} samples; there is no [data] evaluation to score them with"
        )
    within = "" if score.interval is None else f" ({format_interval(score)})"
    return (
        f"the model itself: {format_value(score.value, score.unit)}{within} "
        f"{comparison.metric} on {comparison.samples:,} samples"
    )


def footnotes(comparison: Comparison) -> list[str]:
    """What has to be known to read the table."""
    found = [
        f"{PARETO} no other file that passed is at least as small, as fast and as good, and better in one of these"
    ]
    if not all(candidate.in_target for candidate in rows(comparison)):
        found.append(f"{ADDED} is not in the target; --pick size, latency or accuracy adds the best {PARETO} to it")
    if any(candidate.timings for candidate in comparison.candidates):
        computer = comparison.computer
        versions = ", ".join(f"{name} {version}" for name, version in computer.runtimes.items())
        found.append(
            f"latency, load time and memory are of this computer ({computer.processor}, {computer.system}; {versions})"
            ": they rank files, and promise nothing about a phone"
        )
    if any(candidate.surveys for candidate in comparison.candidates):
        found.append(f"{_NOT_TAKEN}: operators that a phone's fast path leaves out; `mobile-export lint` names them")
    return found


def format_seconds(seconds: float) -> str:
    """`12.30 ms`, `18 µs`: three digits, so that a column can be read at a glance."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        value = seconds * factor
        if value >= 1 or unit == "µs":
            return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"
    raise AssertionError


def format_interval(check: CheckEntry) -> str:
    """`98.28 % to 99.27 %`; empty where there is no interval."""
    return " to ".join(format_value(end, check.unit) for end in check.interval or ())


def _columns(comparison: Comparison) -> Iterator[Column]:
    scored = comparison.reference is not None
    yield Column("format, precision", 5, lambda candidate: Cell(kind(candidate)))
    yield Column("size", 6, lambda candidate: _bytes(candidate, "bytes", "size", "size_ratio"))
    yield Column("zipped", 1, lambda candidate: _bytes(candidate, "zipped_bytes", "zipped_size"))
    yield Column(comparison.metric or "accuracy", 2, partial(_check, name="accuracy"))
    yield Column("drop", 4, partial(_check, name="accuracy_drop"))
    yield Column("confidence", 14, partial(_asked, name="confidence"))
    yield Column("same top-1", 12 if scored else 4, partial(_check, name="top1_agreement"))
    yield Column("SQNR", 13 if scored else 2, partial(_check, name="sqnr"))
    counts = sorted({timing.threads for candidate in comparison.candidates for timing in candidate.timings})
    for place, threads in enumerate(counts):
        heading = f"{threads} thread{'s' if threads > 1 else ''}"
        yield Column(heading, 9 if place else 3, partial(_median, threads=threads))
        yield Column(f"{heading} p90", 11 if place else 8, partial(_p90, threads=threads))
    yield Column("first answer", 7, _first_answer)
    yield Column("resident", 10, partial(_memory, name="resident"))
    yield Column("anonymous", 10, partial(_memory, name="anonymous"))
    yield Column(_NOT_TAKEN, 8, _not_taken)


def _bytes(candidate: Candidate, field: str, *limits: str) -> Cell:
    if candidate.entry is None:
        return Cell()
    checks = [candidate.check(name) for name in limits]
    missed = any(not check.passed for check in checks if check is not None)
    return Cell(format_bytes(getattr(candidate.entry, field)), missed)


def _check(candidate: Candidate, name: str) -> Cell:
    check = candidate.check(name)
    if check is None:
        return Cell()
    text = format_value(check.value, check.unit)
    if check.interval is not None:
        half = format_value((check.interval[1] - check.interval[0]) / 2, check.unit)
        text = f"{text.removesuffix(' %')} ± {half}"
    return Cell(text, not check.passed)


def _asked(candidate: Candidate, name: str) -> Cell:
    """A check that is shown where the target asks for it."""
    check = candidate.check(name)
    return Cell() if check is None or check.limit is None else _check(candidate, name)


def _timing(candidate: Candidate, threads: int) -> Timing | None:
    return next((timing for timing in candidate.timings if timing.threads == threads), None)


def _median(candidate: Candidate, threads: int) -> Cell:
    found = _timing(candidate, threads)
    latency = candidate.check("latency_ratio")
    return Cell() if found is None else Cell(format_seconds(found.median), latency is not None and not latency.passed)


def _p90(candidate: Candidate, threads: int) -> Cell:
    found = _timing(candidate, threads)
    return Cell() if found is None else Cell(format_seconds(found.p90))


def _first_answer(candidate: Candidate) -> Cell:
    return Cell() if candidate.footprint is None else Cell(format_seconds(candidate.footprint.first_answer))


def _memory(candidate: Candidate, name: str) -> Cell:
    count = None if candidate.footprint is None else getattr(candidate.footprint, name)
    return Cell() if count is None else Cell(format_bytes(count))


def _not_taken(candidate: Candidate) -> Cell:
    """Of the delegate that is surveyed first: the one that an app of this format and platform meets first."""
    if not candidate.surveys:
        return Cell()
    survey = candidate.surveys[0]
    return Cell(f"{len(survey.findings)} of {survey.operators}, {survey.delegate}")
