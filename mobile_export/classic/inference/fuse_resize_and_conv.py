"""Convolutions that resize and pad their input themselves."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from mobile_export.classic.inference.control_edges import stop_waiting
from mobile_export.graph import Graph, attribute, control_inputs, node_name
from mobile_export.transforms.convolutions import gathered_waits, is_plain, output_channels
from mobile_export.protos import NodeDef
from mobile_export.tensors import read_shape

FUSED = ("FusedPadConv2D", "FusedResizeAndPadConv2D")
"""What there is afterwards; the second where there is a resize."""

_TYPES = frozenset({1, 2, 19})
"""The DataTypes that the fused operators take: float32, float64, float16."""
_INT32 = 3
_KEEPING_CHANNELS = frozenset(
    """
    AvgPool BiasAdd Cast Elu FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Identity LeakyRelu MaxPool Relu Relu6
    ResizeBilinear ResizeNearestNeighbor Selu Sigmoid Softplus Softsign Tanh
    """.split()
)
_CONVOLUTIONS = frozenset(("Conv2D", "DepthwiseConv2dNative"))
_KEEPING_IMAGES = _KEEPING_CHANNELS | _CONVOLUTIONS | frozenset(FUSED)
"""Operators whose result has as many channels, or images, as their first input."""


@dataclass(frozen=True)
class _Chain:
    """A convolution, and what is done to its input: at least one of the two."""

    resize: NodeDef | None
    pad: NodeDef | None
    conv: NodeDef

    def nodes(self) -> list[NodeDef]:
        """In the order in which they compute."""
        return [node for node in (self.resize, self.pad, self.conv) if node is not None]


def fuse_resize_and_conv(graph: Graph) -> Graph:
    """Take ResizeBilinear, MirrorPad or both into the Conv2D behind them:

        Conv2D(MirrorPad(ResizeBilinear(x, size), paddings), w)  =>  FusedResizeAndPadConv2D(x, size, paddings, w)
        Conv2D(MirrorPad(x, paddings), w)                        =>  FusedPadConv2D(x, paddings, w)

    What is read elsewhere, too, stays beside. Nothing is taken in that the fused operators cannot do: channels first,
    dilations, explicit paddings, half-pixel centers, 64-bit paddings or such of channels, images of another type than
    the weights, groups, and more than one image, where that is known: their kernels give every image of a batch the
    answer of the first.
    """
    graph = graph.copy()
    taken_in: set[str] = set()
    for conv in [node for node in graph.nodes.values() if node.op == "Conv2D" and is_plain(node)]:
        chain = _chain(graph, conv)
        if chain is not None:
            graph.nodes[conv.name] = _fused(graph, chain)
            taken_in |= {node.name for node in chain.nodes()} - {conv.name}
    stop_waiting(graph, taken_in)
    graph.prune()
    return graph


def _chain(graph: Graph, conv: NodeDef) -> _Chain | None:
    source = graph.producer(conv.input[0])
    pad = source if source is not None and source.op == "MirrorPad" and _pads_images(graph, source) else None
    resize = source if pad is None else graph.producer(pad.input[0])
    if resize is not None and not _is_plain_resize(resize, conv):
        resize = None
    chain = _Chain(resize, pad, conv)
    return chain if len(chain.nodes()) > 1 and _fits(graph, chain) else None


def _fits(graph: Graph, chain: _Chain) -> bool:
    """Whether the fused operators take what `chain` does, for as far as that is known."""
    image = chain.nodes()[0].input[0]
    weights = graph.constants.get(node_name(chain.conv.input[1]))
    depth = None if weights is None or weights.ndim != 4 else weights.shape[2]
    return (
        attribute(chain.conv, "T").type in _TYPES
        and images(graph, image) in (1, None)
        and (depth is None or _channels(graph, image) in (depth, None))
    )


def images(graph: Graph, tensor: str) -> int | None:
    """How many images `tensor` holds, or None where it is not known."""
    return _size(_origin(graph, tensor, _KEEPING_IMAGES), graph, 0)


def _channels(graph: Graph, tensor: str) -> int | None:
    """How many channels its images have, or None where it is not known."""
    origin = _origin(graph, tensor, _KEEPING_CHANNELS)
    if origin is None or origin.op not in _CONVOLUTIONS:
        return _size(origin, graph, 3)
    weights = graph.constants.get(node_name(origin.input[1]))
    return None if weights is None else output_channels(origin, weights)


def _origin(graph: Graph, tensor: str, through: Collection[str]) -> NodeDef | None:
    """The first node from `tensor` up first inputs that is not one of the operators `through`."""
    seen: set[str] = set()
    node = graph.producer(tensor)
    while node is not None and node.op in through and node.name not in seen:
        seen.add(node.name)
        node = graph.producer(node.input[0])
    return node


def _size(node: NodeDef | None, graph: Graph, axis: int) -> int | None:
    """The size of a placeholder or constant of four dimensions along `axis`, where it is known."""
    shape: tuple[int, ...] | None = None
    if node is not None and node.name in graph.constants:
        shape = graph.constants[node.name].shape
    elif node is not None and node.op == "Placeholder":
        shape = read_shape(attribute(node, "shape").shape)
    return shape[axis] if shape and len(shape) == 4 and shape[axis] >= 0 else None


def _pads_images(graph: Graph, pad: NodeDef) -> bool:
    """Whether `pad` pads rows and columns alone, for as far as that is known."""
    paddings = graph.constants.get(node_name(pad.input[1]))
    elsewhere = paddings is not None and (paddings.shape != (4, 2) or paddings[[0, 3]].any())
    return attribute(pad, "Tpaddings").type in (0, _INT32) and not elsewhere


def _is_plain_resize(node: NodeDef, conv: NodeDef) -> bool:
    same_type = attribute(node, "T").type == attribute(conv, "T").type
    return node.op == "ResizeBilinear" and same_type and not attribute(node, "half_pixel_centers").b


def _fused(graph: Graph, chain: _Chain) -> NodeDef:
    resize, pad, conv = chain.resize, chain.pad, chain.conv
    paddings = _no_paddings(graph, chain) if pad is None else pad.input[1]
    pad_op, resize_op = FUSED
    node = NodeDef(name=conv.name, op=pad_op if resize is None else resize_op)
    node.input.extend(chain.nodes()[0].input[: 1 if resize is None else 2])
    node.input.extend([paddings, conv.input[1], *gathered_waits(chain.nodes())])
    node.attr["mode"].s = b"REFLECT" if pad is None else attribute(pad, "mode").s
    for key in ("T", "padding", "strides"):
        node.attr[key].CopyFrom(conv.attr[key])
    if resize is not None:
        node.attr["resize_align_corners"].b = attribute(resize, "align_corners").b
    return node


def _no_paddings(graph: Graph, chain: _Chain) -> str:
    """A new Const of zeros; it waits for what other constants of the convolution wait for, as those of a loop do."""
    name = graph.add_constant(f"{chain.conv.name}_dummy_paddings", np.zeros((4, 2), np.int32))
    others = {node_name(tensor) for node in chain.nodes() for tensor in node.input} & graph.constants.keys()
    waits = [control_inputs(graph.nodes[other]) for other in sorted(others)]
    graph.nodes[name].input.extend(next(filter(None, waits), []))
    return name
