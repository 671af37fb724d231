"""Equal nodes become one."""

import hashlib
from collections import Counter

from mobile_export.graphs.graph import Graph, canonical, control_inputs, node_name, region_bytes
from mobile_export.graphs.ops import FOLDABLE
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array


def merge_duplicates(graph: Graph) -> Graph:
    """Let readers of a node read the first node that computes the same.

        a = Relu(x); b = Relu(x); c = Add(a, b)  =>  a = Relu(x); c = Add(a, a)

    The same: operator, attributes, inputs, and for a Const its bits. Only pure operators; public inputs and nodes that
    a control edge names stay.
    """
    graph = graph.copy()
    controls = {node_name(name) for node in graph.nodes.values() for name in control_inputs(node)}
    digests = _Digests(graph)
    first: dict[tuple[object, ...], str] = {}
    merged: dict[str, str] = {}
    for name in graph.topological_order():
        node = graph.nodes[name]
        if node.op != "Const" and node.op not in FOLDABLE:
            continue
        key = (node.op, node.device, _inputs(node, merged), _attributes(node), digests.of(name))
        kept = first.setdefault(key, name)
        if kept != name and name not in controls:
            merged[name] = kept
    graph.redirect(
        {tensor: f"{merged[node_name(tensor)]}:{tensor.partition(':')[2]}" for tensor in _read(graph, merged)}
    )
    graph.remove(merged)
    return graph


def _inputs(node: NodeDef, merged: dict[str, str]) -> tuple[str, ...]:
    tensors = [canonical(name) for name in node.input]
    return tuple(f"{merged.get(node_name(t), node_name(t))}:{t.partition(':')[2]}" for t in tensors)


def _attributes(node: NodeDef) -> tuple[tuple[str, bytes], ...]:
    return tuple((key, node.attr[key].SerializeToString(deterministic=True)) for key in sorted(node.attr))


def _read(graph: Graph, merged: dict[str, str]) -> list[str]:
    tensors = [canonical(i) for node in graph.nodes.values() for i in node.input if not i.startswith("^")]
    tensors += [canonical(spec.tensor) for spec in graph.outputs]
    return [tensor for tensor in dict.fromkeys(tensors) if node_name(tensor) in merged]


class _Digests:
    """A constant's identity; its bits are hashed only when another one has the same type and shape."""

    def __init__(self, graph: Graph) -> None:
        self._constants = graph.constants
        self._alike = Counter(map(self._kind, graph.constants.values()))

    def of(self, name: str) -> tuple[object, ...]:
        array = self._constants.get(name)
        if array is None:
            return ()
        kind = self._kind(array)
        if self._alike[kind] == 1:
            return kind
        return (*kind, hashlib.blake2b(region_bytes(array)).digest())

    @staticmethod
    def _kind(array: Array) -> tuple[str, tuple[int, ...]]:
        return array.dtype.str, array.shape
