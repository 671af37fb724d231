"""The operators between float and eight bits, and what all rewrites to eight bits need besides."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graphs.graph import Graph, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array, dtype_number, dtype_number_of

FLOAT = dtype_number_of("float32")
QUINT8 = dtype_number_of("quint8")
QINT32 = dtype_number_of("qint32")

Consumers = Mapping[str, Sequence[tuple[NodeDef, int]]]
"""What `Graph.consumers` returns."""


@dataclass(frozen=True)
class Range:
    """The numbers that the smallest and the largest code stand for."""

    min: float
    max: float


def new_node(op: str, name: str, inputs: Iterable[str], **types: int) -> NodeDef:
    """A node whose attributes are element types."""
    node = NodeDef(name=name, op=op, input=inputs)
    for key, number in types.items():
        node.attr[key].type = number
    return node


def constant(graph: Graph, name: str, value: Array, controls: Iterable[str] = ()) -> NodeDef:
    """A Const that waits for `controls`; its value is in `graph` from now on."""
    graph.constants[name] = value
    return new_node("Const", name, controls, dtype=dtype_number(value.dtype))


def measuring_constants(graph: Graph, names: tuple[str, str], controls: Iterable[str]) -> list[NodeDef]:
    """The constants that `measured` takes."""
    return [
        constant(graph, name, np.array([value], np.int32), controls) for name, value in zip(names, (-1, 0), strict=True)
    ]


def float_constant(graph: Graph, name: str, value: float, controls: Iterable[str] = ()) -> NodeDef:
    """A scalar Const."""
    return constant(graph, name, np.array(value, np.float32), controls)


def quantize(name: str, tensor: str, low: str, high: str, dtype: int = QUINT8) -> NodeDef:
    """Float to codes of `dtype`: outputs are the codes and the ends of their range."""
    node = new_node("QuantizeV2", name, (tensor, low, high), T=dtype)
    node.attr["mode"].s = b"MIN_FIRST"
    return node


def dequantize(name: str, codes: Sequence[str]) -> NodeDef:
    """Float from quint8 codes and the ends of their range."""
    node = new_node("Dequantize", name, codes, T=QUINT8)
    node.attr["mode"].s = b"MIN_FIRST"
    return node


def requantize(name: str, codes: Sequence[str], low: str, high: str) -> NodeDef:
    """qint32 to quint8 of the range from `low` to `high`: outputs as those of `quantize`."""
    return new_node("Requantize", name, (*codes, low, high), Tinput=QINT32, out_type=QUINT8)


def requantization_range(name: str, codes: Sequence[str]) -> NodeDef:
    """The range that qint32 codes really have: its ends."""
    return new_node("RequantizationRange", name, codes, Tinput=QINT32)


def measured(tensor: str, flat_shape: str, axes: str, part: Callable[[str], str]) -> list[NodeDef]:
    """What makes codes of `tensor`, over the range that its values have; the last node answers them.

    Args:
        flat_shape: a constant, [-1].
        axes: a constant, [0].
        part: the name of the node that is the reshape, min, max or quantize.
    """
    flat = new_node("Reshape", part("reshape"), (tensor, flat_shape), T=FLOAT)
    low = _reduction("Min", part("min"), flat.name, axes)
    high = _reduction("Max", part("max"), flat.name, axes)
    return [flat, low, high, quantize(part("quantize"), tensor, low.name, high.name)]


def _reduction(op: str, name: str, tensor: str, axes: str) -> NodeDef:
    node = new_node(op, name, (tensor, axes), T=FLOAT)
    node.attr["keep_dims"].b = False
    return node


def codes_of(name: str) -> tuple[str, str, str]:
    """What a node answers that makes eight-bit values: the codes and the ends of their range."""
    return name, f"{name}:1", f"{name}:2"


def as_name(tensor: str) -> str:
    """The tensor's name as part of a node's."""
    return tensor.replace(":", "__port__")


def splice(graph: Graph, pieces: Mapping[str, Sequence[NodeDef]], gone: Collection[str] = ()) -> None:
    """Put each of `pieces` where the node stands that it is named for, and drop that one and all in `gone`.

    A node may be in a piece more than once.

    Raises:
        ModelError: a name is taken.
    """
    kept = {name for name in graph.nodes if name not in gone and name not in pieces}
    nodes: dict[str, NodeDef] = {}
    for name, old in graph.nodes.items():
        for new in pieces.get(name, [old] if name in kept else []):
            if nodes.get(new.name, new) is not new or (new.name in kept and name in pieces):
                raise taken(new.name)
            nodes[new.name] = new
    graph.nodes = nodes
    update_colocations(graph)
    graph.constants = {name: array for name, array in graph.constants.items() if name in nodes}


def taken(name: str) -> ModelError:
    """The error that a graph has a node of the name of a new one."""
    return ModelError(f"the graph has a node named {name!r} already; rename it first (rename_node)")


def read_elsewhere(graph: Graph, consumers: Consumers, names: Iterable[str], readers: Collection[str]) -> bool:
    """Whether any of the nodes `names` is an input or output of `graph`, or is read by others than `readers`."""
    return any(
        graph.is_input(name)
        or graph.is_output(name)
        or any(consumer.name not in readers for consumer, _ in consumers.get(name, ()))
        for name in names
    )


def inside_loops(graph: Graph) -> set[str]:
    """The nodes that lie in a loop of TensorFlow 1, where a Const must wait for one of them to run at each turn.

    In a branch it need not wait, which is why `gated_nodes` would name too many.
    """
    depth: dict[str, int] = {}
    inside = set()
    for name in graph.topological_order():
        node = graph.nodes[name]
        around = max((depth.get(node_name(tensor), 0) for tensor in node.input), default=0)
        if around:
            inside.add(name)
        depth[name] = around + {"Enter": 1, "RefEnter": 1, "Exit": -1, "RefExit": -1}.get(node.op, 0)
    return inside


def wait_for_first_input(node: NodeDef) -> str:
    """The control edge from the node that gives the first input."""
    return f"^{node_name(data_inputs(node)[0])}"
