"""Converting without the weights: TensorFlow's converter sees inputs in their stead.

What a layer's weights are makes no difference to how the layer is converted, but the converter holds and rearranges
them many times: 97 MB take it 2.6 s and 1 GB, the same network without them 0.1 s. So large weights are held back, and
put into the file that it writes, rearranged as the file says: by the TRANSPOSE or RESHAPE that stands before the layer.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from mobile_export.formats.flatbuffer import constant, drop_unused, operator_name, reads, set_constant, walk
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.tensors import Array, write_shape

HELD_BYTES = 1 << 16
"""Of weights that are held back; the others tell the converter more than they cost it."""

_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative"})
_LAYERS = _CONVOLUTIONS | {"MatMul"}
"""Operators whose input 1 takes weights."""
_WRITTEN = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
"""What they become; its weights are input 1, too."""
_FOLDED = frozenset({"ADD", "SUB", "MUL", "DIV"})
"""What the converter multiplies into the weights of a layer beside it, where it has them."""

Held = Mapping[str, Array]
"""Weights that were held back, by the name of the input that stands for them, in the order of the inputs."""


def skeletons(graph: Graph, least: int = HELD_BYTES) -> Iterator[tuple[Graph, Held]]:
    """Graphs to convert instead of `graph`, the lightest first, and what is held back of each.

    Matrices of a dynamic number of rows are multiplied otherwise with a matrix that is none of weights.
    """
    light, held = _hold_back(graph, _LAYERS, least)
    if held:
        yield light, held
    heavier, convolutions = _hold_back(graph, _CONVOLUTIONS, least)
    if 0 < len(convolutions) < len(held):
        yield heavier, convolutions


def _hold_back(graph: Graph, layers: Collection[str], least: int) -> tuple[Graph, Held]:
    """`graph` with an input, behind its own, for each constant of at least `least` bytes that only `layers` read."""
    readers = graph.consumers()
    held = {
        name: array
        for name, array in graph.constants.items()
        if array.nbytes >= least
        and array.dtype == np.float32
        and not graph.nodes[name].input
        and not graph.is_output(name)
        and all(reader.op in layers and place == 1 for reader, place in readers[name])
    }
    graph = graph.copy()
    for name, array in held.items():
        del graph.constants[name]
        node = graph.nodes[name]
        dtype = node.attr["dtype"].type
        node.op = "Placeholder"
        node.attr.clear()
        node.attr["dtype"].type = dtype
        write_shape(node.attr["shape"].shape, array.shape)
    specs = [TensorSpec(name, f"{name}:0", array.dtype.name, array.shape) for name, array in held.items()]
    graph.inputs = (*graph.inputs, *specs)
    return graph, held


def put_back(model: Any, held: Held) -> bool:
    """Make constants of a converted model's last inputs; whether that gives what the converter makes of constants.

        CONV_2D(x, TRANSPOSE(weights))  =>  CONV_2D(x, constant)

    It does not where they end up anywhere but in a layer, or where the converter would fold a neighbour into them.
    """
    main = model.subgraphs[0]
    public = len(main.inputs) - len(held)
    values = dict(zip(map(int, main.inputs[public:]), held.values(), strict=True))
    kept = []
    for subgraph, operator, code in walk(model):
        if subgraph is not main:
            continue
        moved = _moved(model, operator, operator_name(code), values)
        if moved is None:
            kept.append(operator)
        else:
            values[int(operator.outputs[0])] = moved
    main.inputs, main.operators = main.inputs[:public], kept
    if not _only_layers_read(model, values) or _folds(model, values):
        return False
    for index in sorted(values.keys() & {index for operator in kept for index in reads(operator)}):
        set_constant(model, main.tensors[index], values[index])
    drop_unused(model)
    return True


def _moved(model: Any, operator: Any, kind: str, values: Mapping[int, Array]) -> Array | None:
    """What an operator makes of weights by moving them; None of one that does more, or reads none."""
    read = reads(operator)
    if kind not in ("TRANSPOSE", "RESHAPE") or read[0] not in values:
        return None
    tensors, source = model.subgraphs[0].tensors, values[read[0]]
    if kind == "RESHAPE":
        return source.reshape(tensors[operator.outputs[0]].shape)
    order = constant(model, tensors[read[1]])
    return None if order is None else source.transpose(np.frombuffer(order, np.int32))


def _only_layers_read(model: Any, values: Mapping[int, Array]) -> bool:
    main = model.subgraphs[0]
    places = {
        (operator_name(code), place)
        for subgraph, operator, code in walk(model)
        if subgraph is main
        for place, index in enumerate(reads(operator))
        if index in values
    }
    return not values.keys() & set(main.outputs) and places <= {(kind, 1) for kind in _WRITTEN}


def _folds(model: Any, values: Mapping[int, Array]) -> bool:
    """Whether arithmetic with a constant stands directly before or behind a layer whose weights were held back."""
    main = model.subgraphs[0]
    layers = [operator for operator in main.operators if values.keys() & set(reads(operator))]
    edges = {int(index) for layer in layers for index in (layer.inputs[0], layer.outputs[0])}
    return any(
        operator_name(code) in _FOLDED
        and any(constant(model, main.tensors[index]) is not None for index in reads(operator))
        and edges.intersection((*reads(operator), *operator.outputs))
        for subgraph, operator, code in walk(model)
        if subgraph is main
    )
