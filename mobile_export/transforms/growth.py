"""How large a graph becomes once functions are put where they are called, counted before a single node is made.

Functions that call the next one twice each double a graph at every level, and those that call themselves never end.
"""

from collections.abc import Collection
from typing import NamedTuple

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, called_functions
from mobile_export.graphs.protos import NodeDef
from mobile_export.transforms.calls import MOST_INPUTS, MOST_NODES, called_function
from mobile_export.transforms.operators import Functions


class Size(NamedTuple):
    """Nodes, and inputs of all of them together, control edges included."""

    nodes: int
    inputs: int

    @classmethod
    def of(cls, nodes: Collection[NodeDef]) -> "Size":
        """The size of `nodes` as they are."""
        return cls(len(nodes), sum(len(node.input) for node in nodes))


def refuse_recursion(graph: Graph) -> None:
    """Refuse a graph of which a node reaches a function that calls itself, be it through others.

    Raises:
        ModelError: names the functions.
    """
    used = {function.signature.name: function for function in graph.used_functions()}
    finite = set(innermost_first(used))
    endless = [repr(name) for name in used if name not in finite]
    if endless:
        raise ModelError(
            f"the model's functions {', '.join(endless[:3])} call themselves, or others that do, without an end; "
            "export the model without recursion"
        )


def refuse_oversized(*parts: Size) -> None:
    """Refuse a network that is larger than any phone's.

    Raises:
        ModelError: its parts together have too many nodes, or inputs.
    """
    nodes, inputs = sum(part.nodes for part in parts), sum(part.inputs for part in parts)
    for count, most, what in ((nodes, MOST_NODES, "nodes"), (inputs, MOST_INPUTS, "inputs of nodes")):
        if count > most:
            raise ModelError(
                f"what computes the outputs has more than {most} {what}, those of the functions that it calls "
                "included; name outputs that need less of the model"
            )


def innermost_first(functions: Functions) -> list[str]:
    """The functions that come to an end, each behind all that it calls: neither they nor those call themselves."""
    calls = {
        name: {called for node in function.node_def for called in called_functions(node)} & functions.keys()
        for name, function in functions.items()
    }
    callers: dict[str, list[str]] = {name: [] for name in functions}
    for name, called in calls.items():
        for other in called:
            callers[other].append(name)
    waiting = {name: len(called) for name, called in calls.items()}
    finite = [name for name, count in waiting.items() if not count]
    for name in finite:  # grows while it is walked
        for caller in callers[name]:
            waiting[caller] -= 1
            if not waiting[caller]:
                finite.append(caller)
    return finite


def inlined_sizes(functions: Functions) -> dict[str, Size]:
    """The size of each function when what it calls is part of it, calls counted as well; none may call itself.

    No size is further than one above the limits: functions of hostile depth would have numbers of as many digits.
    """
    sizes: dict[str, Size] = {}
    for name in innermost_first(functions):
        nodes, inputs = Size.of(functions[name].node_def)
        for node in functions[name].node_def:
            called = called_function(node, functions)
            if called is not None:
                nodes, inputs = nodes + sizes[called.name].nodes, inputs + sizes[called.name].inputs
        sizes[name] = Size(min(nodes, MOST_NODES + 1), min(inputs, MOST_INPUTS + 1))
    return sizes
