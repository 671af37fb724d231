"""What searches of precisions tried: size against whatever they had limits for."""

from collections.abc import Iterator, Sequence
from math import isfinite

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
from mobile_export.compare.page.schemes import called, chosen, describe_scheme, verdict
from mobile_export.compare.result import Comparison
from mobile_export.published.manifest import ArtifactEntry, ReadingEntry, TrialEntry
from mobile_export.report.terminal import format_bytes, format_value

_LOOKS = {
    "passed": ("circle", "var(--series-1)"),
    "missed": ("cross", "var(--series-4)"),
    "larger": ("triangle-up", "var(--muted)"),
    "refused": ("square", "var(--muted)"),
    "probe": ("diamond", "var(--series-3)"),
}
"""Shape and colour by verdict."""


def trials(comparison: Comparison) -> Figure:
    """One variant for each file whose precision was searched for, and each thing that was measured."""
    variants = tuple(variant for entry in comparison.manifest.artifacts for variant in _variants(entry))
    caption = (
        "Every file that the search wrote and ran. Filled: the one that was chosen. Dashed: the limit. Files that are "
        "larger than one that passed are not run, and stand in the table alone."
    )
    return Figure("trials", "What the search tried", caption, "measure", variants)


def _variants(entry: ArtifactEntry) -> Iterator[Variant]:
    tried = entry.search.trials if entry.search else ()
    for name in dict.fromkeys(reading.name for trial in tried for reading in trial.readings):
        found = [
            (trial, reading)
            for trial in tried
            for reading in trial.readings
            if reading.name == name and isfinite(reading.value) and trial.bytes is not None
        ]
        yield Variant(f"{entry.name}: {called(name)}", _spec(entry, name, found))


def _spec(entry: ArtifactEntry, name: str, found: Sequence[tuple[TrialEntry, ReadingEntry]]) -> Spec:
    sizes = [trial.bytes or 0 for trial, _ in found]
    x, y = byte_axis("size", sizes), _reading_axis(name, {reading.unit for _, reading in found})
    at = {"x": position("x", x, sizes), "y": position("y", y)}
    limits = {reading.limit for trial, reading in found if reading.limit is not None and not trial.probe}
    looks = {name: look for name, look in _LOOKS.items() if any(verdict(trial) == name for trial, _ in found)}
    marked = {
        **at,
        "shape": by("verdict", {name: shape for name, (shape, _) in looks.items()}),
        "stroke": by("verdict", {name: color for name, (_, color) in looks.items()}),
        "fill": {"value": "var(--series-1)"},
        "fillOpacity": FILLED,
        "description": DESCRIBED,
        "tooltip": tooltip(scheme="scheme", step="step", x=x.short, y=y.short, verdict="verdict"),
    }
    return {
        "data": {"values": [_datum(entry, trial, reading, x) for trial, reading in found]},
        "layer": [
            {
                "data": {"values": [{"y": limit} for limit in sorted(limits) if isfinite(limit)]},
                "mark": {**LINE, "type": "rule"},
                "encoding": {"y": at["y"]},
            },
            {"name": "points", "mark": POINT, "encoding": marked},
        ],
    }


def _reading_axis(name: str, units: set[str]) -> Axis:
    title = called(name)
    return Axis(f"{title}, dB" if "dB" in units else title, title, ".2~%" if "share" in units else "")


def _datum(entry: ArtifactEntry, trial: TrialEntry, reading: ReadingEntry, x: Axis) -> Spec:
    size = trial.bytes or 0
    scheme, size_text, value = describe_scheme(trial), format_bytes(size), format_value(reading.value, reading.unit)
    return {
        "scheme": scheme,
        "step": trial.why,
        "verdict": verdict(trial),
        "x": size / x.scale,
        "y": reading.value,
        "xText": size_text,
        "yText": value,
        "filled": int(chosen(entry, trial)),
        "description": f"{scheme}: {size_text}, {value}, {verdict(trial)}",
    }
