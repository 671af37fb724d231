"""Batch normalization in one operator goes into the weights of the convolution before it."""

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, control_inputs, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.transforms.convolutions import (
    NORM_OPERANDS,
    OLD_NORM,
    Affine,
    Readers,
    data_format,
    drop_unread,
    epsilon,
    gathered_waits,
    is_read_once,
    norm_constants,
    output_channels,
    scaled,
    uses_gamma,
    uses_given_statistics,
)

_NORMS = ("FusedBatchNorm", OLD_NORM)
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def fold_old_batch_norms(graph: Graph, _: Parameters) -> Graph:
    """Fold FusedBatchNorm and BatchNormWithGlobalNormalization, BN below, into weights and a bias.

        BN(Conv2D(x, w))                           =>  BiasAdd(Conv2D(x, w·s), Conv2D_bn_offset)
        BN(BatchToSpaceND(Conv2D(x, w)))           =>  BatchToSpaceND(BiasAdd(Conv2D(x, w·s), …))
        BN(ConcatV2(Conv2D(x, w), Conv2D(y, v)))   =>  ConcatV2(BiasAdd(Conv2D(x, w·s), …), BiasAdd(Conv2D(y, v·t), …))

    A DepthwiseConv2dNative may stand for the Conv2D of the first two. The last operator takes BN's name. BN stays where
    it is in training or gives its statistics to a reader; where another reader or an output sees the convolution, the
    weights or what lies between; where channels lie elsewhere than BN looks for them, or are not as many.

    Raises:
        ModelError: BN's constants are not one number for each channel.
    """
    graph = graph.copy()
    readers = graph.consumers()
    folded: set[str] = set()
    for norm in [node for node in graph.nodes.values() if node.op in _NORMS]:
        operands = data_inputs(norm)
        source = graph.producer(operands[0]) if len(operands) == 5 else None
        convs = [] if source is None else _convolutions(graph, source)
        affine = _affine(graph, norm) if convs and uses_given_statistics(graph, readers, norm) else None
        if source is None or affine is None:
            continue
        parts = _parts(graph, source, convs, affine)
        taken = all(_takes(graph, readers, norm, conv, part) for conv, part in zip(convs, parts, strict=True))
        if taken and is_read_once(graph, readers, source.name):
            _fold(graph, norm, source, convs, parts)
            folded |= {node_name(operand) for operand in operands[1:]}
    drop_unread(graph, folded)
    return graph


def _convolutions(graph: Graph, source: NodeDef) -> list[NodeDef]:
    """The convolutions with constant weights that `source` is, or puts together; none where it is something else."""
    ops = ("Conv2D",) if source.op == "ConcatV2" else _CONVOLUTIONS
    joined = _joined(graph, source)
    convs = [conv for conv in joined if conv is not None and conv.op in ops and _has_constant_weights(graph, conv)]
    mixed = source.op == "BatchToSpaceND" and any(data_format(conv) != "NHWC" for conv in convs)
    return [] if mixed or len(convs) < len(joined) else convs


def _joined(graph: Graph, source: NodeDef) -> list[NodeDef | None]:
    """The nodes whose results `source` puts together, or `source` itself."""
    tensors = data_inputs(source)
    constants = [graph.constants.get(node_name(tensor)) for tensor in tensors]
    if source.op == "BatchToSpaceND" and len(tensors) == 3:
        block, crops = constants[1:]
        return [graph.producer(tensors[0])] if block is not None and crops is not None and block.size <= 2 else []
    if source.op == "ConcatV2" and len(tensors) == 3:
        axis = constants[2]
        known = axis is not None and axis.size == 1 and axis.dtype.kind in "iu"
        return [graph.producer(tensor) for tensor in tensors[:2]] if known else []
    return [source]


def _has_constant_weights(graph: Graph, conv: NodeDef) -> bool:
    tensors = data_inputs(conv)
    return len(tensors) == 2 and node_name(tensors[1]) in graph.constants


