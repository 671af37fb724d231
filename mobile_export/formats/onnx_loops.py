"""The order in which loops and branches carry their variables.

Loop, Scan and If pass tensors by position, and tf2onnx takes the positions from Python sets of objects: any order is
right, and it differs from run to run. Here variables come in the order of TensorFlow's nodes, results in the order in
which they are read.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mobile_export.quantize.onnx_graph import bodies

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def settle_positions(graph: "GraphProto", rank: Mapping[str, int]) -> None:
    """Reorder what the loops and branches of a sorted graph carry, in place; their bodies are not looked into.

    Args:
        graph: its nodes in canonical order.
        rank: TensorFlow's node name → its place.
    """
    reads = [name for node in graph.node for name in _names_read(node)] + [info.name for info in graph.output]
    first = {name: place for place, name in reversed(list(enumerate(reads)))}
    for node in graph.node:
        variables, skipped_in, skipped_out = _layout(node)
        inner = list(bodies(node))
        if inner and all(len(body.output) - skipped_out == len(node.output) for body in inner):
            names = [inner[0].input[skipped_in + k].name.partition(":")[0] for k in range(variables)]
            kept = sorted(range(variables), key=lambda k: rank.get(names[k], len(rank)))
            found = sorted(range(variables, len(node.output)), key=lambda k: first.get(node.output[k], len(first)))
            _permute(node.output, 0, [*kept, *found])
            _permute(node.input, skipped_in, kept)
            for body in inner:
                _permute(body.output, skipped_out, [*kept, *found])
                _permute(body.input, skipped_in, kept)


def _layout(node: "NodeProto") -> tuple[int, int, int]:
    """Of Loop, Scan and If: how many variables they carry, and how many inputs and body results come before those."""
    if node.op_type == "Loop":
        return len(node.input) - 2, 2, 1
    if node.op_type == "Scan":
        return len(node.input) - next(a.i for a in node.attribute if a.name == "num_scan_inputs"), 0, 0
    return 0, 0, 0


def _names_read(node: "NodeProto") -> Iterator[str]:
    yield from node.input
    for body in bodies(node):
        for inner in body.node:
            yield from _names_read(inner)


def _permute(field: Any, start: int, order: Sequence[int]) -> None:
    moved = [copy.deepcopy(field[start + k]) for k in order]
    rest = [copy.deepcopy(item) for item in field[start + len(order) :]]
    del field[start:]
    field.extend([*moved, *rest])
