"""Batch normalization goes into the weights of the convolution before it."""

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


def fold_batch_norms(graph: Graph) -> Graph:
    """Fold the per-channel arithmetic after a linear operator into its weights and one bias.

        Conv2D(x, w) -> BiasAdd(b) -> FusedBatchNormV3(gamma, beta, mean, var)
        MatMul(x, w) -> Mul(s) -> Add(t)
            =>  BiasAdd(Conv2D(x, w·scale), offset)

    The chain may hold BiasAdd, Add, Sub, Mul, RealDiv with a constant per channel, and any FusedBatchNorm in inference
    mode, after Conv2D, DepthwiseConv2dNative or MatMul. It ends where a second reader, a public output or a control
    edge looks in. Nothing is folded into weights that another node reads too.
    """
    graph = graph.copy()
    readers = graph.consumers()
    controls = {node_name(name) for node in graph.nodes.values() for name in control_inputs(node)}
    for conv in [node for node in graph.nodes.values() if node.op in CONVOLUTIONS]:
        weights = graph.constants.get(node_name(conv.input[1]))
        if weights is None or len(readers[node_name(conv.input[1])]) != 1 or not _is_float(weights):
            continue
        chain = _chain(graph, conv, readers, controls, _channels(conv, weights))
        if any(not _is_bias(node) for node, _ in chain):
            _fold(graph, conv, weights, chain)
    graph.prune()
    return graph


def _chain(
    graph: Graph, conv: NodeDef, readers: Readers, controls: set[str], channels: int
) -> list[tuple[NodeDef, Affine]]:
    """The affine nodes after `conv`, up to the last one that can be folded."""
    chain: list[tuple[NodeDef, Affine]] = []
    last = conv
    while not graph.is_output(last.name) and last.name not in controls and len(readers[last.name]) == 1:
        reader, index = readers[last.name][0]
        if control_inputs(reader) or port(reader.input[index]) != 0:
            break
        affine = _affine(graph, conv, reader, index, channels)
        if affine is None or not (_only_first_port(graph, reader, readers) and _is_finite(affine)):
            break
        chain.append((reader, affine))
        last = reader
    return chain


def _affine(graph: Graph, conv: NodeDef, node: NodeDef, index: int, channels: int) -> Affine | None:
    """What `node` does to its input number `index`, or None when that is not affine per channel."""
    if node.op in _FUSED:
        return _fused(graph, conv, node) if index == 0 else None
    if node.op not in ("BiasAdd", "Add", "AddV2", "Sub", "Mul", "RealDiv") or (node.op in ("Sub", "RealDiv") and index):
        return None
    value = graph.constants.get(node_name(node.input[1 - index]))
    vector = None if value is None else _per_channel(conv, node, value, channels)
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
    values = [graph.constants.get(node_name(name)) for name in node.input[1:5]]
    if any(value is None for value in values):
        return None
    gamma, beta, mean, variance = (np.asarray(value, np.float64) for value in values)
    epsilon = attribute(node, "epsilon").f if "epsilon" in node.attr else _DEFAULT_EPSILON
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = gamma / np.sqrt(variance + epsilon)
    return Affine(scale, beta - mean * scale)


def _per_channel(conv: NodeDef, node: NodeDef, value: Array, channels: int) -> Vector | None:
    """`value` as one number per channel; None when it varies along anything else."""
    if not _is_float(value):
        return None
    rank = 2 if conv.op == "MatMul" else 4
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


def _fold(graph: Graph, conv: NodeDef, weights: Array, chain: list[tuple[NodeDef, Affine]]) -> None:
    total = chain[0][1]
    for _, affine in chain[1:]:
        total = total.then(affine)
    last = chain[-1][0].name
    graph.constants[node_name(conv.input[1])] = _scaled(conv, weights, total.scale)
    bias = graph.add_constant(f"{conv.name}/folded_bias", total.offset.astype(weights.dtype))
    node = NodeDef(name=last, op="BiasAdd", input=[conv.name, bias])
    node.attr["T"].CopyFrom(conv.attr["T"])
    if conv.op != "MatMul":
        node.attr["data_format"].s = _data_format(conv).encode()
    graph.nodes[last] = node


def _scaled(conv: NodeDef, weights: Array, scale: Vector) -> Array:
    """Weights with each output channel multiplied by its scale; the product is rounded once to the weights' dtype."""
    factors = scale.astype(weights.dtype)
    if conv.op == "DepthwiseConv2dNative":  # [h, w, in, multiplier], channel = in * multipliers + multiplier
        factors = factors.reshape(weights.shape[2:])
    elif conv.op == "MatMul" and attribute(conv, "transpose_b").b:
        factors = factors[:, None]
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
    return value.dtype in (np.float32, np.float64, np.float16)


def _is_finite(affine: Affine) -> bool:
    return bool(np.isfinite(affine.scale).all() and np.isfinite(affine.offset).all())
