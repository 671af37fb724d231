"""What accuracy costs: a file's size, and its latency."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from mobile_export.compare.cells import kind
from mobile_export.compare.columns import format_check, format_seconds, format_threads, thread_counts
from mobile_export.compare.page.figures.figure import (
    DESCRIBED,
    FILLED,
    LINE,
    POINT,
    Axis,
    Figure,
    Spec,
    Variant,
    by,
    byte_axis,
    position,
    tooltip,
)
from mobile_export.compare.page.verdict import missed_limits
from mobile_export.compare.pareto import quality
from mobile_export.compare.result import Candidate, Comparison
from mobile_export.published.manifest import CheckEntry
from mobile_export.report.terminal import format_bytes, format_value

_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")
_COLORS = tuple(f"var(--series-{index})" for index in range(1, 7))
_BAR: Spec = {"type": "rule", "strokeWidth": 1.5, "opacity": 0.45, "aria": False}
_KEY = "Filled: in the Pareto set. Pale: passes. Hollow: misses a limit. The line joins the files that pass and are"


@dataclass(frozen=True)
class _Point:
    """A file, and where it stands.

    Attributes:
        score: what it is plotted by from bottom to top.
        x_high: where its bar to the right ends.
    """

    candidate: Candidate
    score: CheckEntry
    x: float
    x_text: str
    x_high: float | None = None


def size_and_quality(comparison: Comparison) -> Figure:
    """Download size against accuracy."""
    points = [
        _Point(candidate, score, candidate.entry.zipped_bytes, format_bytes(candidate.entry.zipped_bytes))
        for candidate, score in _scored(comparison)
        if candidate.entry is not None
    ]
    axis = byte_axis("size in the download", [point.x for point in points])
    variants = (Variant("", _spec(points, axis, comparison)),) if points else ()
    caption = f"{_KEY} better than every smaller one. Bars: 95 % intervals."
    return Figure("size", f"Size and {_quality(comparison)}", caption, "", variants)


def latency_and_quality(comparison: Comparison) -> Figure:
    """Latency on this computer against accuracy, for each number of threads."""
    axis = Axis("median latency on this computer, ms", "latency", scale=1e-3)
    timed = {threads: list(_timed(comparison, threads)) for threads in thread_counts(comparison)}
    variants = tuple(
        Variant(format_threads(threads), _spec(points, axis, comparison)) for threads, points in timed.items() if points
    )
    caption = (
        f"{_KEY} better than every faster one. Bars: 95 % intervals, and from the median to the 90th percentile. "
        "Latency was measured on this computer: it ranks, it does not promise."
    )
    return Figure("latency", f"Latency and {_quality(comparison)}", caption, "threads", variants)


def _scored(comparison: Comparison) -> Iterator[tuple[Candidate, CheckEntry]]:
    """Candidates with a score, the best last, which is drawn above others.

    Without evaluation data, closeness to the reference stands for it.
    """
    for candidate in sorted(comparison.candidates, key=_rank):
        check = candidate.check("accuracy" if comparison.metric else "sqnr")
        if check is not None and isfinite(check.value):
            yield candidate, check


def _rank(candidate: Candidate) -> int:
    """2 in the Pareto set, 1 where it passes, 0 where it misses a limit."""
    return 2 if candidate.pareto else int(candidate.passed)


def _timed(comparison: Comparison, threads: int) -> Iterator[_Point]:
    for candidate, score in _scored(comparison):
        found = candidate.timing(threads)
        if found is not None:
            text = f"{format_seconds(found.median)} (p90 {format_seconds(found.p90)})"
            yield _Point(candidate, score, found.median, text, found.p90)


def _quality(comparison: Comparison) -> str:
    return "accuracy" if comparison.metric else "closeness"


def _quality_axis(points: Sequence[_Point], comparison: Comparison) -> Axis:
    if not comparison.metric:
        return Axis("SQNR against the reference, dB", "SQNR")
    shares = all(point.score.unit == "share" for point in points)
    return Axis(comparison.metric, comparison.metric, ".2~%" if shares else "")


def _spec(points: Sequence[_Point], x: Axis, comparison: Comparison) -> Spec:
    """Points with bars for their intervals, and the line of those that nothing beats in both measures."""
    y = _quality_axis(points, comparison)
    formats = list(dict.fromkeys(candidate.format for candidate in comparison.candidates))
    colors, shapes = (_repeated(formats, choices) for choices in (_COLORS, _SHAPES))
    at = {"x": position("x", x, [point.x for point in points]), "y": position("y", y)}
    front = [{"x": right / x.scale, "y": top} for right, top in _front(points)]
    marked = {
        **at,
        "shape": by("format", shapes),
        "stroke": by("format", colors),
        "fill": by("format", colors),
        "fillOpacity": FILLED,
        "description": DESCRIBED,
        "tooltip": tooltip(file="file", kind="kind", x=x.short, y=y.short, verdict="verdict"),
    }
    return {
        "data": {"values": [_datum(point, x) for point in points]},
        "layer": [
            {"data": {"values": front}, "mark": {**LINE, "interpolate": "step-after"}, "encoding": at},
            *({"mark": _BAR, "encoding": {**bar, "stroke": by("format", colors)}} for bar in _bars(points, at)),
            {"name": "points", "mark": POINT, "encoding": marked},
            {"name": "labels", "mark": {"type": "text"}, "encoding": {**at, "text": {"field": "file"}}},
        ],
    }


def _repeated(formats: Sequence[str], choices: Sequence[str]) -> dict[str, str]:
    return {name: choices[index % len(choices)] for index, name in enumerate(formats)}


def _bars(points: Sequence[_Point], at: Spec) -> Iterator[Spec]:
    """Up and down to the ends of the interval, and right to the 90th percentile, where there are any."""
    if any(point.score.interval for point in points):
        yield {**at, "y": {**at["y"], "field": "low"}, "y2": {"field": "high"}}
    if any(point.x_high is not None for point in points):
        yield {**at, "x2": {"field": "xHigh"}}


def _datum(point: _Point, x: Axis) -> Spec:
    candidate, score, rank = point.candidate, point.score, _rank(point.candidate)
    low, high = score.interval or (None, None)
    value = format_value(score.value, score.unit)
    verdict = ("; ".join(missed_limits(candidate)), "passes", "in the Pareto set")[rank]
    return {
        "file": candidate.name,
        "format": candidate.format,
        "kind": kind(candidate),
        "x": point.x / x.scale,
        "y": score.value,
        "low": low,
        "high": high,
        "xHigh": None if point.x_high is None else point.x_high / x.scale,
        "xText": point.x_text,
        "yText": format_check(score),
        "verdict": verdict,
        "filled": (0, 0.25, 1)[rank],
        "order": -rank,
        "description": f"{candidate.name}: {point.x_text}, {value}, {verdict}",
    }


def _front(points: Sequence[_Point]) -> list[tuple[float, float]]:
    """Where each file that passed stands which is better than all before it, and the end of the last step."""
    passed = [point for point in points if point.candidate.passed]
    front: list[_Point] = []
    for point in sorted(passed, key=lambda point: (point.x, -quality(point.candidate))):
        if not front or quality(point.candidate) > quality(front[-1].candidate):
            front.append(point)
    steps = [(point.x, point.score.value) for point in front]
    return [*steps, (max(point.x for point in points), steps[-1][1])] if steps else []
