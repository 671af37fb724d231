"""Resizing and a mirrored border become part of the convolution."""

from mobile_export.graph_transform_tool.fused_convolution import fuse
from mobile_export.graph_transform_tool.matching import ANY, Pattern
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph


def fuse_resize_pad_and_conv(graph: Graph, _: Parameters) -> Graph:
    """Let a convolution resize its own input and mirror its borders.

    Conv2D(MirrorPad(ResizeBilinear(x, size), p), w)   =>   FusedResizeAndPadConv2D(x, size, p, w)
    """
    return fuse(graph, Pattern("Conv2D", [Pattern("MirrorPad", [Pattern("ResizeBilinear"), ANY]), ANY]))
