"""A mirrored border becomes part of the convolution."""

from mobile_export.graph_transform_tool.fused_convolution import fuse
from mobile_export.graph_transform_tool.matching import ANY, Pattern
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph


def fuse_pad_and_conv(graph: Graph, _: Parameters) -> Graph:
    """Let a convolution mirror its own borders.

    Conv2D(MirrorPad(x, p), w)   =>   FusedPadConv2D(x, p, w)
    """
    return fuse(graph, Pattern("Conv2D", [Pattern("MirrorPad", [ANY, ANY]), ANY]))
