"""Float operators become eight-bit operators, each by itself, between conversions from float and back."""

from collections.abc import Collection

from mobile_export.graph_transform_tool.eightbit.kernels import KERNELS, eightbit_form, has_kernel, quantized_inputs
from mobile_export.graph_transform_tool.eightbit.nodes import (
    Range,
    as_name,
    codes_of,
    dequantize,
    float_constant,
    inside_loops,
    measured,
    measuring_constants,
    requantization_range,
    requantize,
    splice,
    wait_for_first_input,
)
from mobile_export.graphs.graph import Graph, node_name
from mobile_export.graphs.protos import NodeDef


def quantize_operators(graph: Graph, ignored: Collection[str], fallback: Range | None) -> Graph:
    """Let every operator that has an eight-bit kernel use it.

    Relu(x)       =>  Dequantize(QuantizedRelu(Quantize(x)))
    MatMul(x, w)  =>  Dequantize(Requantize(QuantizedMatMul(Quantize(x), Quantize(w)), range))

    where the range of `Quantize`, a QuantizeV2, is looked for in x at each run.

    Args:
        ignored: operators that stay float.
        fallback: the range of everything that is computed in 32 bits; None: it is looked for at each run.
    """
    graph = graph.copy()
    looping = inside_loops(graph) if fallback else set()
    pieces = {}
    for name, node in graph.nodes.items():
        if node.op not in ignored and has_kernel(node):
            controls = [wait_for_first_input(node)] if name in looping else []
            pieces[name] = _piece(graph, node, fallback, controls)
    splice(graph, pieces)
    return graph


def _piece(graph: Graph, node: NodeDef, fallback: Range | None, controls: list[str]) -> list[NodeDef]:
    """What takes the place of `node`."""
    piece: list[NodeDef] = []
    codes = {}
    for tensor in quantized_inputs(node, KERNELS[node.op]):
        piece += _quantized(graph, f"{node.name}_eightbit/{as_name(tensor)}", tensor)
        codes[tensor] = piece[-1].name
    form = eightbit_form(node, KERNELS[node.op], f"{node.name}/eightbit", codes)
    piece.append(form)
    if KERNELS[node.op].result:
        if fallback:
            low = float_constant(graph, f"{form.name}/fallback_min", fallback.min, controls)
            high = float_constant(graph, f"{form.name}/fallback_max", fallback.max, controls)
            piece += [low, high, requantize(f"{form.name}/requantize", codes_of(form.name), low.name, high.name)]
        else:
            found = requantization_range(f"{form.name}/requant_range", codes_of(form.name))
            narrow = requantize(f"{form.name}/requantize", codes_of(form.name), found.name, f"{found.name}:1")
            piece += [found, narrow]
    piece.append(dequantize(node.name, codes_of(piece[-1].name)))
    return piece


def _quantized(graph: Graph, prefix: str, tensor: str) -> list[NodeDef]:
    """What makes codes of `tensor`, over the range that its values have; the last node answers them."""
    control = [f"^{node_name(tensor)}"]  # keeps the constants in the loop or branch that they are for
    dims = measuring_constants(graph, (f"{prefix}/reshape_dims", f"{prefix}/reduction_dims"), control)
    return [*dims, *measured(tensor, dims[0].name, dims[1].name, lambda part: f"{prefix}/{part}")]
