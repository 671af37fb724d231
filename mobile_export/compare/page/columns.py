"""The page's main table: what a column shows of a candidate, and what it is sorted by."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import isnan

from mobile_export.compare.cells import format_seconds
from mobile_export.compare.result import Candidate, Comparison
from mobile_export.published.manifest import CheckEntry
from mobile_export.report.terminal import format_bytes, format_limit, format_value
from mobile_export.timing.result import Timing


@dataclass(frozen=True)
class Cell:
    """What stands in a row and column.

    Attributes:
        value: what it is sorted by; None where nothing was measured.
        detail: the small print below it, such as an interval.
        missed: whether it is beyond its limit.
    """

    value: float | None = None
    text: str = "–"
    detail: str = ""
    missed: bool = False


MISSING = Cell()


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        about: what its numbers are, in a sentence.
    """

    title: str
    about: str
    cell: Callable[[Candidate], Cell]


def columns(comparison: Comparison) -> list[Column]:
    """The columns in which something is known of any candidate."""
    return [
        column
        for column in _columns(comparison)
        if any(column.cell(candidate).value is not None for candidate in comparison.candidates)
    ]


def missed_limits(candidate: Candidate) -> list[str]:
    """Each limit that does not hold, in words."""
    checks = candidate.entry.checks if candidate.entry else ()
    return [_missed(check) for check in checks if not check.passed]


def format_threads(threads: int) -> str:
    """`1 thread`."""
    return f"{threads} thread{'s' * (threads != 1)}"


def timing(candidate: Candidate, threads: int) -> Timing | None:
    """How long it takes to answer with that many threads, where that was measured."""
    return next((timing for timing in candidate.timings if timing.threads == threads), None)


def thread_counts(comparison: Comparison) -> list[int]:
    """Numbers of threads that anything was timed with."""
    return sorted({timing.threads for candidate in comparison.candidates for timing in candidate.timings})


def _columns(comparison: Comparison) -> Iterator[Column]:
    yield Column("size", "Bytes of the file.", _size)
    yield Column("download", "What it adds to the app's download: compressed as the store's package is.", _download)
    metric = comparison.metric or "score"
    yield Column(metric, "Score on the evaluation data, and its 95 % interval.", partial(_check, name="accuracy"))
    about = "How much worse than the reference on the same samples, and its 95 % interval; below zero is better."
    yield Column("drop", about, partial(_check, name="accuracy_drop"))
    about = "How sure it is that the drop stays within its limit."
    yield Column("confidence", about, _confidence)
    about = "How often the first answer is that of the reference."
    yield Column("same top-1", about, partial(_check, name="top1_agreement"))
    about = "Signal to quantization noise of the outputs against the reference's: more is closer."
    yield Column("SQNR", about, partial(_check, name="sqnr"))
    for threads in thread_counts(comparison):
        about = f"An answer with {format_threads(threads)} on this computer, warm: the median, and the 90th percentile."
        yield Column(format_threads(threads), about, partial(_latency, threads=threads))
    yield Column("first answer", "To load the file and answer once, in a fresh process.", _first_answer)
    yield Column("resident", "Memory of that process, pages of mapped files included.", _resident)
    yield Column("anonymous", "Memory of it that the system cannot drop under pressure.", _anonymous)
    yield Column("not fast", "Operators that the fast CPU path leaves to plain kernels, of all.", _outside)


def _size(candidate: Candidate) -> Cell:
    entry = candidate.entry
    return MISSING if entry is None else _bytes(entry.bytes, _is_missed(candidate, "size", "size_ratio"))


def _download(candidate: Candidate) -> Cell:
    entry = candidate.entry
    return MISSING if entry is None else _bytes(entry.zipped_bytes, _is_missed(candidate, "zipped_size"))


def _check(candidate: Candidate, name: str) -> Cell:
    check = candidate.check(name)
    if check is None or isnan(check.value):
        return MISSING if check is None else Cell(None, "nan", missed=not check.passed)
    interval = "" if check.interval is None else _interval(check.interval, check.unit)
    return Cell(check.value, _value(check.value, check.unit), interval, not check.passed)


def _confidence(candidate: Candidate) -> Cell:
    """Where the target asks for it."""
    check = candidate.check("confidence")
    return MISSING if check is None or check.limit is None else _check(candidate, "confidence")


def _latency(candidate: Candidate, threads: int) -> Cell:
    found = timing(candidate, threads)
    return (
        MISSING
        if found is None
        else Cell(found.median, format_seconds(found.median), f"p90 {format_seconds(found.p90)}")
    )


def _first_answer(candidate: Candidate) -> Cell:
    footprint = candidate.footprint
    return MISSING if footprint is None else Cell(footprint.first_answer, format_seconds(footprint.first_answer))


def _resident(candidate: Candidate) -> Cell:
    return MISSING if candidate.footprint is None else _bytes(candidate.footprint.resident)


def _anonymous(candidate: Candidate) -> Cell:
    return MISSING if candidate.footprint is None else _bytes(candidate.footprint.anonymous)


def _outside(candidate: Candidate) -> Cell:
    """Of the first delegate that is surveyed: the one that runs a file where an app asks for nothing."""
    if not candidate.surveys:
        return MISSING
    survey = candidate.surveys[0]
    return Cell(len(survey.findings), f"{len(survey.findings)} of {survey.operators}", survey.title)


def _bytes(count: int, missed: bool = False) -> Cell:
    return Cell(count, format_bytes(count), missed=missed)


def _is_missed(candidate: Candidate, *names: str) -> bool:
    found = (candidate.check(name) for name in names)
    return any(not check.passed for check in found if check is not None)


def _interval(interval: tuple[float, float], unit: str) -> str:
    """`98.28 to 99.27 %`: the unit once, if both ends have the same."""
    low, high = (_value(end, unit) for end in interval)
    number, space, low_unit = low.rpartition(" ")
    return f"{number if space and high.endswith(space + low_unit) else low} to {high}"


def _value(value: float, unit: str) -> str:
    """With a minus as long as a plus."""
    return format_value(value, unit).replace("-", "−")


def _missed(check: CheckEntry) -> str:
    name, value = check.name.replace("_", " "), _value(check.value, check.unit)
    asked = "" if check.limit is None else f", asked for {format_limit(check)}"
    return f"{name} is {value}{asked}" + (f" ({check.note})" if check.note else "")
