"""Nodes that compute the same become one."""

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np

from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, attribute, node_name, region_bytes, short
from mobile_export.graphs.ops import PLACEHOLDERS
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.transforms.operators import definition_of

_BLOCK = 1 << 20
"""Elements that are compared at once."""
_LOOK = 16
"""Elements by which most constants of one shape differ already."""

Key = tuple[object, ...]


def merge_duplicate_nodes(graph: Graph, _: Parameters) -> Graph:
    """Let readers of a node read the first one that computes the same, and wait for it.

        a = Relu(x); b = Relu(x); c = Add(a, b)  =>  a = Relu(x); c = Add(a, a)

    The same: operator, device, attributes, inputs in their order, and for a Const the bits of its value, however they
    are written. Inputs, outputs, placeholders, stateful operators and those that TensorFlow does not know stay.
    """
    graph = graph.copy()
    merging = _Merging(graph)
    merging.run()
    merged = {name: merging.kept(name) for name in merging.merged}
    for node in graph.nodes.values():
        for index, tensor in enumerate(node.input):
            name = node_name(tensor)
            if name in merged:
                node.input[index] = tensor.replace(name, merged[name], 1)
    graph.remove(merged)
    update_colocations(graph, merged)
    return graph


@dataclass
class _Merging:
    """Which nodes become which; `readers` of a node are looked at again when it becomes another one, as in loops."""

    graph: Graph
    merged: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        values = _Values(self.graph)
        readers = {name: [node.name for node, _ in found] for name, found in self.graph.consumers().items()}
        edges = {node_name(spec.tensor) for spec in (*self.graph.inputs, *self.graph.outputs)}
        first: dict[Key, str] = {}
        todo, seen = deque(self.graph.topological_order()), set[str]()
        while todo:
            name = todo.popleft()
            node = self.graph.nodes[name]
            seen.add(name)
            if name in edges or name in self.merged or not _may_merge(node):
                continue
            key = (node.op, node.device, self._inputs(node), _attributes(node), values.of(name))
            kept = first.setdefault(key, name)
            if kept != name:
                self.merged[name] = kept
                moved = readers.get(name, [])
                readers.setdefault(kept, []).extend(moved)
                todo += [reader for reader in moved if reader in seen]

    def kept(self, name: str) -> str:
        """The node that stands for `name` in the end."""
        while name in self.merged:
            name = self.merged[name]
        return name

    def _inputs(self, node: NodeDef) -> tuple[str, ...]:
        names = [(node_name(tensor), short(tensor)) for tensor in node.input]
        return tuple(tensor.replace(name, self.kept(name), 1) for name, tensor in names)


def _may_merge(node: NodeDef) -> bool:
    definition = definition_of(node.op)
    return definition is not None and not definition.is_stateful and node.op not in PLACEHOLDERS


def _attributes(node: NodeDef) -> tuple[tuple[str, bytes], ...]:
    return tuple((key, attribute(node, key).SerializeToString(deterministic=True)) for key in sorted(node.attr))


class _Values:
    """What tells constants apart: as much of their bits as it takes."""

    def __init__(self, graph: Graph) -> None:
        self._constants = graph.constants
        self._alike = Counter(map(_look, graph.constants.values()))

    def of(self, name: str) -> Key:
        """The same for two constants of the same type, shape and bits, and for no others."""
        array = self._constants.get(name)
        if array is None:
            return ()
        look = _look(array)
        if self._alike[look] == 1:
            return look
        if _repeats(array):
            return (*look, "repeated")
        return (*look, hashlib.blake2b(region_bytes(array)).digest())


def _look(array: Array) -> Key:
    return array.dtype.str, str(array.dtype), array.shape, array.flat[:_LOOK].tobytes()


def _repeats(array: Array) -> bool:
    """Whether all elements are the first one; of what is stored as one element, nothing is made to see it."""
    if not any(array.strides):
        return True
    bits = np.ascontiguousarray(array).reshape(-1).view(np.dtype((np.void, array.itemsize)))
    return all(bool((bits[i : i + _BLOCK] == bits[0]).all()) for i in range(0, bits.size, _BLOCK))
