"""Batch normalization, and other arithmetic per channel, goes into the weights of the convolution before it."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_export.graph import Graph, attribute, control_inputs, node_name, port
from mobile_export.ops import CONVOLUTIONS
from mobile_export.protos import NodeDef
from mobile_export.tensors import Array

Vector = NDArray[np.float64]
Readers = dict[str, list[tuple[NodeDef, int]]]

_FUSED = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_DEFAULT_EPSILON = 1e-4  # of the fused operators, when the attribute is absent


@dataclass(frozen=True)
class Affine:
    """y = x * scale + offset, one value of each per channel (float64)."""

    scale: Vector
    offset: Vector

    def then(self, other: "Affine") -> "Affine":
        """First this, then `other`."""
        return Affine(self.scale * other.scale, self.offset * other.scale + other.offset)


Chain = list[tuple[NodeDef, Affine | None]]
"""Nodes after a convolution; None for those that pass each channel on as it is."""


def fold_affine(graph: Graph) -> Graph:
    """Fold the per-channel arithmetic after a linear operator into its weights and one bias.

        Conv2D(x, w) -> BiasAdd(b) -> FusedBatchNormV3(gamma, beta, mean, var)
        MatMul(x, w) -> Mul(s) -> Add(t)
            =>  BiasAdd(Conv2D(x, w·scale), offset)

    The chain may hold BiasAdd, Add, Sub, Mul, RealDiv with a constant per channel, and any FusedBatchNorm in inference
    mode, after Conv2D, DepthwiseConv2dNative or MatMul; also what follows these in dilated and one-dimensional
    convolutions, BatchToSpaceND and Squeeze, which keep channels apart. It ends where a second reader, a public output
    or a control edge looks in. Nothing is folded into weights that another node reads too, or that are float16: there
    the products would be rounded more than this transform may move an output.
    """
    graph = graph.copy()
    readers = graph.consumers()
    controls = {node_name(name) for node in graph.nodes.values() for name in control_inputs(node)}
    for conv in [node for node in graph.nodes.values() if node.op in CONVOLUTIONS]:
        weights = graph.constants.get(node_name(conv.input[1]))
        if weights is None or len(readers[node_name(conv.input[1])]) != 1 or not _is_float(weights):
            continue
        chain = _chain(graph, conv, readers, controls, _channels(conv, weights))
        if any(affine is not None and not _is_bias(node) for node, affine in chain):
            _fold(graph, conv, weights, chain)
    graph.prune()
    return graph


def _chain(graph: Graph, conv: NodeDef, readers: Readers, controls: set[str], channels: int) -> Chain:
    """The affine nodes after `conv`, and those between that pass channels on, up to the last that can be folded."""
    chain: Chain = []
    last, rank = conv, 2 if conv.op == "MatMul" else 4
    while not graph.is_output(last.name) and last.name not in controls and len(readers[last.name]) == 1:
        reader, index = readers[last.name][0]
        if control_inputs(reader) or port(reader.input[index]) != 0:
            break
        passed_rank = _passed_rank(graph, conv, reader, index, rank)
        affine = None if passed_rank else _affine(graph, conv, reader, index, channels, rank)
        if affine is None and not passed_rank:
            break
        if affine is not None and not (_only_first_port(graph, reader, readers) and _is_finite(affine)):
            break
        chain.append((reader, affine))
        last, rank = reader, passed_rank or rank
    while chain and chain[-1][1] is None:
        chain.pop()
    return chain


def _passed_rank(graph: Graph, conv: NodeDef, node: NodeDef, index: int, rank: int) -> int | None:
    """The rank of what `node` makes of its first input, when it keeps the channels last and apart; None otherwise."""
    if index or rank != 4 or _data_format(conv) != "NHWC":
        return None
    if node.op == "BatchToSpaceND":
        blocks = graph.constants.get(node_name(node.input[1]))
        return rank if blocks is not None and blocks.size <= 2 else None
    if node.op == "Squeeze":
        squeezed = {axis % rank for axis in attribute(node, "squeeze_dims").list.i}
        return rank - len(squeezed) if squeezed and squeezed <= {1, 2} else None
    return None


def _affine(graph: Graph, conv: NodeDef, node: NodeDef, index: int, channels: int, rank: int) -> Affine | None:
    """What `node` does to its input number `index`, or None when that is not affine per channel."""
    if node.op in _FUSED:
        return _fused(graph, conv, node) if index == 0 else None
    if node.op == "BatchNormWithGlobalNormalization":
        return _old(graph, conv, node) if index == 0 else None
    if node.op not in ("BiasAdd", "Add", "AddV2", "Sub", "Mul", "RealDiv") or (node.op in ("Sub", "RealDiv") and index):
        return None
    value = graph.constants.get(node_name(node.input[1 - index]))
    vector = None if value is None else _per_channel(conv, node, value, channels, rank)
    if vector is None:
        return None
    one, zero = np.ones(channels), np.zeros(channels)
    if node.op in ("Mul", "RealDiv"):
        with np.errstate(divide="ignore"):
            return Affine(vector if node.op == "Mul" else 1 / vector, zero)
    return Affine(one, -vector if node.op == "Sub" else vector)


def _fused(graph: Graph, conv: NodeDef, node: NodeDef) -> Affine | None:
    """An inference-mode FusedBatchNorm; in training mode, the operator's default, it uses the batch's statistics."""
    if "is_training" not in node.attr or attribute(node, "is_training").b or _data_format(node) != _data_format(conv):
        return None
    epsilon = attribute(node, "epsilon").f if "epsilon" in node.attr else _DEFAULT_EPSILON
    return _normalizing([graph.constants.get(node_name(name)) for name in node.input[1:5]], epsilon)


def _old(graph: Graph, conv: NodeDef, node: NodeDef) -> Affine | None:
    """The batch norm of 2015, whose statistics come first."""
    mean, variance, beta, gamma = (graph.constants.get(node_name(name)) for name in node.input[1:5])
    if not attribute(node, "scale_after_normalization").b and gamma is not None:
        gamma = np.ones_like(gamma)
    if _data_format(conv) != "NHWC":
        return None
    return _normalizing([gamma, beta, mean, variance], attribute(node, "variance_epsilon").f)


def _normalizing(values: list[Array | None], epsilon: float) -> Affine | None:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, when all are constants."""
    if any(value is None for value in values):
        return None
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in values)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = gamma / np.sqrt(variance + epsilon)
        return Affine(scale, beta - mean * scale)


