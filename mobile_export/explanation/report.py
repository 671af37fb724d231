"""An explanation as a person reads it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isinf

from rich import box
from rich.table import Table
from rich.text import Text

from mobile_export.explanation.comparison import LayerError
from mobile_export.explanation.explain import Explanation
from mobile_export.explanation.on_device import DeviceExplanation
from mobile_export.quantize.scheme import INTEGERS, integer_precision

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
    `set by` is the layer that a target can give another precision, where that is not the layer itself.
    """
    right = ("own dB", "SQNR dB", "cosine", "range", "cut", "weights dB")
    table = _table("layer", "set by", "operator", "precision", right=right)
    short = _short_names(explanation)
    for layer in explanation.layers[:SHOWN]:
        _add_row(
            table,
            short[layer.name],
            _set_by(layer, short),
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
            for name in filter(None, (reason.layer, *reason.settable)):
                text = text.replace(repr(name), repr(short[name]))
            _add_row(table, "" if index else short[layer.name], f"{text} [{reason.kind}]")
    return table


def notes(explanation: Explanation) -> list[str]:
    """What else there is to say."""
    found = []
    hidden = len(explanation.layers) - SHOWN
    if hidden > 0:
        found.append(f"{hidden} more layers are better than these; --format json shows all")
    if any(layer.settable != layer.name for layer in explanation.layers[:SHOWN]):
        found.append("a target's layers takes the names under `set by`, and those of the layers without one")
    if any(name != short for name, short in _short_names(explanation).items()):
        found.append(f"names that end in {_CUT} are cut; --format json shows them whole")
    return [*found, *filter(None, [explanation.note])]


def device_heading(explanation: DeviceExplanation) -> str:
    """What was compared with what."""
    return (
        f"{explanation.file.name} on {explanation.device} ({explanation.runtime}) against this computer: "
        f"{explanation.samples} samples of {explanation.data}"
    )


def operators_table(explanation: DeviceExplanation) -> Table:
    """One row an operator that differs there, worst first."""
    table = _table("operator", "writes", right=("difference", "values"))
    table.add_column("why", overflow="fold")
    for found in explanation.operators[:SHOWN]:
        _add_row(
            table, found.operator, found.name, f"{found.difference:.2g}", _percent(found.share), found.reason or "–"
        )
    return table


def device_notes(explanation: DeviceExplanation) -> list[str]:
    """What else there is to say."""
    found = []
    hidden = len(explanation.operators) - SHOWN
    if hidden > 0:
        found.append(f"{hidden} more operators differ by less; --format json shows all")
    if not explanation.operators and not explanation.note:
        found.append("every operator computes the same there as here, but for rounding of real values")
    return [*found, *filter(None, [explanation.note])]


def _short_names(explanation: Explanation) -> dict[str, str]:
    """Names by layer: converters join those of all operators that one stands for, of which the first is enough."""
    names = [name for layer in explanation.layers for name in (layer.name, layer.settable, *_advised(layer)) if name]
    first = {name: name.partition(";")[0] for name in names}
    alike = Counter(first.values())
    return {name: name if name == part or alike[part] > 1 else part + _CUT for name, part in first.items()}


def _advised(layer: LayerError) -> list[str]:
    return [name for reason in layer.reasons for name in reason.settable]


def _set_by(layer: LayerError, short: Mapping[str, str]) -> str:
    if layer.settable == layer.name:
        return ""
    return "–" if layer.settable is None else short[layer.settable]


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
    plain = layer.precision in (layer.stored, integer_precision(layer.stored))
    plain |= layer.stored == "float32" and layer.precision not in INTEGERS
    return layer.precision if plain else f"{layer.precision} → {layer.stored}"


def _decibels(value: float | None) -> str:
    if value is None:
        return "–"
    if isinf(value):
        return "exact" if value > 0 else "lost"
    return f"{value:.1f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %" if share else "0 %"
