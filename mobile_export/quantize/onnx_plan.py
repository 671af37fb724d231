"""What of an ONNX graph computes in integers under a scheme.

A layer does what the scheme says. An operator without weights does as the layers around it do: in integers where all of
them compute so. Operators that only move values follow those that they bring values to, or take them from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobile_export.quantize.onnx_graph import inner_nodes
from mobile_export.quantize.onnx_operators import (
    CARRYING,
    RECTIFYING,
    Weighted,
    computes_integers,
    data_inputs,
    layers_before,
    layers_behind,
    weighted_operators,
)
from mobile_export.quantize.scheme import Scheme

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


@dataclass(frozen=True)
class OnnxPlan:
    """Who computes how.

    Attributes:
        layers: the operators with weights, by name.
        integer: names of the nodes that compute in integers.
        floats: names of the nodes that compute in float because the scheme says so.
        inner: tensors that are not quantized, since their only reader is part of their quantization: a ReLU, say.
    """

    layers: Mapping[str, Weighted]
    integer: frozenset[str]
    floats: frozenset[str]
    inner: frozenset[str]


def plan(graph: "GraphProto", scheme: Scheme, known: frozenset[str]) -> OnnxPlan:
    """Decide for every node.

    Args:
        known: tensors whose ranges are known.

    Raises:
        ConversionError: the scheme names a layer that is none.
    """
    layers = weighted_operators(graph)
    scheme.require(layers)
    wanted = _wanted(graph, scheme, layers)
    constants = {tensor.name for tensor in graph.initializer}
    able = {
        node.name
        for node in graph.node
        if node.name in wanted
        and computes_integers(node, constants)
        and {name for place, name in enumerate(node.input) if place in data_inputs(node)} <= known | constants
        and set(filter(None, node.output)) <= known
    }
    integer = _with_carriers(graph, able)
    floats = {node.name for node in graph.node} - wanted
    return OnnxPlan(layers, integer, frozenset(floats), _inner(graph, integer, constants))


def _wanted(graph: "GraphProto", scheme: Scheme, layers: Mapping[str, Weighted]) -> set[str]:
    if "int8" not in scheme.precisions:
        return set()
    own = dict(scheme.layers)
    integer = {name for name in layers if own.get(name, scheme.precision) == "int8"}
    before, behind = layers_before(graph, layers.__contains__), layers_behind(graph, layers.__contains__)
    wanted = set()
    for node in graph.node:
        around = before[node.name] | behind[node.name]
        alike = around <= integer if around else scheme.precision == "int8"
        if node.name in integer if node.name in layers else alike:
            wanted.add(node.name)
    return wanted


def _with_carriers(graph: "GraphProto", able: set[str]) -> frozenset[str]:
    """`able`, without what only moves values that nobody has or needs in integers."""
    integer = {node.name for node in graph.node if node.name in able and node.op_type not in CARRYING}
    made = {name for node in graph.node if node.name in integer for name in node.output}
    for node in graph.node:
        if node.name in able and node.input and node.input[0] in made:
            integer.add(node.name)
            made |= set(node.output)
    read: set[str] = set()
    for node in reversed(graph.node):
        if node.name in able and (node.name in integer or read & set(node.output)):
            integer.add(node.name)
            read |= {node.input[place] for place in data_inputs(node)}
    return frozenset(integer)


def _inner(graph: "GraphProto", integer: frozenset[str], constants: set[str]) -> frozenset[str]:
    readers: dict[str, list[NodeProto]] = {info.name: [] for info in graph.output}
    for node in graph.node:
        for name in (*node.input, *(name for inner in inner_nodes(node) for name in inner.input)):
            readers.setdefault(name, []).append(node)
    outputs = {info.name for info in graph.output}
    found = set()
    for node in graph.node:
        if node.name not in integer or node.op_type in CARRYING | RECTIFYING or node.output[0] in outputs:
            continue
        after = readers.get(node.output[0], [])
        fused = len(after) == 1 and after[0].name in integer and after[0].op_type in RECTIFYING
        if fused and all(not name or name in constants for name in after[0].input[1:]):
            found.add(node.output[0])
    return frozenset(found)
