"""`optimize-for-inference`: a trained graph without what only training needs, batch norms folded into weights.

The result is that of TensorFlow's optimize_for_inference, node by node. It also comes where that tool fails or changes
what the network answers; `docs/classic.md` says where.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from mobile_export.classic.changes import Changes
from mobile_export.classic.files import check_output, read_graph, write_graph
from mobile_export.classic.flags import Flags, flag, listed
from mobile_export.classic.inference.optimize import Request, optimize
from mobile_export.errors import TargetError
from mobile_export.graphs.graph import is_tensor, node_name, port
from mobile_export.graphs.tensors import dtype_name, dtype_number_spelled


@dataclass(frozen=True, kw_only=True)
class OptimizeForInference(Flags):
    """Remove what only training needs from a frozen graph, and fold batch norms into weights."""

    input: str = flag("", "Frozen GraphDef, binary or text.")
    output: str = flag("", "File to write.")
    input_names: str = flag("", "Nodes that the app feeds, separated by commas.")
    output_names: str = flag("", "Nodes whose values the app takes, separated by commas.")
    frozen_graph: bool = flag(True, "Whether the file to write is binary; false: text. What is read shows what it is.")
    placeholder_type_enum: str = flag(
        "",
        "Element type of the inputs, or one for each, separated by commas: names, or TensorFlow's numbers (1 is "
        "float32). Default: a placeholder keeps its own; float32 for other nodes, unless these say theirs.",
    )
    toco_compatible: bool = flag(False, "Whether to leave operators alone that TensorFlow Lite has no fused form of.")
    placeholder_to_const_names: str = flag(
        "", "Boolean placeholders that get a value for good, separated by commas: phase_train=False."
    )


def optimize_for_inference(flags: OptimizeForInference) -> Changes:
    """Optimize the graph in a file, as the flags say.

    Raises:
        TargetError: a flag is missing or wrong.
        ModelError: the graph cannot be read, or has no such nodes.
        ConversionError: the result is too large for a GraphDef.
        OutputError: it cannot be written.
    """
    check_output(flags.output, "output")
    request = _request(flags)
    graph = read_graph(flags.input, "input")
    optimized = optimize(graph, request)
    path = write_graph(flags.output, "output", optimized.graph, as_text=not flags.frozen_graph)
    return Changes.between(Path(flags.input).expanduser(), graph, path, optimized.graph, optimized.notes)


def _request(flags: OptimizeForInference) -> Request:
    """What the flags ask for.

    Raises:
        TargetError: one is missing or wrong.
    """
    inputs, outputs = (_nodes(key, getattr(flags, key)) for key in ("input_names", "output_names"))
    types = [_type_number(text) for text in listed(flags.placeholder_type_enum)]
    if len(types) not in (0, 1, len(inputs)):
        raise TargetError(
            f"--placeholder_type_enum: has {len(types)} types for {len(inputs)} inputs; give one for all, or for each"
        )
    wanted: dict[str, int | None] = dict.fromkeys(inputs, types[0] if types else None)
    if len(types) > 1:
        wanted |= zip(inputs, types, strict=True)
    constants = dict(_constant(entry) for entry in listed(flags.placeholder_to_const_names))
    return Request(wanted, outputs, constants, flags.toco_compatible)


def _nodes(key: str, names: str) -> list[str]:
    """The nodes that a flag lists; `x:0` is the node `x`."""
    found = listed(names)
    if not found:
        raise TargetError(f"--{key}: missing; name the nodes, separated by commas")
    for name in found:
        if not is_tensor(name) or port(name):
            raise TargetError(f"--{key}: {name!r} is no node; name the node, or the one behind its later output")
    return list(dict.fromkeys(map(node_name, found)))


def _type_number(text: str) -> int:
    """TensorFlow's number of the type that is written `1`, `float`, `float32` or `DT_FLOAT`."""
    try:
        return dtype_number_spelled(dtype_name(int(text)) if re.fullmatch(r"\d{1,3}", text) else text)
    except KeyError:
        raise TargetError(f"--placeholder_type_enum: {text!r} is no type; write 1, float32 or DT_FLOAT") from None


def _constant(entry: str) -> tuple[str, bool]:
    """A placeholder's name and value, of `phase_train=False`."""
    name, _, value = entry.rpartition("=")
    if not name or value not in ("True", "true", "False", "false"):
        raise TargetError(f"--placeholder_to_const_names: {entry!r} says no value; write NAME=True or NAME=False")
    return name, value in ("True", "true")
