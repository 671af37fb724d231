"""The order in which the tool walks a graph.

It is not that of `Graph.topological_order`: new names and overlapping matches hang on which ready node comes first.
"""

from collections import defaultdict

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, control_inputs, node_name
from mobile_export.graphs.ops import MERGES


def execution_order(graph: Graph) -> list[str]:
    """Node names so that what is read comes first; of those that are ready, the one that became so last.

    Raises:
        ModelError: a node reads what is not there, or a cycle passes no Merge.
    """
    waiting: dict[str, int] = {}
    readers: dict[str, list[str]] = defaultdict(list)
    ready: list[str] = []
    for name, node in graph.nodes.items():
        # ready as soon as one data input is, so that loops can be ordered
        waiting[name] = len(control_inputs(node)) + 1 if node.op in MERGES else len(node.input)
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
