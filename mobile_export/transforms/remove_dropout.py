"""Dropout, in every spelling that TensorFlow has had."""

from collections.abc import Iterator

import numpy as np

from mobile_export.graphs.graph import Graph, attribute, data_inputs, node_name
from mobile_export.graphs.ops import FOLDABLE, PLACEHOLDERS
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array, numpy_dtype
from mobile_export.transforms.patterns import cone, evaluate

RANDOM_UNIFORM = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"})
_PRODUCTS = frozenset({"Mul", "RealDiv", "Div"})
_SELECTS = frozenset({"Select", "SelectV2"})

SAMPLES = 4096
"""Evenly spaced random numbers that a mask's mean is taken over."""
TOLERANCE = 1e-3
"""How far mask mean times scale may be from 1."""

Readers = dict[str, list[tuple[NodeDef, int]]]


def remove_dropout(graph: Graph) -> Graph:
    """Let readers of a dropout read what it drops from.

        Mul(RealDiv(x, keep), Floor(Add(keep, RandomUniform(Shape(x)))))          =>  x     (TF1)
        Mul(Mul(x, 1/keep), Cast(GreaterEqual(RandomUniform(Shape(x)), rate)))    =>  x     (tf.nn.dropout)
        SelectV2(GreaterEqual(RandomUniform(...), rate), Mul(x, 1/keep), 0)       =>  x     (since 2.9)
        SelectV2(Less(RandomUniform(...), rate), ZerosLike(x), Mul(x, 1/keep))    =>  x
        Mul(Mul(x, mask), 1/keep),  Mul(x, Mul(mask, 1/keep))                     =>  x

    It is one only if mask and scale cancel in the mean, which is computed: the random numbers are replaced by evenly
    spaced ones, and a keep_prob that nobody feeds by 0.5. Randomness that is used any other way stays.
    """
    graph = graph.copy()
    readers = graph.consumers()
    redirected = {}
    for random in [name for name, node in graph.nodes.items() if node.op in RANDOM_UNIFORM]:
        for tail, mask in _meeting_points(graph, readers, random):
            found = _dropout(graph, readers, random, tail, mask)
            if found is not None:
                redirected[found[0]] = found[1]
    graph.redirect(redirected)
    graph.prune()
    return graph


def _meeting_points(graph: Graph, readers: Readers, random: str) -> Iterator[tuple[NodeDef, str]]:
    """(node, mask) wherever something computed from `random` and rates alone meets the data."""
    todo, seen = [random], {random}
    while todo:
        name = todo.pop()
        for reader, _ in readers[name]:
            others = [i for i in data_inputs(reader) if node_name(i) != name]
            if reader.op in _SELECTS or not all(_is_rate(graph, i) for i in others):
                yield reader, name
            elif reader.name not in seen:
                seen.add(reader.name)
                todo.append(reader.name)


def _dropout(graph: Graph, readers: Readers, random: str, tail: NodeDef, mask: str) -> tuple[str, str] | None:
    """(tensor to replace, what replaces it) when `tail` applies a dropout mask."""
    data = _masked(graph, tail, mask)
    if data is None:
        return None
    share = _mean(graph, mask, random)
    kept = 1 - share if tail.op in _SELECTS and data == tail.input[2] else share
    producer = graph.producer(data)
    after = [reader for reader, _ in readers[tail.name]]
    if _cancels(kept):
        return tail.name, data
    if producer is not None and (scaled := _scaled(graph, producer)) and _cancels(kept * scaled[1]):
        return tail.name, scaled[0]
    if len(after) == 1 and (scaled := _scaled(graph, after[0])) and _cancels(kept * scaled[1]):
        return after[0].name, data
    return None


def _masked(graph: Graph, tail: NodeDef, mask: str) -> str | None:
    """The data that `tail` multiplies by the mask, or chooses with it between data and zeros."""
    if tail.op in _SELECTS and node_name(tail.input[0]) == mask:
        data = [name for name in tail.input[1:] if not _is_zero(graph, name)]
        return data[0] if len(data) == 1 else None
    others = [i for i in data_inputs(tail) if node_name(i) != mask]
    return others[0] if tail.op == "Mul" and len(others) == 1 else None


def _is_zero(graph: Graph, tensor: str) -> bool:
    producer = graph.producer(tensor)
    if producer is not None and producer.op == "ZerosLike":
        return True
    return _is_rate(graph, tensor) and not np.any(_value(graph, tensor))


def _scaled(graph: Graph, node: NodeDef) -> tuple[str, float] | None:
    """(x, s) when `node` computes x * s or x / (1/s) with a scalar that depends on rates alone."""
    if node.op not in _PRODUCTS:
        return None
    left, right = data_inputs(node)
    if node.op == "Mul" and _is_rate(graph, left):
        left, right = right, left
    if not _is_rate(graph, right) or _is_rate(graph, left):
        return None
    factor = _value(graph, right)
    if factor.size != 1 or not factor.item():
        return None
    return left, float(factor.item()) if node.op == "Mul" else 1 / float(factor.item())


def _is_rate(graph: Graph, tensor: str) -> bool:
    """Whether `tensor` depends on constants and scalar placeholders alone."""
    return all(
        node.op == "Const" or _is_scalar_placeholder(node) or (node.op in FOLDABLE and node.input)
        for node in cone(graph, [tensor]).nodes.values()
    )


def _is_scalar_placeholder(node: NodeDef) -> bool:
    """A placeholder without dimensions; TF1 code often gives keep_prob no shape at all."""
    shape = attribute(node, "shape").shape
    return node.op in PLACEHOLDERS and not node.input and not shape.dim and node.attr["dtype"].type in (1, 2, 19)


def _value(graph: Graph, tensor: str) -> Array:
    return evaluate(graph, [tensor], _rates(graph, tensor))[0]


def _mean(graph: Graph, mask: str, random: str) -> float:
    dtype = numpy_dtype(graph.nodes[random].attr["dtype"].type)
    spaced = ((np.arange(SAMPLES) + 0.5) / SAMPLES).astype(dtype)
    return float(np.mean(evaluate(graph, [mask], {**_rates(graph, mask), random: spaced})[0]))


def _rates(graph: Graph, tensor: str) -> dict[str, Array]:
    leaves = cone(graph, [tensor]).nodes.values()
    return {n.name: np.asarray(0.5, numpy_dtype(n.attr["dtype"].type)) for n in leaves if _is_scalar_placeholder(n)}


def _cancels(factor: float) -> bool:
    return abs(factor - 1) <= TOLERANCE