def _per_channel(conv: NodeDef, node: NodeDef, value: Array, channels: int, rank: int) -> Vector | None:
    """`value` as one number per channel; None when it varies along anything else."""
    if not _is_float(value):
        return None
    axis = 1 if conv.op != "MatMul" and _data_format(conv) == "NCHW" else rank - 1
    if node.op == "BiasAdd":
        matches = value.shape == (channels,) and (conv.op == "MatMul" or _data_format(node) == _data_format(conv))
        return value.astype(np.float64) if matches else None
    if value.ndim > rank:
        return None
    shape = (1,) * (rank - value.ndim) + value.shape
    if value.size != 1 and (shape[axis] != channels or value.size != channels):
        return None
    return np.broadcast_to(value.reshape(-1).astype(np.float64), (channels,))


def _fold(graph: Graph, conv: NodeDef, weights: Array, chain: Chain) -> None:
    """Give `conv` its new weights, and put one BiasAdd where the chain ends; weights that overflow stay as they are."""
    total = functools.reduce(Affine.then, [affine for _, affine in chain if affine is not None])
    scaled, offset = _scaled(conv, weights, total.scale), total.offset.astype(weights.dtype)
    if not (np.isfinite(scaled).all() and np.isfinite(offset).all()):
        return
    graph.constants[node_name(conv.input[1])] = scaled
    before = conv.name
    for passing in [node for node, affine in chain if affine is None]:
        passing.input[0] = before
        before = passing.name
    bias = graph.add_constant(f"{conv.name}/folded_bias", offset)
    last = chain[-1][0].name
    node = NodeDef(name=last, op="BiasAdd", input=[before, bias])
    node.attr["T"].CopyFrom(conv.attr["T"])
    if conv.op != "MatMul":
        node.attr["data_format"].s = _data_format(conv).encode()
    graph.nodes[last] = node


def _scaled(conv: NodeDef, weights: Array, scale: Vector) -> Array:
    """Weights with each output channel multiplied by its scale."""
    with np.errstate(over="ignore"):
        factors = scale.astype(weights.dtype)
    if conv.op == "DepthwiseConv2dNative":  # [h, w, in, multiplier], channel = in * multipliers + multiplier
        factors = factors.reshape(weights.shape[2:])
    elif conv.op == "MatMul" and attribute(conv, "transpose_b").b:
        factors = factors[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        product: Array = weights * factors
    return product


def _channels(conv: NodeDef, weights: Array) -> int:
    if conv.op == "DepthwiseConv2dNative":
        return int(weights.shape[2] * weights.shape[3])
    return int(weights.shape[0 if conv.op == "MatMul" and attribute(conv, "transpose_b").b else -1])


def _data_format(node: NodeDef) -> str:
    return attribute(node, "data_format").s.decode() or "NHWC"


def _only_first_port(graph: Graph, node: NodeDef, readers: Readers) -> bool:
    tensors = [reader.input[index] for reader, index in readers[node.name]]
    tensors += [spec.tensor for spec in graph.outputs if node_name(spec.tensor) == node.name]
    return all(port(tensor) <= 0 for tensor in tensors)


def _is_bias(node: NodeDef) -> bool:
    return node.op in ("BiasAdd", "Add", "AddV2")


def _is_float(value: Array) -> bool:
    return value.dtype in (np.float32, np.float64)


def _is_finite(affine: Affine) -> bool:
    return bool(np.isfinite(affine.scale).all() and np.isfinite(affine.offset).all())
