"""The order in which the tool walks a graph."""

from collections import defaultdict

from mobile_export.errors import ModelError
from mobile_export.graph import Graph, control_inputs, node_name

_MERGES = frozenset({"Merge", "RefMerge", "_XlaMerge"})
"""Ready as soon as one of their data inputs is, so that loops can be ordered."""


def execution_order(graph: Graph) -> list[str]:
    """Node names so that what is read comes first; of those that are ready, the one that became so last.

    Raises:
        ModelError: a node reads what is not there, or a cycle passes no Merge.
    """
    waiting: dict[str, int] = {}
    readers: dict[str, list[str]] = defaultdict(list)
    ready: list[str] = []
    for name, node in graph.nodes.items():
        waiting[name] = len(control_inputs(node)) + 1 if node.op in _MERGES else len(node.input)
        for tensor in node.input:
            if node_name(tensor) not in graph.nodes:
                raise ModelError(f"node {name!r} reads {tensor!r}, which does not exist")
            readers[node_name(tensor)].append(name)
        if not node.input:
            ready.append(name)
    order = []
    while ready:
        name = ready.pop()
        order.append(name)
        for reader in readers[name]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(order) < len(graph.nodes):
        stuck = sorted(set(graph.nodes) - set(order))
        raise ModelError(f"the graph has a cycle through {', '.join(map(repr, stuck[:5]))}")
    return order
