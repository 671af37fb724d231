"""What a graph still knows of the data that it was trained on: statistics of its batch norms, ranges at its inputs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_export.graphs.graph import Graph, canonical, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.transforms.convolutions import (
    MOST_CHANNELS,
    NORM_OPERANDS,
    Readers,
    data_format,
    epsilon,
    uses_given_statistics,
)
from mobile_export.transforms.patterns import gated_nodes

_PASSING = frozenset({"Identity", "StopGradient", "Cast", "EnsureShape", "ExpandDims", "Reshape"})
_FACTORS = frozenset({"Mul", "RealDiv"})
_BOUNDED = frozenset({"ClipByValue", "FakeQuantWithMinMaxVars"})
"""Operators whose second and third operands are the least and the most that a value may be."""
_ARGS = {"min": -6.0, "max": 6.0}
"""The same as attributes of FakeQuantWithMinMaxArgs, with TensorFlow's defaults."""


@dataclass(frozen=True)
class Norm:
    """A batch norm, and what it saw in training.

    Attributes:
        name: of its node.
        tensor: what it normalizes.
        axis: of the channels in that.
        mean, variance: moving statistics, one a channel; the variance with epsilon.
    """

    name: str
    tensor: str
    axis: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    def distance(self, values: NDArray[np.float64], squares: NDArray[np.float64]) -> float:
        """How far data is from what was seen in training: 0 is the same, 1 a shift by a deviation; may be infinite.

        Of each channel the shift of the mean, in standard deviations of training, and the logarithm of the ratio of
        the standard deviations count; of all channels the median, since some are dead in every network.

        Args:
            values, squares: means over data of each channel and of its square.
        """
        if not np.isfinite(squares).all():
            return math.inf
        variance = np.maximum(squares - np.square(values), 0) + self.variance * 1e-6
        shift = np.square(values - self.mean) / self.variance
        ratio = np.square(np.log(variance / self.variance) / 2)
        return float(np.median(np.sqrt(shift + ratio)))


@dataclass(frozen=True)
class Range:
    """A fake quantization or a clip that a public input goes through first: what there is room for.

    Attributes:
        measured: whether training measured it, and did not set it far beyond any value.
    """

    node: str
    input: str
    low: float
    high: float
    measured: bool


@dataclass(frozen=True)
class Factor:
    """What the graph itself multiplies a public input with at first: 1/255 where it takes bytes."""

    node: str
    input: str
    value: float


def first_norms(graph: Graph) -> list[Norm]:
    """The batch norms that data reaches through no other one, and that have statistics of training."""
    gated = gated_nodes(graph)  # nothing can be looked at inside of a loop
    norms = {norm.name: norm for norm in _norms(graph) if norm.name not in gated}
    fed = graph.downstream(node_name(spec.tensor) for spec in graph.inputs)
    behind: set[str] = set()
    for name in graph.topological_order() if norms else ():
        if any(source in norms or source in behind for source in map(node_name, graph.nodes[name].input)):
            behind.add(name)
    return [norm for norm in norms.values() if norm.name in fed and norm.name not in behind]


def _norms(graph: Graph) -> Iterator[Norm]:
    for node, tensor, axis, mean, variance in (*_fused(graph), *_spelled_out(graph)):
        means, variances = mean.astype(np.float64).reshape(-1), variance.astype(np.float64).reshape(-1)
        trained = means.any() or (variances != variances[:1]).any()  # all 0 and all 1 is how they begin
        if trained and means.shape == variances.shape and np.isfinite(means).all() and (variances > 0).all():
            yield Norm(node, tensor, axis, means, variances)


def _fused(graph: Graph) -> Iterator[tuple[str, str, int, Array, Array]]:
    readers = graph.consumers()
    for node in graph.nodes.values():
        if node.op in NORM_OPERANDS and uses_given_statistics(graph, readers, node):
            tensor, *operands = data_inputs(node)
            given = dict(zip(NORM_OPERANDS[node.op], operands, strict=False))
            mean, variance = (_value(graph, given.get(key, "")) for key in ("mean", "variance"))
            if mean is not None and variance is not None:
                yield node.name, tensor, 1 if data_format(node) == "NCHW" else -1, mean, variance + epsilon(node)


