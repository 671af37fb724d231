"""Batch normalization, and other arithmetic per channel, goes into the weights of the convolution before it."""

import functools

import numpy as np

from mobile_export.graphs.graph import Graph, attribute, control_inputs, node_name, port
from mobile_export.graphs.ops import CONVOLUTIONS
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.transforms.convolutions import (
    MOST_CHANNELS,
    NORM_OPERANDS,
    Affine,
    Readers,
    data_format,
    distinct,
    epsilon,
    norm_constants,
    output_channels,
    scaled,
    uses_gamma,
    uses_given_statistics,
)

Chain = list[tuple[NodeDef, Affine | None]]
"""Nodes after a convolution, and what each does, in float64; None for those that pass each channel on as it is."""


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
        channels = output_channels(conv, weights)
        if channels is None or channels > MOST_CHANNELS:
            continue
        chain = _chain(graph, conv, readers, controls, channels)
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
        affine = None if passed_rank else _affine(graph, readers, conv, reader, index, channels, rank)
        if not passed_rank and (affine is None or not affine.is_finite()):
            break
        chain.append((reader, affine))
        last, rank = reader, passed_rank or rank
    while chain and chain[-1][1] is None:
        chain.pop()
    return chain


def _passed_rank(graph: Graph, conv: NodeDef, node: NodeDef, index: int, rank: int) -> int | None:
    """The rank of what `node` makes of its first input, when it keeps the channels last and apart; None otherwise."""
    if index or rank != 4 or data_format(conv) != "NHWC":
        return None
    if node.op == "BatchToSpaceND":
        blocks = graph.constants.get(node_name(node.input[1]))
        return rank if blocks is not None and blocks.size <= 2 else None
    if node.op == "Squeeze":
        squeezed = {axis % rank for axis in attribute(node, "squeeze_dims").list.i}
        return rank - len(squeezed) if squeezed and squeezed <= {1, 2} else None
    return None


def _affine(
    graph: Graph, readers: Readers, conv: NodeDef, node: NodeDef, index: int, channels: int, rank: int
) -> Affine | None:
    """What `node` does to its input number `index`, or None when that is not affine per channel."""
    if node.op in NORM_OPERANDS:
        foldable = index == 0 and data_format(node) == data_format(conv) and uses_given_statistics(graph, readers, node)
        return _normalizing(graph, node, channels) if foldable else None
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


def _normalizing(graph: Graph, norm: NodeDef, channels: int) -> Affine | None:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, when all are constants."""
    values = norm_constants(graph, norm)
    if len(values) < len(NORM_OPERANDS[norm.op]):
        return None
    if any(value.shape != (channels,) or not _is_float(value) for value in values.values()):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / np.sqrt(values["variance"].astype(np.float64) + epsilon(norm))
        if uses_gamma(norm):
            scale = scale * values["gamma"]
        return Affine(scale, values["beta"] - values["mean"] * scale)


def _per_channel(conv: NodeDef, node: NodeDef, value: Array, channels: int, rank: int) -> Array | None:
    """`value` as one number per channel; None when it varies along anything else."""
    if not _is_float(value):
        return None
    axis = 1 if conv.op != "MatMul" and data_format(conv) == "NCHW" else rank - 1
    if node.op == "BiasAdd":
        matches = value.shape == (channels,) and (conv.op == "MatMul" or data_format(node) == data_format(conv))
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
    product, offset = scaled(conv, weights, total.scale), total.offset.astype(weights.dtype)
    if not (np.isfinite(distinct(product)).all() and np.isfinite(offset).all()):
        return
    graph.constants[node_name(conv.input[1])] = product
    before = conv.name
    for passing in [node for node, affine in chain if affine is None]:
        passing.input[0] = before
        before = passing.name
    bias = graph.add_constant(f"{conv.name}/folded_bias", offset)
    last = chain[-1][0].name
    node = NodeDef(name=last, op="BiasAdd", input=[before, bias])
    node.attr["T"].CopyFrom(conv.attr["T"])
    if conv.op != "MatMul":
        node.attr["data_format"].s = data_format(conv).encode()
    graph.nodes[last] = node


def _is_bias(node: NodeDef) -> bool:
    return node.op in ("BiasAdd", "Add", "AddV2")


def _is_float(value: Array) -> bool:
    return value.dtype in (np.float32, np.float64)
