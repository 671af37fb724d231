"""What is shown of every candidate: one column a measure, the same in a terminal, in Markdown and on the page."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from math import isnan

from mobile_export.compare.result import Candidate, Comparison
from mobile_export.published.manifest import CheckEntry
from mobile_export.report.terminal import DIFFERENCE, format_bytes, format_measured, format_value, short_names

NOT_TAKEN = "not taken"


@dataclass(frozen=True)
class Cell:
    """What stands in a row and column.

    Attributes:
        value: what it is sorted by; None where nothing was measured.
        detail: the small print, such as an interval.
        missed: whether it is beyond its limit.
    """

    value: float | None = None
    text: str = "–"
    detail: str = ""
    missed: bool = False

    @property
    def line(self) -> str:
        """Text and detail."""
        return f"{self.text} {self.detail}".rstrip()


MISSING = Cell()


@dataclass(frozen=True)
class Column:
    """A measure.

    Attributes:
        about: what it is, in a sentence.
        importance: that of the first column to be left out, where not all fit, is the highest.
    """

    heading: str
    about: str
    importance: int
    cell: Callable[[Candidate], Cell] = field(compare=False)


def columns(comparison: Comparison) -> list[Column]:
    """Those in which anything is known of any candidate, in the order in which they stand."""
    return [
        column
        for column in _columns(comparison)
        if any(column.cell(candidate) != MISSING for candidate in comparison.candidates)
    ]


def thread_counts(comparison: Comparison) -> list[int]:
    """Numbers of threads that anything was timed with."""
    return sorted({timing.threads for candidate in comparison.candidates for timing in candidate.timings})


def device_names(comparison: Comparison) -> list[str]:
    """Devices on which any file was to be run, in the order in which the target names them."""
    entries = [candidate.entry for candidate in comparison.candidates if candidate.entry is not None]
    return list(dict.fromkeys(device.device for entry in entries for device in entry.devices))


def format_threads(threads: int) -> str:
    """`1 thread`."""
    return f"{threads} thread{'s' * (threads != 1)}"


def format_seconds(seconds: float) -> str:
    """`12.3 ms`, `18 µs`: three digits, so that a column can be read at a glance."""
    value = seconds * 1e6
    for unit in ("µs", "ms"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} s" if value < 999.5 else f"{value:.0f} s"


def format_interval(check: CheckEntry) -> str:
    """`[98.28, 99.27]`, in the unit of the value; empty where there is no interval."""
    ends = [_value(end, check.unit).split()[0] for end in check.interval or ()]
    return f"[{', '.join(ends)}]" if ends else ""


def format_check(check: CheckEntry) -> str:
    """`98.85 % [98.28, 99.27]`."""
    return f"{_value(check.value, check.unit)} {format_interval(check)}".rstrip()


def _columns(comparison: Comparison) -> Iterator[Column]:
    scored = comparison.reference is not None
    yield Column("size", "Bytes of the file.", 6, partial(_bytes, name="bytes", limits=("size", "size_ratio")))
    about = "What it adds to the app's download: compressed as the store's package is."
    yield Column("zipped", about, 1, partial(_bytes, name="zipped_bytes", limits=("zipped_size",)))
    about = "Score on the evaluation data, and its 95 % interval."
    yield Column(comparison.metric or "accuracy", about, 2, partial(_check, name="accuracy"))
    about = "How much worse than the model on the same samples, and its 95 % interval; below zero is better."
    yield Column("drop", about, 4, partial(_check, name="accuracy_drop"))
    about = "How sure it is that the drop stays within its limit."
    yield Column("confidence", about, 14, partial(_asked, name="confidence"))
    about = "How often the first answer is the model's."
    yield Column("same top-1", about, 12 if scored else 4, partial(_check, name="top1_agreement"))
    about = "Signal to quantization noise of the answers against the model's: more is closer."
    yield Column("SQNR", about, 13 if scored else 2, partial(_check, name="sqnr"))
    for place, threads in enumerate(thread_counts(comparison)):
        heading = format_threads(threads)
        about = f"An answer with {heading} on this computer, warm: the median."
        yield Column(heading, about, 9 if place else 3, partial(_median, threads=threads))
        about = f"Nine of ten answers with {heading} are faster."
        yield Column(f"{heading} p90", about, 11 if place else 8, partial(_p90, threads=threads))
    yield Column("first answer", "To load the file and answer once, in a fresh process.", 7, _first_answer)
    about = "Memory which that took, pages of mapped files included."
    yield Column("resident", about, 10, partial(_memory, name="resident"))
    about = "Memory of it that the system cannot drop under pressure."
    yield Column("anonymous", about, 10, partial(_memory, name="anonymous"))
    devices = device_names(comparison)
    for device, heading in short_names(devices).items():
        about = f"How far answers on {device} are from those here, over the largest magnitude here."
        yield Column(heading, about, 4, partial(_device, device=device))
    about = (
        "Operators, of all, that a fast path of the phone leaves out: the path that an app with this file meets first."
    )
    yield Column(NOT_TAKEN, about, 8, _not_taken)


def _bytes(candidate: Candidate, name: str, limits: tuple[str, ...]) -> Cell:
    if candidate.entry is None:
        return MISSING
    count = getattr(candidate.entry, name)
    checks = [candidate.check(limit) for limit in limits]
    return Cell(count, format_bytes(count), missed=any(not check.passed for check in checks if check is not None))


def _check(candidate: Candidate, name: str) -> Cell:
    check = candidate.check(name)
    if check is None:
        return MISSING
    value = None if isnan(check.value) else check.value
    return Cell(value, _value(check.value, check.unit), format_interval(check), not check.passed)


def _asked(candidate: Candidate, name: str) -> Cell:
    """A check that is shown where the target asks for it."""
    check = candidate.check(name)
    return MISSING if check is None or check.limit is None else _check(candidate, name)


def _median(candidate: Candidate, threads: int) -> Cell:
    """Missed with one thread: that is what a target's limit holds for."""
    found, ratio = candidate.timing(threads), candidate.check("latency_ratio")
    if found is None:
        return MISSING
    missed = threads == 1 and ratio is not None and not ratio.passed
    return Cell(found.median, format_seconds(found.median), missed=missed)


def _p90(candidate: Candidate, threads: int) -> Cell:
    found = candidate.timing(threads)
    return MISSING if found is None else Cell(found.p90, format_seconds(found.p90))


def _first_answer(candidate: Candidate) -> Cell:
    footprint = candidate.footprint
    return MISSING if footprint is None else Cell(footprint.first_answer, format_seconds(footprint.first_answer))


def _memory(candidate: Candidate, name: str) -> Cell:
    if candidate.footprint is None:
        return MISSING
    count = getattr(candidate.footprint, name)
    return Cell(count, format_bytes(count))


def _device(candidate: Candidate, device: str) -> Cell:
    found = next((each for each in (candidate.entry.devices if candidate.entry else ()) if each.device == device), None)
    if found is None:
        return MISSING
    check = found.check(DIFFERENCE)
    if check is None:
        return Cell(text="not run", missed=not found.passed)
    return Cell(None if isnan(check.value) else check.value, format_measured(check), missed=not found.passed)


def _not_taken(candidate: Candidate) -> Cell:
    """Of the delegate that is surveyed first: the one that an app of this format and platform meets first."""
    if not candidate.surveys:
        return MISSING
    survey = candidate.surveys[0]
    return Cell(len(survey.findings), f"{len(survey.findings)} of {survey.operators}", f"by {survey.delegate}")


def _value(value: float, unit: str) -> str:
    """With a minus as long as a plus."""
    return format_value(value, unit).replace("-", "−")
