"""Where a graph's own restore operators find its variables in a checkpoint."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec, attribute, data_inputs, node_name, port
from mobile_export.graphs.ops import VARIABLES
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.transforms.calls import CALLS
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.strip import strip

_RESTORES = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
"""Each takes a checkpoint's name, names of its entries, and (but for the first) which parts of them."""

_PART = re.compile(r"(\d+ )+(?P<extents>(-|\d{1,18},\d{1,18})(:(-|\d{1,18},\d{1,18}))*)")


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
    wrote the checkpoint. In TensorFlow 2 it calls a function that takes the variables as arguments. A variable that
    nothing restores is missing here; its key is its name.

    Raises:
        ModelError: the function that restores the variables is not there.
    """
    part = _running(graph, restore) if restore in graph.nodes else graph
    found: dict[tuple[bytes, bytes], Place] = {}
    readers = part.consumers()
    for node in [node for node in part.nodes.values() if node.op in _RESTORES]:
        named = [_strings(part, tensor) for tensor in data_inputs(node)[1:3]]
        keys, parts = (*named, [], [])[:2]
        for reader, index in readers[node.name]:
            place = port(reader.input[index])
            if 0 <= place < len(keys):
                for variable in _assigned(part, reader, readers):
                    found[_resource(variable)] = Place(keys[place], parts[place] if place < len(parts) else "")
    variables = [node for node in graph.nodes.values() if node.op in VARIABLES]
    return {node.name: found[_resource(node)] for node in variables if _resource(node) in found}


def _running(graph: Graph, restore: str) -> Graph:
    """What runs when `restore` does, the functions that it calls included."""
    part = replace(graph, inputs=(), outputs=(TensorSpec("restore", f"{restore}:0", "", None),))
    part = inline_functions(strip(part))
    called = [attribute(node, "f").func.name for node in part.nodes.values() if node.op in CALLS]
    if called:
        raise ModelError(
            f"node {restore!r} restores the variables through the function {called[0]!r}, which is not in the model; "
            "export it again"
        )
    return part


def _resource(variable: NodeDef) -> tuple[bytes, bytes]:
    """What a variable node stands for: nodes of the same shared name are the same variable."""
    return attribute(variable, "container").s, attribute(variable, "shared_name").s or variable.name.encode()


def _strings(graph: Graph, tensor: str) -> list[str]:
    node = graph.nodes.get(node_name(tensor))
    if node is None or node.op != "Const":
        return []
    return [value.decode("utf-8", "backslashreplace") for value in node.attr["value"].tensor.string_val]


def _assigned(graph: Graph, node: NodeDef, readers: Mapping[str, list[tuple[NodeDef, int]]]) -> Iterator[NodeDef]:
    """The variables to which `node`, or Identities that it starts, assign."""
    todo, seen = [node], set[str]()
    while todo:
        node = todo.pop()
        if node.op == "Identity" and node.name not in seen:
            seen.add(node.name)
            todo += [reader for reader, index in readers[node.name] if port(reader.input[index]) == 0]
        elif node.op in ("Assign", "AssignVariableOp"):
            variable = graph.producer(node.input[0])
            if variable is not None and variable.op in VARIABLES:
                yield variable
