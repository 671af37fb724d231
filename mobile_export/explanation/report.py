"""An explanation as a person reads it."""

from collections.abc import Sequence
from math import isinf

from rich import box
from rich.table import Table
from rich.text import Text

from mobile_export.explanation.comparison import LayerError
from mobile_export.explanation.explain import Explanation

SHOWN = 20
"""Layers that are shown, of more."""
_CUT = ";…"


def heading(explanation: Explanation) -> str:
    """What was compared."""
    return f"{explanation.file.name} against {explanation.against}: {explanation.samples} samples of {explanation.data}"


def layers_table(explanation: Explanation) -> Table:
    """One row a layer, worst first.

    `own` is what the layer makes of exact inputs, `SQNR` what its values are in the end, with all that went wrong
    before; where an operator keeps its values in another type than it computes in, that stands behind an arrow.
    """
    table = _table(
        "layer", "operator", "precision", right=("own dB", "SQNR dB", "cosine", "range", "cut", "weights dB")
    )
    short = _short_names(explanation)
    for layer in explanation.layers[:SHOWN]:
        _add_row(
            table,
            short[layer.name],
            layer.operator,
            _precision(layer),
            _decibels(layer.own_sqnr),
            _decibels(layer.sqnr),
            f"{layer.cosine:.5f}",
            _percent(layer.range_used),
            _percent(layer.saturation),
            _decibels(layer.weights_sqnr),
        )
    return table


def reasons_table(explanation: Explanation) -> Table:
    """Why layers err, of those that `layers_table` shows and something is known of."""
    table = _table("layer", "why")
    short = _short_names(explanation)
    for layer in explanation.layers[:SHOWN]:
        for index, reason in enumerate(layer.reasons):
            text = reason.text
            if reason.layer:
                text = text.replace(repr(reason.layer), repr(short[reason.layer]))
            _add_row(table, "" if index else short[layer.name], f"{text} [{reason.kind}]")
    return table


def notes(explanation: Explanation) -> list[str]:
    """What else there is to say."""
    found = []
    hidden = len(explanation.layers) - SHOWN
    if hidden > 0:
        found.append(f"{hidden} more layers are better than these; --format json shows all")
    if any(name != short for name, short in _short_names(explanation).items()):
        found.append(
            f"names that end in {_CUT} are cut; a target's layers takes them whole, as --format json shows them"
        )
    return [*found, *filter(None, [explanation.note])]


def _short_names(explanation: Explanation) -> dict[str, str]:
    """Names by layer: converters join those of all operators that one stands for, of which the first is enough."""
    first = [layer.name.partition(";")[0] for layer in explanation.layers]
    return {
        layer.name: layer.name if layer.name == part or first.count(part) > 1 else part + _CUT
        for layer, part in zip(explanation.layers, first, strict=True)
    }


def _table(*left: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _add_row(table: Table, *cells: str) -> None:
    """Cells as they are: names of layers come from files, and are no markup."""
    table.add_row(*map(Text, cells))


def _precision(layer: LayerError) -> str:
    kept = {"int8": ("int8", "uint8"), "int16x8": ("int16", "uint16")}.get(
        layer.precision, ("float32", layer.precision)
    )
    return layer.precision if layer.stored in kept else f"{layer.precision} → {layer.stored}"


def _decibels(value: float | None) -> str:
    if value is None:
        return "–"
    if isinf(value):
        return "exact" if value > 0 else "lost"
    return f"{value:.1f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %" if share else "0 %"
