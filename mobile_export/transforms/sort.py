"""Execution order."""

from mobile_export.graphs.graph import Graph


def sort(graph: Graph) -> Graph:
    """Put every node after the nodes that it reads; loop back edges aside. Order is a function of the graph alone."""
    graph = graph.copy()
    graph.nodes = {name: graph.nodes[name] for name in graph.topological_order()}
    return graph
