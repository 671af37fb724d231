"""How far each layer of a quantized file is from the float one."""

from collections.abc import Iterator, Sequence
from math import isfinite

from mobile_export.compare.page.figures.figure import (
    DESCRIBED,
    FILLED,
    POINT,
    Axis,
    Figure,
    Spec,
    Variant,
    by,
    position,
    tooltip,
)
from mobile_export.compare.result import Comparison, Layer
from mobile_export.report.terminal import format_value

_SHOWN = 40
_EXACT = 100
"""dB: what differs above that is rounding."""
_TOTAL, _OWN = "in the end", "its own"


def layer_errors(comparison: Comparison) -> Figure:
    """One variant a candidate, one row a layer."""
    variants = tuple(Variant(c.name, _spec(c.layers)) for c in comparison.candidates if c.layers)
    caption = (
        "Signal to noise against the float file, worst layer first: more to the right is closer. Filled: with all that "
        f"went wrong before. Hollow: its own, of exact inputs. Shown are the worst {_SHOWN} of those that differ by "
        "more than rounding."
    )
    return Figure("layers", "Error by layer", caption, "file", variants)


def _spec(layers: Sequence[Layer]) -> Spec:
    shown = [layer for layer in layers if layer.sqnr < _EXACT][:_SHOWN]
    ranked = {"field": "rank", "op": "min"}
    names = {"title": None, "grid": True, "labelLimit": 190}
    return {
        "data": {"values": [datum for rank, layer in enumerate(shown) for datum in _data(rank, layer)]},
        "height": 22 * len(shown) + 10,
        "name": "points",
        "mark": {**POINT, "size": 70, "stroke": "var(--series-1)", "fill": "var(--series-1)"},
        "encoding": {
            "x": position("x", Axis("SQNR, dB", "SQNR")),
            "y": {"field": "layer", "type": "nominal", "sort": ranked, "axis": names},
            "shape": by("what", {_TOTAL: "circle", _OWN: "diamond"}),
            "fillOpacity": FILLED,
            "description": DESCRIBED,
            "tooltip": tooltip(layer="layer", operator="operator", precision="precision", what="measured", x="SQNR"),
        },
    }


def _data(rank: int, layer: Layer) -> Iterator[Spec]:
    """A point for each of its numbers that is known and finite."""
    for what, value in ((_TOTAL, layer.sqnr), (_OWN, layer.own_sqnr)):
        if value is not None and isfinite(value):
            text = format_value(value, "dB")
            yield {
                "rank": rank,
                "layer": layer.name,
                "operator": layer.operator,
                "precision": layer.precision,
                "what": what,
                "x": value,
                "xText": text,
                "filled": int(what == _TOTAL),
                "description": f"{layer.name}: {text} {what}",
            }
