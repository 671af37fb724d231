"""Convolutions that resize and pad their input themselves."""

from collections.abc import Callable, Collection

from mobile_export.classic.inference.control_edges import stop_waiting
from mobile_export.graph_transform_tool.fused_convolution import FUSED_TYPES, fused_node, fused_operator
from mobile_export.graphs.graph import Graph, attribute, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import read_shape
from mobile_export.transforms.convolutions import is_plain, output_channels
from mobile_export.transforms.patterns import gated_nodes

_KEEPING_CHANNELS = frozenset(
    """
    AvgPool BiasAdd Cast Elu FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Identity LeakyRelu MaxPool Relu Relu6
    ResizeBilinear ResizeNearestNeighbor Selu Sigmoid Softplus Softsign Tanh
    """.split()
)
_CONVOLUTIONS = frozenset(("Conv2D", "DepthwiseConv2dNative"))
_KEEPING_IMAGES = _KEEPING_CHANNELS | _CONVOLUTIONS | FUSED_TYPES.keys()
"""Operators whose result has as many channels, or images, as their first input."""
_INT32 = 3


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
    known_images, known_channels, gated = images(graph), _channels(graph), gated_nodes(graph)
    taken_in: set[str] = set()
    for conv in [node for node in graph.nodes.values() if node.op == "Conv2D" and is_plain(node)]:
        *before, _ = chain = _chain(graph, conv)
        image = node_name(chain[0].input[0])
        depth = _depth(graph, conv)
        fits = known_images.get(image, 1) == 1 and depth in (None, known_channels.get(image, depth))
        if before and fits and attribute(conv, "T").type in FUSED_TYPES[fused_operator(chain)]:
            graph.nodes[conv.name] = fused_node(graph, chain, gated)
            taken_in |= {node.name for node in before}
    stop_waiting(graph, taken_in)
    graph.prune()
    return graph


def _chain(graph: Graph, conv: NodeDef) -> list[NodeDef]:
    """What is done to the input of `conv` that a fused operator can do, and `conv`, in the order of computing."""
    source = graph.producer(conv.input[0])
    chain = [conv]
    if source is not None and source.op == "MirrorPad" and _pads_images(graph, source):
        chain = [source, conv]
        source = graph.producer(source.input[0])
    return [source, *chain] if source is not None and _is_plain_resize(source, conv) else chain


def _depth(graph: Graph, conv: NodeDef) -> int | None:
    """How many channels each of the weights covers, or None where it is not known."""
    weights = graph.constants.get(node_name(conv.input[1]))
    return None if weights is None or weights.ndim != 4 else weights.shape[2]


def images(graph: Graph) -> dict[str, int]:
    """How many images the results of nodes hold, by name, where it is known."""
    return _known(graph, _KEEPING_IMAGES, lambda node: _size(graph, node, 0))


def _channels(graph: Graph) -> dict[str, int]:
    """How many channels their images have, by name, where it is known."""

    def own(node: NodeDef) -> int | None:
        if node.op not in _CONVOLUTIONS:
            return _size(graph, node, 3)
        weights = graph.constants.get(node_name(node.input[1]))
        return None if weights is None else output_channels(node, weights)

    return _known(graph, _KEEPING_CHANNELS, own)


def _known(graph: Graph, keeping: Collection[str], own: Callable[[NodeDef], int | None]) -> dict[str, int]:
    """A number of each node: its `own`, or that of its first input where its operator is one of `keeping`."""
    found: dict[str, int] = {}
    for name in graph.topological_order():
        node = graph.nodes[name]
        kept = node.op in keeping or (node.op == "MirrorPad" and _pads_images(graph, node))
        number = found.get(node_name(node.input[0])) if kept else own(node)
        if number is not None:
            found[name] = number
    return found


def _size(graph: Graph, node: NodeDef, axis: int) -> int | None:
    """The size of a placeholder or constant of four dimensions along `axis`, where it is known."""
    shape: tuple[int, ...] | None = None
    if node.name in graph.constants:
        shape = graph.constants[node.name].shape
    elif node.op == "Placeholder":
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
