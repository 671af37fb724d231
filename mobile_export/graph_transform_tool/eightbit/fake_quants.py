"""What training with FakeQuant operators left: the range of a value, trained, where it is used.

Each FakeQuantWithMinMaxVars is moved up to the operator that computes the value in 32 bits, becomes a conversion of its
own, and takes the place of that operator's conversion, which would have to look for the range at each run.
"""

from mobile_export.graph_transform_tool.eightbit.nodes import (
    QINT32,
    codes_of,
    dequantize,
    quantize,
    read_elsewhere,
    requantize,
    splice,
)
from mobile_export.graph_transform_tool.matching import ANY, Match, Pattern, find_matches
from mobile_export.graphs.graph import Graph, control_inputs, short
from mobile_export.graphs.protos import NodeDef

_HIGHEST = 3
"""Operators that a FakeQuant is moved over at once."""

_CONST = Pattern("Const")

_CLAMPED_ALIKE = frozenset(
    """
    CheckNumerics DepthToSpace Identity MaxPool PreventGradient Relu Relu6 Snapshot SpaceToDepth Squeeze StopGradient
    """.split()
)
"""Operators that may be told before or after whether values leave a range: they pick values, or keep their order and 0.
A FakeQuant that was trained behind others, such as AvgPool or Sigmoid, has another range than what they read."""


def hoist_fake_quants(graph: Graph) -> Graph:
    """Move each FakeQuant up to what computes its value; the result keeps its name.

    fq = FakeQuant(MaxPool(Relu(x)))  =>  fq = MaxPool(Relu(FakeQuant(x)))
    """
    for height in range(_HIGHEST, 0, -1):
        graph = _hoist(graph, height)
    return graph


def _hoist(graph: Graph, height: int) -> Graph:
    graph = graph.copy()
    chain = ANY
    for _ in range(height):
        chain = Pattern("*", (chain,))
    consumers = graph.consumers()
    pieces: dict[str, list[NodeDef]] = {}
    gone: set[str] = set()
    for match in find_matches(graph, Pattern("FakeQuantWithMinMaxVars", (chain, _CONST, _CONST))):
        *passed, source = _chain(match.inputs[0])
        head, names = match.node.name, [node.name for node in passed]
        if any(node.op not in _CLAMPED_ALIKE for node in passed):
            continue
        if read_elsewhere(graph, consumers, names, {head, *names}):
            continue
        gone.update(match.names())
        pieces[head] = [*_moved(match, passed), source]
    splice(graph, pieces, gone)
    return graph


def _chain(match: Match) -> list[NodeDef]:
    """A node, what it reads, and so on."""
    return [match.node, *(node for below in match.inputs for node in _chain(below))]


def _moved(match: Match, passed: list[NodeDef]) -> list[NodeDef]:
    """The FakeQuant of `match` and its range, then `passed`, the nodes above which it stands now."""
    fake_quant, (_, low, high) = match.node, match.inputs
    name = fake_quant.name
    lowest = passed[-1]
    fake_quant.name = f"{name}_hoisted"
    fake_quant.input[0], lowest.input[0] = lowest.input[0], fake_quant.name
    passed[0].name = name
    return [fake_quant, low.node, high.node, *passed]


def convert_fake_quants(graph: Graph) -> Graph:
    """Let each FakeQuant be the conversion to eight bits, and back, that it stands for.

    FakeQuant(x, min, max)  =>  Dequantize(Requantize(QuantizeV2(x, min, max), min, max))
    """
    graph = graph.copy()
    pieces = {}
    gone: set[str] = set()
    for match in find_matches(graph, Pattern("FakeQuantWithMinMaxVars", (ANY, _CONST, _CONST))):
        fake_quant = match.node
        source, low, high = (below.node for below in match.inputs)
        prefix = f"{fake_quant.name}_eightbit"
        wide = quantize(f"{prefix}/quantize", fake_quant.input[0], low.name, high.name, QINT32)
        wide.input.extend(control_inputs(fake_quant))
        narrow = requantize(f"{prefix}/requantize", codes_of(wide.name), low.name, high.name)
        back = dequantize(fake_quant.name, codes_of(narrow.name))
        gone.update(match.names())
        pieces[fake_quant.name] = [source, low, high, wide, narrow, back]
    splice(graph, pieces, gone)
    return graph


_REQUANTIZE = Pattern("Requantize", (ANY, ANY, ANY, Pattern("RequantizationRange"), Pattern("RequantizationRange")))
_ADJACENT = Pattern(
    "Requantize",
    (
        Pattern(
            "QuantizeV2",
            (Pattern("Dequantize", (_REQUANTIZE, Pattern("Requantize"), Pattern("Requantize"))), _CONST, _CONST),
        ),
        Pattern("QuantizeV2"),
        Pattern("QuantizeV2"),
        _CONST,
        _CONST,
    ),
)


def merge_adjacent_requantizes(graph: Graph) -> Graph:
    """Let an operator in 32 bits be converted with the range that was trained, at once.

    Requantize(QuantizeV2(Dequantize(Requantize(x, RequantizationRange(x))), r), r)  =>  Requantize(x, r)
    """
    graph = graph.copy()
    consumers = graph.consumers()
    pieces = {}
    gone: set[str] = set()
    for match in find_matches(graph, _ADJACENT):
        first = match.inputs[0].inputs[0].inputs[0]
        wide, low, high = first.inputs[0].node, match.inputs[3].node, match.inputs[4].node
        kept = [wide, low, high, match.node]
        between = set(match.names()).difference(node.name for node in kept)
        if read_elsewhere(graph, consumers, between, set(match.names())):
            continue
        match.node.input[:3] = map(short, first.node.input[:3])
        gone.update(match.names())
        pieces[match.node.name] = kept
    splice(graph, pieces, gone)
    return graph