def _affine(graph: Graph, norm: NodeDef) -> Affine | None:
    """What `norm` does to each channel, in the tool's own order of float32 operations; None without constants."""
    values = norm_constants(graph, norm)
    if len(values) < len(NORM_OPERANDS[norm.op]) or any(value.dtype != np.float32 for value in values.values()):
        return None
    channels = values["mean"].shape[:1]
    for operand in ("mean", "variance", "beta", "gamma"):
        if values[operand].shape != channels or not channels:
            raise ModelError(
                f"node {norm.name!r}: {operand.capitalize()} input to batch norm has bad shape: "
                f"{list(values[operand].shape)}; it is to be one number for each channel. Give fold_old_batch_norms "
                "ignore_errors=true"
            )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = np.float32(1) / np.sqrt(values["variance"] + np.float32(epsilon(norm)))
        if uses_gamma(norm):
            scale = scale * values["gamma"]
        affine = Affine(scale, -values["mean"] * scale + values["beta"])
    return affine if affine.is_finite() else None


def _parts(graph: Graph, source: NodeDef, convs: list[NodeDef], affine: Affine) -> list[Affine]:
    """What falls to each of `convs`: a share of the channels where `source` sets these side by side, or all."""
    if source.op == "ConcatV2":
        axis = int(graph.constants[node_name(source.input[2])].reshape(-1)[0])
        if axis % 4 == (3 if data_format(convs[0]) == "NHWC" else 1):
            first = output_channels(convs[0], graph.constants[node_name(convs[0].input[1])])
            return [affine.part(slice(first)), affine.part(slice(first, None))]
    return [affine] * len(convs)


def _takes(graph: Graph, readers: Readers, norm: NodeDef, conv: NodeDef, affine: Affine) -> bool:
    """Whether the scale can go into the weights of `conv`, and nobody but `norm` sees a difference."""
    weights = graph.constants.get(node_name(conv.input[1]))
    if weights is None or weights.dtype != np.float32 or output_channels(conv, weights) != affine.scale.size:
        return False
    alone = all(is_read_once(graph, readers, name) for name in (conv.name, node_name(conv.input[1])))
    return alone and data_format(conv) == data_format(norm)


def _fold(graph: Graph, norm: NodeDef, source: NodeDef, convs: list[NodeDef], parts: list[Affine]) -> None:
    name = norm.name
    biases = [_fold_part(graph, conv, part) for conv, part in zip(convs, parts, strict=True)]
    if source is convs[0]:
        biases[0].input.extend(gathered_waits([norm]))
        norm.CopyFrom(biases[0])
    else:
        for index, bias in enumerate(biases):
            wanted = f"{source.name}_bn_in{index}" if source.op == "ConcatV2" else f"{convs[0].name}/biasadd"
            bias.name = graph.free_name(wanted)
            graph.nodes[bias.name] = bias
        rest = [*data_inputs(source)[len(convs) :], *gathered_waits([norm, source])]
        norm.CopyFrom(source)
        norm.input[:] = [*(bias.name for bias in biases), *rest]
        graph.remove([source.name])
    norm.name = name


def _fold_part(graph: Graph, conv: NodeDef, affine: Affine) -> NodeDef:
    """Scale the weights of `conv`, and give the BiasAdd after it, still without a name.

    In a loop, its constant waits for what the weights wait for.
    """
    weights = node_name(conv.input[1])
    graph.constants[weights] = scaled(conv, graph.constants[weights], affine.scale)
    offset = graph.add_constant(f"{conv.name}_bn_offset", affine.offset)
    graph.nodes[offset].input.extend(control_inputs(graph.nodes[weights]))
    bias = NodeDef(op="BiasAdd", input=[conv.name, offset])
    for key in conv.attr.keys() & {"T", "data_format"}:
        bias.attr[key].CopyFrom(conv.attr[key])
    return bias
