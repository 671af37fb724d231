"""The graph before the transforms and after them, as people look at it. Runs in a worker."""

from collections import Counter
from pathlib import Path

from mobile_export.compare.result import GraphSummary, Node
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, data_inputs, format_shape, node_name, total_bytes
from mobile_export.network.forward import forward_graph
from mobile_export.pipeline import OPTIMIZED
from mobile_export.session import Session
from mobile_export.sources import source_of
from mobile_export.target import Target


def summarize_graphs(target: Target, folder: Path) -> tuple[GraphSummary, GraphSummary]:
    """The network between inputs and outputs as it was trained, and as files are made of it.

    Args:
        folder: the work folder in which the target was prepared.

    Raises:
        ModelError: the model cannot be read.
    """
    _, source = source_of(target.model)
    before = forward_graph(source.read(target.model), target.model)
    return summarize("as trained", before), summarize("optimized", Graph.load(folder / OPTIMIZED))


def summarize(title: str, graph: Graph) -> GraphSummary:
    """Counts, and every node but constants."""
    order = graph.topological_order()
    shapes = _shapes(graph)
    listing = tuple(
        Node(
            name=name,
            operator=graph.nodes[name].op,
            shape=shapes.get(name, ""),
            inputs=tuple(
                dict.fromkeys(
                    producer
                    for tensor in data_inputs(graph.nodes[name])
                    if (producer := node_name(tensor)) not in graph.constants
                )
            ),
        )
        for name in order
        if name not in graph.constants
    )
    counts = Counter(node.op for node in graph.nodes.values())
    return GraphSummary(
        title=title,
        nodes=len(graph.nodes),
        weights=total_bytes(graph.constants),
        operators=dict(counts.most_common()),
        listing=listing,
    )


def _shapes(graph: Graph) -> dict[str, str]:
    """Of each node's first result, where TensorFlow infers it; nothing of a graph that it does not take as it is."""
    try:
        with Session(graph) as session:
            return {name: _shape(session, name) for name in graph.nodes}
    except ModelError:
        return {}


def _shape(session: Session, name: str) -> str:
    try:
        shape = session.shape(name)
    except ModelError:
        return ""  # it has no result
    return "" if shape is None else format_shape(shape)
