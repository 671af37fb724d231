"""Comparisons that nobody has measured, for tests of what is made of them."""

from typing import Any

from mobile_export.compare.pareto import mark_pareto
from mobile_export.compare.result import Candidate, Comparison, Computer
from mobile_export.published.manifest import CheckEntry
from mobile_export.timing import Footprint, Timing
from tests.published_folder import artifact, manifest


def check(name: str, value: float, limit: float | None = None, half: float | None = None, **more: Any) -> CheckEntry:
    """A measured value; `half` is half the width of its interval."""
    at_least = name in ("accuracy", "sqnr", "confidence")
    passed = limit is None or (value >= limit if at_least else value <= limit)
    interval = None if half is None else (value - half, value + half)
    given = {"check": "accuracy", "at_least": at_least, "passed": passed, "interval": interval, **more}
    return CheckEntry(name=name, value=value, limit=limit, **given)


def drop(value: float, half: float = 0.0, limit: float | None = None) -> CheckEntry:
    return check("accuracy_drop", value, limit, half, unit="share")


def timing(median: float, threads: int = 1, p90: float | None = None) -> Timing:
    """Seconds."""
    interval = (0.98 * median, 1.02 * median)
    return Timing(threads=threads, median=median, interval=interval, p90=p90 or 1.5 * median, answers=100)


def candidate(
    name: str, zipped: int = 900, micros: float | None = None, checks: tuple[CheckEntry, ...] = (), **more: Any
) -> Candidate:
    """One with a file; `micros` of latency in one thread."""
    entry = artifact(name, zipped_bytes=zipped, checks=checks, **more.pop("file", {}))
    if micros is not None:
        more["timings"] = (timing(micros / 1e6),)
        more["footprint"] = Footprint(first_answer=0.002, resident=3_000_000, anonymous=200_000, processes=3)
    given = {"format": entry.format, "precision": entry.precision, "interface": "float32", "in_target": True, **more}
    return Candidate(name=name, entry=entry, **given)


def refused(name: str, why: str, **more: Any) -> Candidate:
    given = {"format": "tflite", "precision": "int8", "interface": "float32", "in_target": False, **more}
    return Candidate(name=name, entry=None, refused=why, **given)


def comparison(*candidates: Candidate, **more: Any) -> Comparison:
    entries = [one.entry for one in candidates if one.entry is not None]
    given: dict[str, Any] = {
        "target": "android",
        "platform": "android",
        "metric": "top1",
        "samples": 2000,
        "reference": check("accuracy", 0.99, half=0.01, unit="share"),
        "manifest": manifest().model_copy(update={"artifacts": tuple(entries)}),
        "candidates": mark_pareto(candidates),
        "graphs": (),
        "computer": Computer(processor="a processor", cores=2, system="Linux", runtimes={"LiteRT": "2.3"}),
        **more,
    }
    return Comparison(**given)
