"""Float inputs become quint8 inputs."""

from collections.abc import Mapping

from mobile_export.graph_transform_tool.eightbit.nodes import FLOAT, QUINT8, Range, dequantize, float_constant, splice
from mobile_export.graphs.graph import Graph, attribute
from mobile_export.graphs.protos import NodeDef


def quantize_placeholders(graph: Graph, ends: Range) -> Graph:
    """Let apps feed codes from 0 to 255, which stand for numbers of the range `ends`.

    x: float  =>  Dequantize(x: quint8, min, max)
    """
    graph = graph.copy()
    pieces = {}
    for name in float_placeholders(graph):
        low = float_constant(graph, f"{name}_eightbit/min", ends.min)
        high = float_constant(graph, f"{name}_eightbit/max", ends.max)
        pieces[name] = [low, high, dequantize(f"{name}_eightbit/dequantize", (name, low.name, high.name))]
    feed_codes(graph, pieces)
    return graph


def float_placeholders(graph: Graph) -> list[str]:
    """Names of the inputs that are float; of others, eight bits would make something else."""
    return [
        name
        for name, node in graph.nodes.items()
        if node.op == "Placeholder" and attribute(node, "dtype").type == FLOAT
    ]


def feed_codes(graph: Graph, pieces: Mapping[str, list[NodeDef]]) -> None:
    """Make placeholders quint8, and let what reads them read the last node of each of `pieces`, put behind them."""
    outputs = graph.outputs
    graph.redirect({f"{name}:0": f"{piece[-1].name}:0" for name, piece in pieces.items()})
    graph.outputs = outputs
    for name in pieces:
        graph.nodes[name].attr["dtype"].type = QUINT8
    splice(graph, {name: [graph.nodes[name], *piece] for name, piece in pieces.items()})
