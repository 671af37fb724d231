"""Where a graph's own restore operators find its variables in a checkpoint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mobile_export.errors import ModelError
from mobile_export.graph import Graph, data_inputs, node_name, port
from mobile_export.protos import NodeDef
from mobile_export.tensors import Array

_PART = re.compile(r"(\d+ )+(?P<extents>(-|\d+,\d+)(:(-|\d+,\d+))*)")


@dataclass(frozen=True)
class Place:
    """A variable's place in a checkpoint.

    Attributes:
        key: the name of an entry.
        part: which part of it, when the variable is one of several that are saved as one: `4 3 0,2:-` is the first two
            rows of a [4, 3]. Empty for all of it.
    """

    key: str
    part: str = ""

    def of(self, whole: Array) -> Array:
        """The variable's value, of the entry's.

        Raises:
            ModelError: the graph describes a part that the entry does not have.
        """
        if not self.part:
            return whole
        found = _PART.fullmatch(self.part)
        extents = found["extents"].split(":") if found else []
        if len(extents) != whole.ndim:
            raise ModelError(
                f"{self.key!r} is {list(whole.shape)} in the checkpoint, and the graph reads {self.part!r}"
            )
        return whole[tuple(map(_slice, extents))]


def _slice(extent: str) -> slice:
    if extent == "-":
        return slice(None)
    start, length = map(int, extent.split(","))
    return slice(start, start + length)


def places(graph: Graph, restore: str) -> Mapping[str, Place]:
    """By variable node, as the operator `restore` reads them from the checkpoint; without one, as any operator does.

    A graph may have several savers (one for a backbone under other names, say); `restore` is that of the saver that
    wrote the checkpoint. A variable that nothing restores is missing here; its key is its name.
    """
    found: dict[str, Place] = {}
    readers = graph.consumers()
    running = graph.reachable([restore]) if restore in graph.nodes else set(graph.nodes)
    for node in [node for name, node in graph.nodes.items() if name in running and node.op == "RestoreV2"]:
        keys, parts = (_strings(graph, node.input[index]) for index in (1, 2))
        for reader, index in readers[node.name]:
            variable = _assigned(reader, readers)
            place = port(reader.input[index])
            if variable is not None and 0 <= place < len(keys):
                found[variable] = Place(keys[place], parts[place] if place < len(parts) else "")
    return found


def _strings(graph: Graph, tensor: str) -> list[str]:
    node = graph.nodes.get(node_name(tensor))
    if node is None or node.op != "Const":
        return []
    return [value.decode("utf-8", "backslashreplace") for value in node.attr["value"].tensor.string_val]


def _assigned(node: NodeDef, readers: Mapping[str, list[tuple[NodeDef, int]]]) -> str | None:
    """The variable that `node`, or the Identity chain it starts, assigns to."""
    while node.op == "Identity" and len(readers[node.name]) == 1:
        node = readers[node.name][0][0]
    if node.op in ("Assign", "AssignVariableOp"):
        return node_name(data_inputs(node)[0])
    return None
