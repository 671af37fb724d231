"""Constants stored in eight bits, and made floats again at run time."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mobile_export.graph_transform_tool.weights import blocks, elementwise, value_range
from mobile_export.graphs.graph import Graph, control_inputs
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array, dtype_named, dtype_number_of

QUINT8_DTYPE = dtype_named("quint8")
LEVELS = 255
"""Steps between the smallest and the largest quint8."""
SMALLEST_STEP = np.finfo(np.float32).tiny
"""Below it, TensorFlow's kernels calculate with 0 in its stead."""

_HALF = np.nextafter(0.5, 0.0)
"""What, added to the magnitude of a float64, makes truncating it round half away from zero, as C does. (0.5 itself
would round up the number before 0.5.)"""


class Stored(NamedTuple):
    """A constant in eight bits: quint8 `values`, of which 0 stands for `low` and 255 for `high`."""

    values: Array
    low: np.float32
    high: np.float32


def store_constants(graph: Graph, stored: Mapping[str, Stored], suffixes: tuple[str, str, str], mode: str) -> Graph:
    """Replace constants:

        w = Const  =>  w = Dequantize(w…, w…, w…)

    What a Const waits for, its parts wait for: in the body of a loop they would be of another frame without it.

    Args:
        stored: by the names of constants, what comes in their place.
        suffixes: what is added to a name for the parts: values, low, high.
        mode: of Dequantize.
    """
    graph = graph.copy()
    order: list[str] = []
    for name in list(graph.nodes):
        if name in stored:
            order += _replace(graph, name, stored[name], suffixes, mode)
        order.append(name)
    graph.nodes = {name: graph.nodes[name] for name in order}
    return graph


def _replace(graph: Graph, name: str, stored: Stored, suffixes: tuple[str, str, str], mode: str) -> list[str]:
    """Put a Dequantize in the place of the constant `name`; the names of its inputs."""
    old = graph.nodes[name]
    graph.remove([name])
    node = graph.nodes[name] = NodeDef(name=name, op="Dequantize", device=old.device)
    node.attr["T"].type = dtype_number_of("quint8")
    node.attr["mode"].s = mode.encode()
    if "_class" in old.attr:
        node.attr["_class"].CopyFrom(old.attr["_class"])
    for suffix, value in zip(suffixes, stored, strict=True):
        part = graph.add_constant(f"{name}{suffix}", np.asarray(value))
        graph.nodes[part].device = old.device
        graph.nodes[part].input.extend(control_inputs(old))
        node.input.append(part)
    return list(node.input)


def min_first(array: Array) -> Stored | None:
    """A float32 constant as Dequantize in its mode MIN_FIRST reads it; None if it has values that it cannot hold.

    The range holds 0, and the smallest normal number.
    """
    low, high, finite = value_range(array)
    low, high = min(low, np.float32(0)), max(high, SMALLEST_STEP)
    with np.errstate(over="ignore"):
        span = high - low
    if not (finite and np.isfinite(span)):
        return None
    if span / LEVELS < SMALLEST_STEP:  # a kernel would divide by zero
        high = span = np.float32(1)
    scale = 256 / (float(span) * (256 / 255))  # the order of the tool, which rounds otherwise than 255 / span
    return Stored(elementwise(lambda values: _levels(values, float(low), scale), array), low, high)


def _levels(values: Array, low: float, scale: float) -> Array:
    """round(v · scale) - round(low · scale), at most 255, both rounded half away from zero."""
    zero = int(low * scale - _HALF)
    quantized = np.empty(values.shape, np.uint8)
    for place in blocks(values.size):
        scaled = np.multiply(values[place], scale, dtype=np.float64)
        scaled += np.copysign(_HALF, scaled)
        levels = scaled.astype(np.int16)  # truncates
        levels -= zero
        np.minimum(levels, LEVELS, out=quantized[place], casting="unsafe")
    return quantized.view(QUINT8_DTYPE)
