"""Finding small trees of operators in a graph, with the tool's own rules.

A pattern is matched from its last node up through data inputs, whatever their ports. Nodes are tried in execution
order, and one that is part of an earlier match, also as a leaf, is in no later one: which of two overlapping matches
counts is part of the tool's results.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.execution_order import execution_order
from mobile_export.graphs.graph import Graph, data_inputs
from mobile_export.graphs.protos import NodeDef


@dataclass(frozen=True)
class Pattern:
    """An operator over others.

    Attributes:
        ops: names that it may have, `|` between them; `*` for any.
        inputs: one pattern for each data input; none lets the node have any.
    """

    ops: str
    inputs: Sequence["Pattern"] = ()


ANY = Pattern("*")


@dataclass(frozen=True)
class Match:
    """A node that fits a pattern, and those that fit the pattern's inputs."""

    node: NodeDef
    inputs: tuple["Match", ...] = ()

    def names(self) -> list[str]:
        """Of all its nodes."""
        return [self.node.name, *(name for match in self.inputs for name in match.names())]


def find_matches(graph: Graph, pattern: Pattern) -> list[Match]:
    """The places where `pattern` fits, none sharing a node with another."""
    try:
        order = execution_order(graph)
    except ModelError:
        order = list(graph.nodes)  # as the tool does with what it cannot order
    taken: set[str] = set()
    found = []
    for name in order:
        match = _fit(graph, name, pattern, taken)
        if match is not None:
            taken.update(match.names())
            found.append(match)
    return found


def _fit(graph: Graph, name: str, pattern: Pattern, taken: set[str]) -> Match | None:
    node = graph.nodes[name]
    if name in taken or (pattern.ops != "*" and node.op not in pattern.ops.split("|")):
        return None
    if not pattern.inputs:
        return Match(node)
    tensors = data_inputs(node)
    if len(tensors) != len(pattern.inputs):
        return None
    inputs = []
    for tensor, wanted in zip(tensors, pattern.inputs, strict=True):
        producer = graph.producer(tensor)
        match = None if producer is None else _fit(graph, producer.name, wanted, taken)
        if match is None:
            return None
        inputs.append(match)
    return Match(node, tuple(inputs))
