"""What every rendering says alike: rows in their order, what a candidate is, and what to know before reading."""

from collections.abc import Iterable, Iterator

from mobile_export.compare.columns import (
    NOT_TAKEN,
    Cell,
    Column,
    device_names,
    format_check,
    thread_counts,
)
from mobile_export.compare.pareto import MEANING
from mobile_export.compare.result import Candidate, Comparison

PARETO = "★"
"""Marks what no other candidate beats."""
ADDED = "+"
"""Marks what the target does not have."""
WAVERING = 3.0
"""p90 over median from which on the answers of a file are told to waver."""
SLOWED = 2.0
"""Median with more threads over that with one, from which on others held the cores that the threads waited for."""
BUSY = 1 / 3
"""Share of the timed files that waver or are slowed, from which on it is the computer's doing."""


def rows(comparison: Comparison) -> list[Candidate]:
    """Candidates that have a file: those that passed, by download size, then the others."""
    made = [candidate for candidate in comparison.candidates if candidate.entry is not None]
    return sorted(made, key=lambda c: (not c.passed, c.entry.zipped_bytes if c.entry else 0, c.name))


def refused(comparison: Comparison) -> list[Candidate]:
    """Candidates that have none."""
    return [candidate for candidate in comparison.candidates if candidate.entry is None]


def unseen(comparison: Comparison) -> list[tuple[str, str]]:
    """Names of candidates, and what could not be looked at of them: a sentence each."""
    return [(candidate.name, why) for candidate in comparison.candidates for why in candidate.unseen]


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


KIND = Column("format, precision", "What it is.", 5, lambda candidate: Cell(text=kind(candidate)))
"""The one column of words, of tables that do not say it below the name."""


def reference_line(comparison: Comparison) -> str:
    """What files are held against."""
    score = comparison.reference
    if score is None:
        return (
            f"answers are compared on {comparison.samples:,} samples; there is no [data] evaluation to score them with"
        )
    return f"the model itself: {format_check(score)} {comparison.metric} on {comparison.samples:,} samples"


def footnotes(comparison: Comparison) -> list[str]:
    """What has to be known to read the table."""
    found = [f"{PARETO} {MEANING}"]
    if not all(candidate.in_target for candidate in rows(comparison)):
        found.append(f"{ADDED} is not in the target; --pick size, latency or accuracy adds the best {PARETO} to it")
    checks = (check for candidate in rows(comparison) for check in (candidate.entry.checks if candidate.entry else ()))
    if any(check.interval for check in checks):
        found.append("[low, high]: where the number lies with 95 % confidence, as far as the samples can tell")
    found += on_devices(comparison)
    found += measuring(comparison)
    if any(candidate.surveys for candidate in comparison.candidates):
        found.append(f"{NOT_TAKEN}: operators that a phone's fast path leaves out; `mobile-export lint` names them")
    return found


def on(device: str) -> str:
    """` on arm64:cortex-a53`; nothing on this computer."""
    return f" on {device}" if device else ""


def on_devices(comparison: Comparison) -> Iterator[str]:
    """What a column of a device says; nothing where there is none, and what was left out."""
    names = device_names(comparison)
    if not names:
        return
    entries = [candidate.entry for candidate in rows(comparison) if candidate.entry is not None]
    counts = sorted({device.samples for entry in entries for device in entry.devices if not device.skipped})
    if counts:
        yield (
            f"{', '.join(names)}: the largest difference between answers there and here, over the largest magnitude "
            f"here, on {_counted(counts, 'samples')}; marked where a limit is missed there"
        )
    yield from comparison.manifest.skipped


def measuring(comparison: Comparison) -> Iterator[str]:
    """How latency and memory were measured, and what they are good for; nothing where they were not."""
    computer = comparison.computer
    answers = [timing.answers for candidate in comparison.candidates for timing in candidate.timings]
    processes = [candidate.footprint.processes for candidate in comparison.candidates if candidate.footprint]
    if answers or processes:
        versions = ", ".join(f"{name} {version}" for name, version in computer.runtimes.items())
        yield (
            f"latency, load time and memory are of this computer ({computer.processor}, {computer.cores} cores, "
            f"{computer.system}; {versions}): they rank files, and promise nothing about a phone"
        )
        said = [f"a latency is the median of {_counted(answers, 'answers')}"] if answers else []
        if processes:
            of = (
                "of one fresh process"
                if max(processes) == 1
                else f"the median of {_counted(processes, 'fresh processes')}"
            )
            said.append(f"first answer and memory are {of}")
        yield "; ".join(said)
    if is_busy(comparison):
        yield "this computer was busy: latencies waver, or threads waited for cores; measure again when it is idle"


def is_busy(comparison: Comparison) -> bool:
    """Whether many of the files were held up by what else ran on the computer."""
    counts = thread_counts(comparison)
    timed = [candidate for candidate in comparison.candidates if candidate.timings]
    held_up = [candidate for candidate in timed if _is_held_up(candidate, counts)]
    return len(held_up) >= max(1.0, BUSY * len(timed))


def _is_held_up(candidate: Candidate, counts: Iterable[int]) -> bool:
    found = [each for each in (candidate.timing(threads) for threads in counts) if each is not None]
    return any(each.p90 > WAVERING * each.median or each.median > SLOWED * found[0].median for each in found)


def _counted(numbers: list[int], what: str) -> str:
    """`11 to 501 answers`."""
    low, high = min(numbers), max(numbers)
    return f"{low if low == high else f'{low} to {high}'} {what}"
