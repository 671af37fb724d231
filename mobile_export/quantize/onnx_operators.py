"""Which operators of an ONNX model hold weights, which of them are neighbours, and which compute in integers."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobile_export.quantize.onnx_graph import attribute_of, bodies, inner_nodes, walk

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

Names = frozenset[str]

WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gather": (0,),
    "Gemm": (1,),
    "GRU": (1, 2),
    "LSTM": (1, 2),
    "MatMul": (0, 1),
    "RNN": (1, 2),
}
"""Operator → the places of its inputs that may be weights."""

COMPUTING = frozenset(
    "Add AveragePool Clip Concat Conv Gemm GlobalAveragePool LeakyRelu MatMul Mul Relu Sigmoid Softmax".split()
)
"""Operators that ONNX Runtime computes in integers where they stand between dequantized and quantized values."""

CARRYING = frozenset(
    "DepthToSpace Expand Flatten Gather Identity MaxPool ReduceMax Reshape Resize Slice Split Squeeze Tile Transpose "
    "Unsqueeze".split()
)
"""Operators whose results are values of their first input: they take integers as well, on the same scale."""

RECTIFYING = frozenset({"Clip", "Relu"})
"""Operators that are part of the quantization of what they read: their range ends where they cut."""


@dataclass(frozen=True)
class Weighted:
    """An operator with weights.

    Attributes:
        node: the operator, of the graph or of a body inside it.
        inner: whether it is in a body.
        weights: the tensors, initializers of the graph, by their places.
    """

    node: "NodeProto"
    inner: bool
    weights: "Mapping[int, TensorProto]"


def weighted_operators(graph: "GraphProto") -> dict[str, Weighted]:
    """The operators with weights by name, in the order in which they compute."""
    from onnx import TensorProto

    constants = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT and len(t.dims) > 1}
    found = {}
    outer = {node.name for node in graph.node}
    for node in walk(graph):
        places = WEIGHTS.get(node.op_type, ()) if node.domain == "" else ()
        weights = {p: constants[node.input[p]] for p in places if p < len(node.input) and node.input[p] in constants}
        if weights:
            found[node.name] = Weighted(node, node.name not in outer, weights)
    return found


def channel_axes(layer: Weighted, place: int) -> tuple[int, ...]:
    """The axes of weights along which scales may differ; one axis where it is that of the output channels."""
    kind, rank = layer.node.op_type, len(layer.weights[place].dims)
    if kind == "MatMul":
        summed = rank - 2 if place else rank - 1
        return tuple(axis for axis in range(rank) if axis != summed)
    if kind == "Gemm":
        return (0,) if attribute_of(layer.node, "transB", 0) else (1,)
    if kind in ("GRU", "LSTM", "RNN"):
        return (0, 1)
    return (1,) if kind == "ConvTranspose" else (0,)


def data_inputs(node: "NodeProto") -> list[int]:
    """The places of the inputs that are quantized where `node` computes in integers, weights and bias apart."""
    if node.op_type in CARRYING | RECTIFYING | {"Conv", "Gemm"}:
        return [0]
    return [place for place, name in enumerate(node.input) if name]


def computes_integers(node: "NodeProto", constants: Collection[str]) -> bool:
    """Whether ONNX Runtime has an integer kernel for the operator as it stands.

    Args:
        constants: the graph's initializers, by name.
    """
    if node.domain or node.op_type not in COMPUTING | CARRYING:
        return False
    if node.op_type == "Conv":
        return all(name in constants for name in node.input[1:])
    if node.op_type == "Gemm":
        plain = attribute_of(node, "alpha", 1.0) == attribute_of(node, "beta", 1.0) == 1
        return plain and not attribute_of(node, "transA", 0) and all(name in constants for name in node.input[1:])
    if node.op_type == "Resize":
        return attribute_of(node, "mode", "nearest") in ("nearest", "linear")
    return node.op_type == "Split" or len([name for name in node.output if name]) == 1


def layers_before(graph: "GraphProto", is_layer: Callable[[str], bool]) -> dict[str, Names]:
    """Of every node, bodies included: the layers whose results it reads, across nodes that are none."""
    found: dict[str, Names] = {}
    _walk(graph, is_layer, {}, found)
    return found


def layers_behind(graph: "GraphProto", is_layer: Callable[[str], bool]) -> dict[str, Names]:
    """Of every node of the graph itself: the layers that read its results, across nodes that are none."""
    readers: dict[str, Names] = {}
    found: dict[str, Names] = {}
    for node in reversed(graph.node):
        found[node.name] = _union(readers, filter(None, node.output))
        inner = list(inner_nodes(node))
        layers = frozenset(n.name for n in (node, *inner) if is_layer(n.name))
        for name in {*node.input, *(name for n in inner for name in n.input)}:
            readers[name] = readers.get(name, frozenset()) | (layers or found[node.name])
    return found


def _walk(
    graph: "GraphProto", is_layer: Callable[[str], bool], sources: dict[str, Names], found: dict[str, Names]
) -> None:
    """`sources`: tensor → the layers nearest before it; gets those of `graph`."""
    for node in graph.node:
        read = _union(sources, node.input)
        for body in bodies(node):
            inside = sources | {info.name: read for info in body.input}
            _walk(body, is_layer, inside, found)
            read |= _union(inside, (info.name for info in body.output))
        found[node.name] = read
        for name in node.output:
            sources[name] = frozenset({node.name}) if is_layer(node.name) else read


def _union(sets: Mapping[str, Names], names: Iterable[str]) -> Names:
    return frozenset().union(*(sets.get(name, frozenset()) for name in names))
