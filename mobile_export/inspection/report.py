"""What `inspect` prints, as text and as JSON."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mobile_export.graphs.graph import TensorSpec, format_shape
from mobile_export.inspection.findings import Edge, Edges, Inspection, Network, Seen, Verdict
from mobile_export.report.terminal import format_bytes

_LISTED = 12
"""Candidates, files and obstacles that are shown; JSON has all."""

_TIED = "\N{NO-BREAK SPACE}"

_HOW = {
    "user": "as given",
    "signature": "by the model's own signature",
    "inferred": "inferred from the graph",
    "candidates": "not clear; candidates, those marked * are taken below",
    "cut": "cut, marked *, where files can begin or end",
}


def inspection_lines(found: Inspection, width: int = 100) -> list[str]:
    """For a person: what was found, in lines of at most `width` columns, but for names and lines to copy."""
    return [line for lines in _sections(found, width) for line in lines]


def _sections(found: Inspection, width: int) -> Iterator[list[str]]:
    seen = found.seen
    yield [f"{found.source}"]
    yield _item("form", f"{found.form}: {found.why}", width)
    files = [f"{path.name} {format_bytes(size)}".replace(" ", _TIED) for path, size in found.files.items()]
    yield _item("files", ", ".join(_limited(files)), width)
    for tags, names in found.signatures.items():
        yield _item("signatures", f"{', '.join(names) or 'none'} (tags: {', '.join(tags) or 'none'})", width)
    for note in seen.notes:
        yield _item("note", note, width)
    for kind, edges in (("inputs", seen.inputs), ("outputs", seen.outputs)):
        yield ["", f"{kind}, {_HOW[edges.how] if edges.edges else 'none found'}", *_edges(edges, width)]
    yield ["", *_network(found, width)]
    dropped = list(_dropped(seen))
    if dropped:
        yield ["", "around it, dropped", *(line for text in dropped for line in _wrapped(text, width))]
    if seen.obstacles:
        yield ["", "what no file can hold", *_obstacles(seen, width)]
    if found.seen.model is not None and found.seen.model.constants:
        fixed = [f"{constant.tensor} = {str(constant.value).lower()}" for constant in found.seen.model.constants]
        yield ["", "switches, as they are at inference", *(f"  {line}" for line in fixed)]
    if found.problem:
        yield ["", "why nothing can be built", *_wrapped(found.problem, width)]
    elif found.verdicts:
        yield ["", "formats, each written, loaded, run and compared with TensorFlow", *_verdicts(found.verdicts, width)]


def _item(label: str, text: str, width: int) -> list[str]:
    return _wrapped(text, width, f"  {label:12}  ", " " * 16)


def _wrapped(text: str, width: int, first: str = "  ", rest: str = "  ") -> list[str]:
    """`text` in lines; those after its first one are for copying and stay whole."""
    head, *lines = text.splitlines() or [""]
    filled = textwrap.wrap(
        head, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [*(line.replace(_TIED, " ") for line in filled or [first.rstrip()]), *(f"{rest}  {line}" for line in lines)]


def _limited(texts: Sequence[str]) -> list[str]:
    more = [f"and {len(texts) - _LISTED} more"] if len(texts) > _LISTED else []
    return [*texts[:_LISTED], *more]


def _edges(edges: Edges, width: int) -> list[str]:
    """A line each, or two where one is too narrow."""
    if not edges.edges:
        return []
    rows = [("*" if edge.chosen else " ", edge.spec.name, _type(edge.spec), edge.spec.tensor) for edge in edges.edges]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    cells = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in rows]
    narrow = any(len(cell) + len(edge.why) + 4 > width for cell, edge in zip(cells, edges.edges, strict=True))
    between = "\n       " if narrow else "  "
    shown = [f"{cell}{edge.why and between + edge.why}" for cell, edge in zip(cells, edges.edges, strict=True)]
    return [f"  {line}".rstrip() for text in _limited(shown) for line in text.splitlines()]


def _type(spec: TensorSpec) -> str:
    return f"{spec.dtype or '?'}{format_shape(spec.shape)}"


def _network(found: Inspection, width: int) -> Iterator[str]:
    if found.ready is None:
        yield "operators that the outputs need, as saved"
        yield from _wrapped(_counts(found.seen.operators), width)
        return
    network, ready = found.ready.network, found.ready
    sides = (_limited([f"{s.name} {_type(s)}" for s in specs]) for specs in (ready.inputs, ready.outputs))
    yield "network"
    yield from _item("edges", " → ".join(map(", ".join, sides)), width)
    yield from _item("weights", _weights(network), width)
    yield from _item("operators", _counts(network.operators), width)
    flow = [f"{count} {kind}" for kind, count in (("loops", network.loops), ("branches", network.branches)) if count]
    if flow:
        yield from _item("control flow", ", ".join(flow), width)


def _weights(network: Network) -> str:
    macs = "" if network.macs is None else f"; {_count(network.macs)} multiplications a run"
    return f"{network.parameters:,} parameters, {format_bytes(network.weight_bytes)} as float32{macs}"


def _count(number: int) -> str:
    for unit in ("", " thousand", " million"):
        if number < 1000:
            return f"{number:.3g}{unit}"
        number /= 1000  # type: ignore[assignment]
    return f"{number:.3g} billion"


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count}{_TIED}{name}" for name, count in counted.items()) or "none"


def _dropped(seen: Seen) -> Iterator[str]:
    if seen.leftovers:
        yield f"training: {_counts(seen.leftovers)}"
    if seen.dropout:
        yield f"dropout: {seen.dropout} random operators"
    if seen.switches:
        yield f"training switches, off: {', '.join(seen.switches)}"
    if seen.devices:
        yield f"devices: {', '.join(f'{device} ({count})' for device, count in seen.devices.items())}"
    if seen.moving_averages:
        yield (
            f"moving averages: {seen.moving_averages} variables have one; set moving_average = true in [model] to use "
            "them in place of the weights"
        )


def _obstacles(seen: Seen, width: int) -> Iterator[str]:
    for text in _limited(seen.obstacles):
        yield from _wrapped(text, width)
    for table, path in seen.tables.items():
        yield from _wrapped(f"the lookup table {table!r} is filled from {path}", width)
    if seen.cut and seen.model is not None:
        yield from _wrapped(seen.cut, width)


def _verdicts(verdicts: Sequence[Verdict], width: int) -> Iterator[str]:
    wide, precise = max(len(v.format) for v in verdicts), max(len(v.precision) for v in verdicts)
    for verdict in verdicts:
        size = "" if verdict.size is None else format_bytes(verdict.size)
        head = f"  {verdict.outcome:9}  {verdict.format:{wide}}  {verdict.precision:{precise}}  {size:>9}  "
        yield from [line.rstrip() for line in _wrapped(verdict.reason, width, head, " " * 13)]


def inspection_json(found: Inspection) -> dict[str, Any]:
    """For programs; all that the text shows.

    `source`, `form`, `why`; `files`: [{path, bytes}]; `signatures`: [{tags, names}]; `notes`;
    `inputs`, `outputs`: {how, edges: [{name, tensor, dtype, shape, why, chosen}]}, shape null where not even the rank
    is known, sizes -1 where dynamic; `operators`: as saved; `leftovers`, `dropout`, `switches`, `moving_averages`,
    `devices`, `tables`, `obstacles`, `cut`; `problem`: null where there is a network;
    `network`: null or {inputs, outputs, operators, parameters, weight_bytes, macs, loops, branches}, as files have it;
    `formats`: [{format, precision, outcome, bytes, reason}].
    """
    seen, ready = found.seen, found.ready
    return {
        "source": found.source.as_posix(),
        "form": found.form,
        "why": found.why,
        "files": [{"path": path.as_posix(), "bytes": size} for path, size in found.files.items()],
        "signatures": [{"tags": list(tags), "names": list(names)} for tags, names in found.signatures.items()],
        "notes": list(seen.notes),
        "inputs": {"how": seen.inputs.how, "edges": [_edge_json(edge) for edge in seen.inputs.edges]},
        "outputs": {"how": seen.outputs.how, "edges": [_edge_json(edge) for edge in seen.outputs.edges]},
        "operators": dict(seen.operators),
        "leftovers": dict(seen.leftovers),
        "dropout": seen.dropout,
        "switches": list(seen.switches),
        "moving_averages": seen.moving_averages,
        "devices": dict(seen.devices),
        "tables": dict(seen.tables),
        "obstacles": list(seen.obstacles),
        "cut": seen.cut or None,
        "problem": found.problem or None,
        "network": ready
        and {"inputs": _specs_json(ready.inputs), "outputs": _specs_json(ready.outputs), **vars(ready.network)},
        "formats": [
            {"format": v.format, "precision": v.precision, "outcome": v.outcome, "bytes": v.size, "reason": v.reason}
            for v in found.verdicts
        ],
    }


def _edge_json(edge: Edge) -> dict[str, Any]:
    return {**_spec_json(edge.spec), "why": edge.why, "chosen": edge.chosen}


def _specs_json(specs: Iterable[TensorSpec]) -> list[dict[str, Any]]:
    return [_spec_json(spec) for spec in specs]


def _spec_json(spec: TensorSpec) -> dict[str, Any]:
    shape = None if spec.shape is None else list(spec.shape)
    return {"name": spec.name, "tensor": spec.tensor, "dtype": spec.dtype or None, "shape": shape}
