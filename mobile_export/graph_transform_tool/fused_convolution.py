"""Convolutions that resize and pad their input themselves."""

from collections.abc import Sequence

import numpy as np

from mobile_export.graph_transform_tool.matching import ANY, Match, Pattern, find_matches
from mobile_export.graph_transform_tool.static_shapes import inferred
from mobile_export.graphs.graph import Graph, attribute, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.transforms.convolutions import Readers, are_private, gathered_waits, is_plain
from mobile_export.transforms.patterns import gated_nodes

FUSED_TYPES = {"FusedPadConv2D": {1, 2, 14, 19}, "FusedResizeAndPadConv2D": {1, 2, 19}}
"""The DataTypes that each fused operator takes, of float32, float64, bfloat16 and float16."""
_INT32 = 3


def fuse(graph: Graph, pattern: Pattern) -> Graph:
    """Make one operator of each chain of ResizeBilinear, MirrorPad and Conv2D that `pattern` finds.

    A chain stays where it does what the operator cannot: channels first, dilations or explicit paddings, half-pixel
    centers, 64-bit paddings, groups, an image of another type; and where its middle is read elsewhere. TensorFlow's
    kernels answer every image of a batch as they do the first: a batch that is known to have more stays as well.
    """
    graph = graph.copy()
    readers = graph.consumers()
    chains = [_chain(match, pattern) for match in find_matches(graph, pattern)]
    chains = [chain for chain in chains if _is_fusible(graph, readers, chain)]
    shapes = _image_shapes(graph, chains)
    gated = gated_nodes(graph) if chains else set()
    for chain, shape in zip(chains, shapes, strict=True):
        if not _is_one_image(graph, chain, shape):
            continue
        node = fused_node(graph, chain, gated)
        graph.remove([other.name for other in chain[:-1]])
        graph.nodes[node.name] = node
    return graph


def _chain(match: Match, pattern: Pattern) -> list[NodeDef]:
    """The nodes that `pattern` names, in the order in which they compute."""
    named = pattern.inputs and pattern.inputs[0] is not ANY
    return [*(_chain(match.inputs[0], pattern.inputs[0]) if named else []), match.node]


def fused_operator(chain: Sequence[NodeDef]) -> str:
    """What does all that `chain` does."""
    return "FusedResizeAndPadConv2D" if chain[0].op == "ResizeBilinear" else "FusedPadConv2D"


def _is_fusible(graph: Graph, readers: Readers, chain: Sequence[NodeDef]) -> bool:
    *before, conv = chain
    dtype = attribute(conv, "T").type
    names = [node.name for node in chain]
    return (
        is_plain(conv)
        and dtype in FUSED_TYPES[fused_operator(chain)]
        and all(_is_known_step(node, dtype) for node in before)
        and are_private(graph, readers, names[:-1], names)
    )


def _is_known_step(node: NodeDef, dtype: int) -> bool:
    if node.op == "MirrorPad":
        return attribute(node, "Tpaddings").type in (0, _INT32)
    return (
        len(data_inputs(node)) == 2
        and attribute(node, "T").type == dtype
        and not attribute(node, "half_pixel_centers").b
    )


def _image_shapes(graph: Graph, chains: Sequence[Sequence[NodeDef]]) -> list[tuple[int, ...] | None]:
    """What is known of the shapes of the images that `chains` begin with."""
    images = [chain[0].input[0] for chain in chains]
    if not images:
        return []
    with inferred(graph) as (session, part):
        return [session.shape(image) if node_name(image) in part.nodes else None for image in images]


def _is_one_image(graph: Graph, chain: Sequence[NodeDef], shape: tuple[int, ...] | None) -> bool:
    """Whether nothing says that there are more images, or more channels than each of the weights covers."""
    weights = graph.constants.get(node_name(chain[-1].input[1]))
    if shape is None or len(shape) != 4:
        return True
    return shape[0] <= 1 and (weights is None or shape[3] in (-1, weights.shape[2]))


def fused_node(graph: Graph, chain: Sequence[NodeDef], gated: set[str]) -> NodeDef:
    """One operator for `chain`: a ResizeBilinear, a MirrorPad, or both, and the Conv2D, whose name it has.

    Args:
        graph: gets a constant where there is no MirrorPad.
        gated: what `gated_nodes` returns.
    """
    first, conv = chain[0], chain[-1]
    pad = next((node for node in chain if node.op == "MirrorPad"), None)
    image = first.input[:2] if first.op == "ResizeBilinear" else first.input[:1]
    paddings = _no_paddings(graph, conv, image[0], gated) if pad is None else pad.input[1]
    node = NodeDef(name=conv.name, op=fused_operator(chain))
    node.input.extend([*image, paddings, conv.input[1], *gathered_waits(chain)])
    node.attr["mode"].s = b"REFLECT" if pad is None else attribute(pad, "mode").s
    for key in ("T", "padding", "strides"):
        node.attr[key].CopyFrom(conv.attr[key])
    if first.op == "ResizeBilinear":
        node.attr["resize_align_corners"].b = attribute(first, "align_corners").b
    return node


def _no_paddings(graph: Graph, conv: NodeDef, image: str, gated: set[str]) -> str:
    """A new Const of zeros, which in a loop waits for the image."""
    name = graph.add_constant(f"{conv.name}_dummy_paddings", np.zeros((4, 2), np.int32))
    if conv.name in gated:
        graph.nodes[name].input.append(f"^{node_name(image)}")
    return name
