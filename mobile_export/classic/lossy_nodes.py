"""The modes of `quantize-graph` that round what flows between operators.

Ranges are those of each tensor as it comes, measured at run time. What the graph calls by a node's name is the rounded
value; the node itself becomes `NAME_original`.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from mobile_export.graph_transform_tool.stored_constants import min_first, store_constants
from mobile_export.graphs.graph import Graph, attribute, canonical, data_inputs, node_name, port, short
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array, dtype_number_of

_ROUNDED = frozenset({"Conv2D", "BiasAdd", "MatMul"})
_FED = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})
_FLOAT32, _INT32, _QUINT8 = map(dtype_number_of, ("float32", "int32", "quint8"))


def round_nodes(graph: Graph, bits: int) -> Graph:
    """Round what convolutions, matrix products and biases give to 2^`bits` levels, of which one is 0:

        y = MatMul(a, b)  =>  y = FakeQuantWithMinMaxVars(MatMul(a, b), min(…, 0), max(…, 0))

    The tool had an operator for it, RoundToSteps, that no TensorFlow has any more.

    Args:
        bits: 2 to 16.
    """
    graph = graph.copy()
    aside = {}
    for name in _rounded_nodes(graph):
        original = aside[name] = _set_aside(graph, name)
        low, high = _add_range(graph, original, name)
        zero = _add_constant(graph, f"{name}_zero", np.zeros((), np.float32), original)
        low = _add(graph, "Minimum", f"{name}_low", (low, zero), T=_FLOAT32)
        high = _add(graph, "Maximum", f"{name}_high", (high, zero), T=_FLOAT32)
        _add(graph, "FakeQuantWithMinMaxVars", name, (original, low, high))
        graph.nodes[name].attr["num_bits"].i = bits
    _follow(graph, aside)
    return _ordered(graph)


def quantize_and_dequantize(graph: Graph) -> Graph:
    """Bring what convolutions, matrix products and biases read and give to eight bits and back:

        y = MatMul(x, w)  =>  y = Dequantize(Quantize(MatMul(Dequantize(Quantize(x)), Dequantize(w_quint8_const))))

    Constants are stored in eight bits. What the app feeds keeps its name.
    """
    graph = graph.copy()
    before = Graph(nodes=dict(graph.nodes), outputs=graph.outputs)
    tensors = {canonical(t) for name in _rounded_nodes(graph) for t in (*data_inputs(graph.nodes[name]), name)}
    constants, aside, redirected = set[str](), dict[str, str](), dict[str, str]()
    for tensor in sorted(tensors, key=lambda tensor: (-port(tensor), tensor)):  # the first result takes the node's name
        constant, producer = _constant_behind(graph, tensor), graph.producer(tensor)
        if constant is not None:
            constants.add(constant)
        elif producer is not None and port(tensor) == 0 and producer.op not in _FED:
            name = producer.name
            aside[name] = _set_aside(graph, name)
            _there_and_back(graph, aside[name], name, name)
        elif producer is not None:
            prefix = f"{producer.name}__port__{port(tensor)}" if port(tensor) else producer.name
            redirected[tensor] = graph.free_name(f"{prefix}_dequantize")
            _there_and_back(graph, short(tensor), prefix, redirected[tensor])
    before.redirect(redirected)  # the nodes that were there; those that were added read what is there to convert
    graph.outputs = before.outputs
    _follow(graph, aside)
    floats = {name: array for name, array in graph.constants.items() if name in constants and array.dtype == np.float32}
    quantized = {name: min_first(array) for name, array in floats.items()}
    stored = {name: found for name, found in quantized.items() if found is not None}
    return _ordered(store_constants(graph, stored, ("_quint8_const", "_min", "_max"), "MIN_FIRST"))


def _rounded_nodes(graph: Graph) -> list[str]:
    return [name for name, node in graph.nodes.items() if node.op in _ROUNDED and attribute(node, "T").type == _FLOAT32]


def _constant_behind(graph: Graph, tensor: str) -> str | None:
    """The Const whose value `tensor` is, maybe behind an Identity, as frozen variables are."""
    node = graph.producer(tensor)
    if node is not None and node.op == "Identity" and node.input:
        node = graph.producer(node.input[0])
    return node.name if node is not None and node.name in graph.constants else None


def _there_and_back(graph: Graph, tensor: str, prefix: str, name: str) -> None:
    """Add the node `name`, which is `tensor` brought to eight bits and back."""
    low, high = _add_range(graph, tensor, prefix)
    codes = _add(graph, "QuantizeV2", f"{prefix}_quantize", (tensor, low, high), T=_QUINT8)
    _add(graph, "Dequantize", name, (codes, f"{codes}:1", f"{codes}:2"), T=_QUINT8)
    for node in (codes, name):
        graph.nodes[node].attr["mode"].s = b"MIN_FIRST"


def _set_aside(graph: Graph, name: str) -> str:
    """Give the node `name` another name, so that its own is free for what takes the place of its first result.

    Who reads its other results is to `_follow` in the end.
    """
    aside = graph.free_name(f"{name}_original")
    node = graph.nodes[aside] = graph.nodes.pop(name)
    node.name = aside
    return aside


def _follow(graph: Graph, aside: Mapping[str, str]) -> None:
    """Let the later results of nodes be read by their new names, which `aside` has by their old ones."""
    for reader in graph.nodes.values():
        for index, tensor in enumerate(reader.input):
            if port(tensor) > 0 and node_name(tensor) in aside:
                reader.input[index] = f"{aside[node_name(tensor)]}:{port(tensor)}"


def _add_range(graph: Graph, tensor: str, prefix: str) -> tuple[str, str]:
    """Add what measures `tensor`: the tensors with the smallest and the largest value."""
    shape = _add_constant(graph, f"{prefix}_reshape_dims", np.array([-1], np.int32), tensor)
    flat = _add(graph, "Reshape", f"{prefix}_reshape", (tensor, shape), T=_FLOAT32, Tshape=_INT32)
    axes = _add_constant(graph, f"{prefix}_dims", np.array([0], np.int32), tensor)
    low, high = (
        _add(graph, op, f"{prefix}_{op.lower()}", (flat, axes), T=_FLOAT32, Tidx=_INT32) for op in ("Min", "Max")
    )
    return low, high


def _add_constant(graph: Graph, name: str, value: Array, after: str) -> str:
    """Add a Const of the frame in which `after` is computed, which may be a loop's."""
    added = graph.add_constant(name, value)
    graph.nodes[added].input.append(f"^{node_name(after)}")
    return added


def _add(graph: Graph, op: str, name: str, inputs: Iterable[str], **types: int) -> str:
    """Add a node named `name`, or the first free `name_k`; returns the name taken."""
    free = graph.free_name(name)
    node = graph.nodes[free] = NodeDef(name=free, op=op, input=inputs)
    for key, number in types.items():
        node.attr[key].type = number
    return free


def _ordered(graph: Graph) -> Graph:
    graph.nodes = {name: graph.nodes[name] for name in graph.topological_order()}
    return graph
