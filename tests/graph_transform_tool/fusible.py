"""Texts of graphs that resize an image, mirror its borders and convolve it, or do some of this."""

import numpy as np

from mobile_export.graphs.graph import Graph
from tests.graph_transform_tool.harness import answers

IMAGE = "x = Placeholder float32[1,6,5,2]\ninput x = x:0\noutput y = y:0\nw = Const float32[1,2,2,3] ~1\n"
RESIZE = "size = Const int32[2]: 12 4\nr = ResizeBilinear({image}, size) align_corners={corners}\n"
PAD = "p = Const int32[4,2]: 0 0 1 1 2 2 0 0\nm = MirrorPad({image}, p) mode={mode}\n"
CONV = "y = Conv2D({image}, w) padding={padding} strides=[1,{step},{step},1]\n"


def resized(corners: str = "false", padding: str = "VALID", step: int = 1) -> str:
    """Conv2D(ResizeBilinear(x))."""
    return IMAGE + RESIZE.format(image="x", corners=corners) + CONV.format(image="r", padding=padding, step=step)


def padded(mode: str = "REFLECT", padding: str = "VALID", step: int = 1) -> str:
    """Conv2D(MirrorPad(x))."""
    return IMAGE + PAD.format(image="x", mode=mode) + CONV.format(image="m", padding=padding, step=step)


def resized_and_padded(corners: str = "false", mode: str = "REFLECT", padding: str = "VALID", step: int = 1) -> str:
    """Conv2D(MirrorPad(ResizeBilinear(x)))."""
    before = RESIZE.format(image="x", corners=corners) + PAD.format(image="r", mode=mode)
    return IMAGE + before + CONV.format(image="m", padding=padding, step=step)


def right(found: Graph, graph: Graph) -> bool:
    """Whether `found` answers as `graph` does, in TensorFlow."""
    pairs = zip(answers(found, graph), answers(graph, graph), strict=True)
    return all(one.shape == other.shape and np.allclose(one, other, rtol=1e-5, atol=1e-5) for one, other in pairs)


def stays(found: Graph, graph: Graph) -> bool:
    return found.nodes == graph.nodes and found.constants.keys() == graph.constants.keys()
