"""Dropping nodes together with what only they had to do with."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef


def require_outputs(graph: Graph, parameters: Parameters) -> None:
    """Refuse to drop what no output needs when there are no outputs: nothing would stay.

    Raises:
        TargetError: there are none.
    """
    if not graph.outputs:
        raise parameters.error("no outputs are named, so that nothing would stay; name them")


def remove(graph: Graph, names: Iterable[str], keep: str) -> None:
    """Drop the nodes `names`, which no public output needs, and what is of no use without them.

    That is whatever read them, but for concatenations, which go on with what they have left; and what they alone read.
    What waits for a node that is gone waits no more, and what should be on the device of one is free to be anywhere.

    Args:
        keep: a node that stays although nothing needs it.
    """
    _Removal(graph, keep).remove(names)
    update_colocations(graph)


class _Removal:
    """Drops nodes of a graph, and keeps track of who reads what.

    The inputs of nodes that stay are rewritten once, in the end: one may lose thousands.
    """

    def __init__(self, graph: Graph, keep: str) -> None:
        self._graph = graph
        self._kept = {keep, *(node_name(spec.tensor) for spec in (*graph.inputs, *graph.outputs))}
        self._data = {name: len(data_inputs(node)) for name, node in graph.nodes.items()}  # how many are left
        self._lost: dict[str, set[int]] = defaultdict(set)  # indices of inputs, by reader
        self._readers: dict[str, dict[str, list[int]]] = {}  # by what is read, the readers' inputs
        for name, found in graph.consumers().items():
            self._readers[name] = defaultdict(list)
            for reader, index in found:
                self._readers[name][reader.name].append(index)

    def remove(self, names: Iterable[str]) -> None:
        todo = list(names)
        while todo:
            node = self._graph.nodes.get(todo.pop())
            if node is None:
                continue
            self._graph.remove([node.name])
            todo += self._forget(node.name, node.input)
            for name, indices in self._readers.pop(node.name, {}).items():
                todo += self._lose(self._graph.nodes[name], indices)
        for name, lost in self._lost.items():
            if name in self._graph.nodes:
                inputs = self._graph.nodes[name].input
                inputs[:] = [tensor for index, tensor in enumerate(inputs) if index not in lost]

    def _lose(self, reader: NodeDef, indices: Collection[int]) -> list[str]:
        """Take the inputs `indices` off `reader`; the nodes that are of no use now, which may be itself."""
        lost, count = self._lost[reader.name], sum(not reader.input[index].startswith("^") for index in indices)
        lost.update(indices)
        left = self._data[reader.name] = self._data[reader.name] - count
        if not count:
            return [reader.name] if len(lost) == len(reader.input) else []
        if reader.op != "ConcatV2" or left < 2:
            return [reader.name]
        if left > 2:
            reader.attr["N"].i = left - 1
            return []
        reader.op = "Identity"
        for key in ("N", "Tidx"):
            reader.attr.pop(key, None)
        _, axis = (i for i, tensor in enumerate(reader.input) if i not in lost and not tensor.startswith("^"))
        lost.add(axis)
        return self._forget(reader.name, [reader.input[axis]])

    def _forget(self, reader: str, tensors: Iterable[str]) -> list[str]:
        """Note that `reader` does not read `tensors` any more; the nodes that nothing reads now."""
        unread = []
        for name in map(node_name, tensors):
            readers = self._readers.get(name, {})
            readers.pop(reader, None)
            if not readers and name in self._graph.nodes and self._removable(name):
                unread.append(name)
        return unread

    def _removable(self, name: str) -> bool:
        return name not in self._kept and self._graph.nodes[name].op != "RestoreV2"  # which the tool leaves
