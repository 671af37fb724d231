"""Nodes under other names."""

from collections.abc import Mapping
from dataclasses import replace

from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graphs.graph import Graph, node_name


def rename_nodes(graph: Graph, names: Mapping[str, str]) -> Graph:
    """`graph` with the nodes `names` renamed to its values, for all who name them; no two may come to share a name."""

    def moved(tensor: str) -> str:
        name = node_name(tensor)
        return tensor.replace(name, names[name], 1) if name in names else tensor

    graph = graph.copy()
    graph.nodes = {names.get(name, name): node for name, node in graph.nodes.items()}
    graph.constants = {names.get(name, name): value for name, value in graph.constants.items()}
    for name, node in graph.nodes.items():
        node.name = name
        node.input[:] = [moved(tensor) for tensor in node.input]
    graph.inputs = tuple(replace(spec, tensor=moved(spec.tensor)) for spec in graph.inputs)
    graph.outputs = tuple(replace(spec, tensor=moved(spec.tensor)) for spec in graph.outputs)
    update_colocations(graph, names)
    return graph
