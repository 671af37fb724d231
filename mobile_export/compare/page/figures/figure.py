"""What all plots are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]
"""Vega-Lite, or a part of it."""

POINT: Spec = {"type": "point", "size": 110, "strokeWidth": 1.75, "opacity": 1}
LINE: Spec = {"type": "line", "stroke": "var(--muted)", "strokeWidth": 1.5, "strokeDash": [4, 3], "aria": False}
FILLED: Spec = {"field": "filled", "type": "quantitative", "scale": None, "legend": None}
DESCRIBED: Spec = {"field": "description"}
"""What a screen reader says of a mark."""
_LOG_FROM = 20
"""How many times the smallest value the largest is, where an axis becomes logarithmic."""


@dataclass(frozen=True)
class Variant:
    """One drawing of a figure."""

    label: str
    spec: Spec


@dataclass(frozen=True)
class Figure:
    """A plot, of which the reader may choose the variant.

    Attributes:
        choice: what the variants differ in.
    """

    id: str
    title: str
    caption: str
    choice: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Axis:
    """A measure that is plotted.

    Attributes:
        short: how it is called where there is little room.
        format: how Vega-Lite writes its numbers.
        scale: what is 1 on the axis.
    """

    title: str
    short: str
    format: str = ""
    scale: float = 1


def byte_axis(title: str, values: Sequence[float]) -> Axis:
    """In the unit that suits the largest of these sizes."""
    unit, scale = ("MB", 1e6) if max(values, default=0) >= 1e6 else ("kB", 1e3)
    return Axis(f"{title}, {unit}", "size", scale=scale)


def position(field: str, axis: Axis, values: Sequence[float] = ()) -> Spec:
    """An axis that begins where its values do: they lie close together, and what matters is how they differ."""
    wide = bool(values) and min(values) > 0 and max(values) > _LOG_FROM * min(values)
    scale = {"type": "log", "padding": 14} if wide else {"zero": False, "padding": 14}
    drawn = {"title": axis.title, **({"format": axis.format} if axis.format else {})}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": drawn}


def by(field: str, choices: dict[str, str]) -> Spec:
    """A colour or a shape for each value of a field."""
    scale = {"domain": list(choices), "range": list(choices.values())}
    return {"field": field, "type": "nominal", "scale": scale, "legend": {"title": None}}


def tooltip(**titles: str) -> list[Spec]:
    """What is shown of a point: titles by the field that each stands over; `x` and `y` are shown as text."""
    fields = {"x": "xText", "y": "yText"}
    return [{"field": fields.get(name, name), "title": title} for name, title in titles.items()]
