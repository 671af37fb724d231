"""`quantize-graph --mode=eightbit`: what has an eight-bit kernel uses it.

The names are those of TensorFlow's quantize_graph, and so is the graph where that tool's runs and is right. This one
also knows loops, operators that wait for others or read a tensor twice, and FakeQuants wherever they stand.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mobile_export.classic.inference.remove_training_nodes import remove_training_nodes
from mobile_export.graph_transform_tool.eightbit.kernels import (
    KERNELS,
    Kernel,
    eightbit_form,
    has_kernel,
    quantized_inputs,
)
from mobile_export.graph_transform_tool.eightbit.nodes import (
    Consumers,
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
    taken,
    wait_for_first_input,
)
from mobile_export.graph_transform_tool.eightbit.placeholders import feed_codes, float_placeholders
from mobile_export.graph_transform_tool.eightbit.round_trips import pass_round_trips
from mobile_export.graph_transform_tool.stored_constants import min_first, store_constants
from mobile_export.graphs.graph import Graph, TensorSpec, canonical, control_inputs, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef

_BATCH_NORM = "BatchNormWithGlobalNormalization"
_KERNELS: dict[str, Kernel] = {
    **{name: kernel for name, kernel in KERNELS.items() if name not in ("Add", "Mul", "ResizeBilinear")},
    _BATCH_NORM: Kernel(
        ("Tinput",), "out_type", copied=("scale_after_normalization", "variance_epsilon"), order="together"
    ),
}
_SUFFIXES = {
    "BiasAdd": "_bias_add",
    "Concat": "_concat",
    "Conv2D": "_conv",
    "MatMul": "_mat_mul",
    "Reshape": "_reshape",
    _BATCH_NORM: "_batch_norm",
}
_FAKE_QUANT = "FakeQuantWithMinMaxVars"
_INPUT_RANGE = ("quantized_input_min_value", "quantized_input_max_value")
_FALLBACK_RANGE = ("fallback_quantization_min_value", "fallback_quantization_max_value")


def eightbit(
    graph: Graph,
    outputs: Sequence[str],
    input_range: tuple[float, float] | None,
    fallback_range: tuple[float, float] | None,
) -> Graph:
    """Compute in eight bits what has an eight-bit kernel, and keep what `outputs` need.

        Relu(MatMul(x, w))  =>  Dequantize(QuantizedRelu(Requantize(QuantizedMatMul(QuantizeV2(x), w_quint8_const))))

    Args:
        outputs: names of nodes.
        input_range: the numbers that codes 0 and 255 of the float inputs stand for, which become quint8; None: they
            stay float.
        fallback_range: the range of all that is computed in 32 bits and was not trained with a FakeQuant; None: it is
            looked for at each run.

    Raises:
        ModelError: a node has the name of one that would be made.
    """
    graph = replace(graph.copy(), outputs=tuple(TensorSpec(name, canonical(name), "", None) for name in outputs))
    graph = remove_training_nodes(graph)
    graph = _constants_as_codes(graph)
    if input_range:
        _quantize_placeholders(graph, Range(*input_range))
    _quantize_operators(graph, Range(*fallback_range) if fallback_range else None)
    graph = pass_round_trips(graph)
    graph.prune()
    return graph


def _constants_as_codes(graph: Graph) -> Graph:
    """Keep constants as codes whose first reader, from the outputs up, reads codes; put nodes in that order."""
    graph = graph.copy()
    visits = dict(_visits(graph))
    stored = {}
    for name, reader in visits.items():
        array = graph.constants.get(name)
        if array is None or array.dtype.name != "float32" or not array.size or reader is None:
            continue
        if has_kernel(reader, _KERNELS) and any(
            node_name(i) == name for i in quantized_inputs(reader, _KERNELS[reader.op])
        ):
            stored[name] = min_first(array)
    graph.nodes = {name: graph.nodes[name] for name in (*visits, *graph.nodes)}
    found = {name: codes for name, codes in stored.items() if codes is not None}
    return store_constants(graph, found, ("_quint8_const", "_min", "_max"), "MIN_FIRST")


def _visits(graph: Graph) -> Iterator[tuple[str, NodeDef | None]]:
    """Nodes from the outputs up, each behind what it reads, and the node from which one got there first."""
    seen = set()
    todo: list[tuple[str, NodeDef | None, bool]] = [
        (node_name(spec.tensor), None, False) for spec in reversed(graph.outputs)
    ]
    while todo:
        name, reader, done = todo.pop()
        if done:
            yield name, reader
        elif name not in seen and name in graph.nodes:
            seen.add(name)
            node = graph.nodes[name]
            todo.append((name, reader, True))
            todo += [(node_name(tensor), node, False) for tensor in reversed(node.input)]


def _quantize_placeholders(graph: Graph, ends: Range) -> None:
    """x: float  =>  x_dequantize = Dequantize(x: quint8, min, max)"""
    found = float_placeholders(graph)
    _add_range(graph, _INPUT_RANGE, ends)
    feed_codes(graph, {name: [dequantize(f"{name}_dequantize", (name, *_INPUT_RANGE))] for name in found})


def _add_range(graph: Graph, names: tuple[str, str], ends: Range) -> None:
    """Constants for the ends of a range."""
    for name, value in zip(names, (ends.min, ends.max), strict=True):
        if name in graph.nodes:
            raise taken(name)
        graph.nodes[name] = float_constant(graph, name, value)


def _quantize_operators(graph: Graph, fallback: Range | None) -> None:
    """Let every operator use its eight-bit kernel, between conversions."""
    looping, consumers = inside_loops(graph), graph.consumers()
    if fallback:
        _add_range(graph, _FALLBACK_RANGE, fallback)
    pieces, gone = {}, set()
    for name, node in list(graph.nodes.items()):
        if has_kernel(node, _KERNELS):
            fake_quant = _fake_quant(graph, consumers, node)
            if fake_quant:
                gone.add(fake_quant.name)
            controls = [wait_for_first_input(node)] if name in looping else []
            pieces[name] = _piece(graph, node, fake_quant, fallback, controls)
    splice(graph, pieces, gone)


def _fake_quant(graph: Graph, consumers: Consumers, node: NodeDef) -> NodeDef | None:
    """The FakeQuant that gives the range of what `node` computes in 32 bits, if it is all that reads it."""
    readers = consumers.get(node.name, ())
    if not _KERNELS[node.op].result or len(readers) != 1 or graph.is_output(node.name):
        return None
    reader, index = readers[0]
    return reader if (reader.op, index, len(data_inputs(reader))) == (_FAKE_QUANT, 0, 3) else None


def _piece(
    graph: Graph, node: NodeDef, fake_quant: NodeDef | None, fallback: Range | None, controls: list[str]
) -> list[NodeDef]:
    """What takes the place of `node`, and of `fake_quant`.

    Args:
        controls: what constants wait for.
    """
    kernel, prefix = _KERNELS[node.op], f"{node.name}_eightbit"
    piece = measuring_constants(graph, (f"{prefix}_reshape_dims", f"{prefix}_reduction_dims"), controls)
    flat_shape, axes = (node.name for node in piece)
    codes = {}
    for tensor in quantized_inputs(node, kernel):
        piece += measured(tensor, flat_shape, axes, _parts(prefix, tensor))
        codes[tensor] = piece[-1].name
    piece.append(eightbit_form(node, kernel, f"{prefix}_quantized{_SUFFIXES.get(node.op, '')}", codes))
    wide = codes_of(piece[-1].name)
    if fake_quant:
        piece.append(requantize(f"{prefix}_requantize", wide, *fake_quant.input[1:3]))
        piece[-1].input.extend(control_inputs(fake_quant))
    elif kernel.result and fallback:
        names = _FALLBACK_RANGE
        if controls:
            names = f"{prefix}_fallback_min", f"{prefix}_fallback_max"
            piece.append(float_constant(graph, names[0], fallback.min, controls))
            piece.append(float_constant(graph, names[1], fallback.max, controls))
        piece.append(requantize(f"{prefix}_requantize", wide, *names))
    elif kernel.result:
        piece.append(requantization_range(f"{prefix}_requant_range", wide))
        piece.append(requantize(f"{prefix}_requantize", wide, *codes_of(piece[-1].name)[:2]))
    name = fake_quant.name if fake_quant else node.name
    return [*piece, dequantize(name, codes_of(piece[-1].name))]


def _parts(prefix: str, tensor: str) -> Callable[[str], str]:
    """How the nodes are named that make codes of `tensor`."""
    return lambda part: f"{prefix}_{part}_{as_name(tensor)}"
