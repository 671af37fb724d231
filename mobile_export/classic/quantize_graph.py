"""`quantize-graph`: smaller and coarser graphs, as TensorFlow's quantize_graph made them.

Where the tool stopped with an error, or left graphs that do not run or are wrong, this does what it was for: `quantize`
and `round`, constants in loops, ranges below 0.01.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mobile_export.classic.changes import Changes
from mobile_export.classic.eightbit import eightbit
from mobile_export.classic.files import check_output, read_graph, write_graph
from mobile_export.classic.flags import Flags, flag, listed_nodes
from mobile_export.classic.lossy_nodes import quantize_and_dequantize, round_nodes
from mobile_export.classic.lossy_weights import round_constants, store_weights
from mobile_export.errors import ModelError, TargetError, nearest
from mobile_export.graphs.graph import Graph, TensorSpec

_UNUSED = "Accepted, and not needed."
_MOST_BITS = 24  # of a float32 before it is exact
_FAKE_QUANT_BITS = range(2, 17)

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class QuantizeGraph(Flags):
    """Make the weights of a frozen graph coarser, or its calculations those of eight bits.

    --mode is one of
      weights_rounded  weights take one of 2^bitdepth values; the file keeps its size, and zips to a third
      weights          weights are stored in eight bits, and made floats again at run time
      eightbit         convolutions, matrix products and what follows them calculate in eight bits
      quantize         what these operators read and give is brought to eight bits and back
      round            what they give is rounded to 2^bitdepth levels
    """

    input: str = flag("", "GraphDef, binary or text.")
    output: str = flag("", "File to write.")
    output_node_names: str = flag("", "Names of the output nodes, separated by commas.")
    mode: Literal["round", "quantize", "eightbit", "weights", "weights_rounded"] = flag("round", "What to do.")
    bitdepth: int = flag(8, "Bits of --mode=weights_rounded (1 to 24) and --mode=round (2 to 16).")
    quantized_input: bool = flag(
        False,
        "Whether placeholders take eight bits, for --mode=eightbit; 0 stands for the minimum, 255 for the maximum.",
    )
    quantized_input_min: float = flag(0.0, "The minimum.")
    quantized_input_max: float = flag(1.0, "The maximum.")
    quantized_fallback_min: float | None = flag(
        None, "For --mode=eightbit: minimum of every result, where the graph does not say; measured if missing."
    )
    quantized_fallback_max: float | None = flag(None, "The maximum.")
    strip_redundant_quantization: bool = flag(True, f"Whether pairs that undo each other go. {_UNUSED} They do.")
    print_nodes: bool = flag(False, "Whether the nodes of the result are listed.")
    logtostderr: bool = flag(False, _UNUSED, "alsologtostderr")
    test_input_dims: str = flag("1,224,224,3", _UNUSED)


def quantize_graph(flags: QuantizeGraph) -> Changes:
    """Quantize the graph in a file, as the flags say.

    Raises:
        TargetError: a flag is missing or wrong.
        ModelError: the graph cannot be read, has no such nodes, or cannot be quantized so.
        ConversionError: the result is too large for a GraphDef.
        OutputError: it cannot be written.
    """
    check_output(flags.output, "output")
    input_range, fallback_range = _ranges(flags)
    _check_bits(flags)
    before = read_graph(flags.input, "input")
    outputs = _outputs(before, flags.output_node_names)
    graph = replace(before.copy(), inputs=(), outputs=tuple(TensorSpec(n, f"{n}:0", "", None) for n in outputs))
    graph.prune()
    if flags.mode == "eightbit":
        graph = eightbit(graph, outputs, input_range, fallback_range)
    elif flags.mode == "weights_rounded":
        graph = round_constants(graph, flags.bitdepth)
    elif flags.mode == "weights":
        graph = store_weights(graph)
    elif flags.mode == "round":
        graph = round_nodes(graph, flags.bitdepth)
    else:
        graph = quantize_and_dequantize(graph)
    path = write_graph(flags.output, "output", graph)
    nodes = [f"{node.op}:{node.name}" for node in graph.nodes.values()] if flags.print_nodes else []
    return Changes.between(Path(flags.input).expanduser(), before, path, graph, nodes)


def _ranges(flags: QuantizeGraph) -> tuple[Range | None, Range | None]:
    """What placeholders take in eight bits, and what results lie between."""
    given = fallback = None
    if flags.quantized_input:
        given = _range(flags, "quantized_input", flags.quantized_input_min, flags.quantized_input_max)
    low, high = flags.quantized_fallback_min, flags.quantized_fallback_max
    if low is not None and high is not None:
        fallback = _range(flags, "quantized_fallback", low, high)
    elif low is not None or high is not None:
        raise TargetError("--quantized_fallback_min, --quantized_fallback_max: give both, or none")
    return given, fallback


def _range(flags: QuantizeGraph, name: str, low: float, high: float) -> Range:
    if not low < high:
        raise TargetError(f"--{name}_min: {low} is not below --{name}_max, {high}")
    if flags.mode != "eightbit":
        raise TargetError(f"--{name}…: only --mode=eightbit takes a range, and the mode is {flags.mode}")
    return low, high


def _check_bits(flags: QuantizeGraph) -> None:
    allowed = {"round": _FAKE_QUANT_BITS, "weights_rounded": range(1, _MOST_BITS + 1)}.get(flags.mode)
    if allowed is not None and flags.bitdepth not in allowed:
        raise TargetError(
            f"--bitdepth: {flags.bitdepth} is out of range; --mode={flags.mode} takes {allowed[0]} to {allowed[-1]}"
        )


def _outputs(graph: Graph, names: str) -> Sequence[str]:
    outputs = listed_nodes(names, "output_node_names")
    if not outputs:
        raise TargetError("--output_node_names: missing; name the nodes whose values the app takes")
    for name in outputs:
        if name not in graph.nodes:
            raise ModelError(f"--output_node_names: the graph has no node {name!r}{nearest(name, graph.nodes)}")
    return outputs
