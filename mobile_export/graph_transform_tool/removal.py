"""Dropping nodes together with what only they had to do with."""

from collections.abc import Iterable, Sequence

from mobile_export.graph import Graph, attribute, data_inputs, node_name
from mobile_export.protos import NodeDef


def remove(graph: Graph, names: Iterable[str], keep: str) -> None:
    """Drop the nodes `names`, which no public output needs, and what is of no use without them.

    That is whatever read them, but for concatenations, which go on with what they have left; and what they alone read.
    What waits for a node that is gone waits no more, and what should be on the device of one is free to be anywhere.

    Args:
        keep: a node that stays although nothing needs it.
    """
    _Removal(graph, keep).remove(names)
    _mend_colocation(graph)


class _Removal:
    """Drops nodes of a graph, and keeps track of who reads what."""

    def __init__(self, graph: Graph, keep: str) -> None:
        self._graph, self._keep = graph, keep
        self._readers = {name: {reader.name for reader, _ in found} for name, found in graph.consumers().items()}

    def remove(self, names: Iterable[str]) -> None:
        todo = list(names)
        while todo:
            node = self._graph.nodes.get(todo.pop())
            if node is None:
                continue
            self._graph.remove([node.name])
            todo += self._forget(node.name, node.input)
            for name in self._readers.pop(node.name, ()):
                reader = self._graph.nodes[name]
                lost, unread = _without(reader, node.name)
                todo += [name] if lost else self._forget(name, unread)

    def _forget(self, reader: str, tensors: Iterable[str]) -> list[str]:
        """Note that `reader` does not read `tensors` any more; the nodes that nothing reads now."""
        unread = []
        for name in map(node_name, tensors):
            readers = self._readers.get(name, set())
            readers.discard(reader)
            if not readers and name in self._graph.nodes and self._removable(name):
                unread.append(name)
        return unread

    def _removable(self, name: str) -> bool:
        kept = name == self._keep or self._graph.is_input(name) or self._graph.is_output(name)
        return not kept and self._graph.nodes[name].op != "RestoreV2"  # which the tool leaves


def _without(reader: NodeDef, removed: str) -> tuple[bool, Sequence[str]]:
    """Take what reads the node `removed` off `reader`.

    Returns:
        whether it is of no use without, and what else it does not read any more.
    """
    before = len(data_inputs(reader))
    reader.input[:] = [tensor for tensor in reader.input if node_name(tensor) != removed]
    inputs = data_inputs(reader)
    if len(inputs) == before or reader.op != "ConcatV2" or len(inputs) < 2:
        return len(inputs) < before or not reader.input, ()
    if len(inputs) > 2:
        reader.attr["N"].i = len(inputs) - 1
        return False, ()
    reader.op = "Identity"
    reader.input.remove(inputs[1])
    for key in ("N", "Tidx"):
        reader.attr.pop(key, None)
    return False, inputs[1:]


def _mend_colocation(graph: Graph) -> None:
    """Let no node want to be where a node is that is gone."""
    for node in graph.nodes.values():
        wanted = attribute(node, "_class").list.s
        left = [place for place in wanted if place.removeprefix(b"loc:@").decode("utf-8", "replace") in graph.nodes]
        if len(left) < len(wanted):
            del node.attr["_class"]
            if left:
                node.attr["_class"].list.s.extend(left)