def _spelled_out(graph: Graph) -> Iterator[tuple[str, str, int, Array, Array]]:
    """Batch norms made of simple operators.

    Rsqrt(variance + epsilon) [-> Mul(gamma)] = factor;  Mul(x, factor) + (beta - Mul(mean, factor))
    """
    readers = graph.consumers()
    for root in graph.nodes.values():
        variance = _value(graph, root.input[0]) if root.op == "Rsqrt" and root.input else None
        if variance is None:
            continue
        products = list(_products(graph, readers, root))
        scaled = [product for product, _, other in products if other is not None]
        for factor in (root, *scaled):
            means, normalized = [], []
            for product, tensor, other in _products(graph, readers, factor):
                if other is None:
                    normalized.append((product.name, tensor))
                elif any(reader.op == "Sub" for reader, _ in readers[product.name]):
                    means.append(other)
            if len(means) == 1:
                yield from ((name, tensor, -1, means[0], variance) for name, tensor in normalized)


def _products(graph: Graph, readers: Readers, factor: NodeDef) -> Iterator[tuple[NodeDef, str, Array | None]]:
    """What `factor` is multiplied with: the product, the other operand, and its value where that is constant."""
    for reader, index in readers[factor.name]:
        operands = data_inputs(reader)
        if reader.op == "Mul" and index < len(operands) == 2:
            yield reader, operands[1 - index], _value(graph, operands[1 - index])


def first_steps(graph: Graph) -> list[Range | Factor]:
    """What the graph does first with each floating-point input, where that says which values the input is for."""
    readers = graph.consumers()
    found: list[Range | Factor] = []
    for spec in graph.inputs:
        tensor = canonical(spec.tensor)
        while len(following := readers[node_name(tensor)]) == 1 and following[0][0].op in _PASSING:
            tensor = canonical(following[0][0].name)
        if len(following) == 1 and spec.dtype.startswith("float"):
            found += _step(graph, following[0][0], spec.name)
    return found


def _step(graph: Graph, node: NodeDef, name: str) -> Iterator[Range | Factor]:
    if node.op == "FakeQuantWithMinMaxArgs":
        low, high = (node.attr[key].f if key in node.attr else default for key, default in _ARGS.items())
        yield Range(node.name, name, low, high, measured=True)
    numbers = [float(value.reshape(())) for value in _values(graph, node) if value is not None and value.size == 1]
    if node.op in _BOUNDED and len(numbers) == 2 and numbers[0] < numbers[1]:
        yield Range(node.name, name, numbers[0], numbers[1], measured=node.op != "ClipByValue")
    if node.op in _FACTORS and len(numbers) == 1 and numbers[0]:
        yield Factor(node.name, name, abs(numbers[0] if node.op == "Mul" else 1 / numbers[0]))


def _values(graph: Graph, node: NodeDef) -> list[Array | None]:
    return [_value(graph, tensor) for tensor in data_inputs(node)]


def _value(graph: Graph, tensor: str, depth: int = 8) -> Array | None:
    """A tensor that is a constant, or the sum of two, of up to MOST_CHANNELS; None for others.

    Nothing is run for it: what an untrusted graph makes of constants may be larger than memory.
    """
    name = node_name(tensor)
    node, value = graph.nodes.get(name), graph.constants.get(name)
    if value is not None:
        return value if value.size <= MOST_CHANNELS else None
    if node is None or not depth:
        return None
    operands = data_inputs(node)
    if node.op in _PASSING and operands:
        return _value(graph, operands[0], depth - 1)
    if node.op in ("Add", "AddV2") and len(operands) == 2:
        first, second = (_value(graph, operand, depth - 1) for operand in operands)
        if first is not None and second is not None and (first.shape == second.shape or 1 in (first.size, second.size)):
            return np.asarray(first + second)
    return None
