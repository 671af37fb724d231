"""Conversions to float and back to eight bits, between two eight-bit operators, are passed by."""

from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graph_transform_tool.eightbit.nodes import read_elsewhere
from mobile_export.graphs.graph import Graph, attribute, canonical, data_inputs
from mobile_export.graphs.protos import NodeDef

_SAME_CODES = (b"", b"MIN_FIRST", b"MIN_COMBINED")
"""Modes in which 0 and the largest code are the ends of the range."""
_SAME_VALUES = frozenset({"Dequantize", "QuantizeV2", "QuantizedReshape", "Reshape"})
"""What may stand between values and their range: a Reshape, also one that has become eight bits itself."""


def pass_round_trips(graph: Graph) -> Graph:
    """Let what reads codes that were float for a moment read the codes from before.

    d = Dequantize(q, min, max); y = F(QuantizeV2(d, Min(d), Max(d)))  =>  y = F(q, min, max)

    Nodes that nobody needs any more stay, as the range of d is computed from d: strip_unused_nodes drops them.
    """
    graph = graph.copy()
    outputs = graph.outputs
    passed: dict[str, str] = {}
    trips = []
    for node in graph.nodes.values():
        trip = _round_trip(graph, node)
        if trip:
            back = graph.nodes[trip[1]]
            trips.append(trip)
            passed.update({f"{node.name}:{port}": canonical(back.input[port]) for port in range(3)})
    graph.redirect(passed)
    graph.outputs = outputs
    consumers = graph.consumers()
    for trip in trips:
        if not read_elsewhere(graph, consumers, trip, trip):
            graph.remove(trip)
    update_colocations(graph)
    return graph


def _round_trip(graph: Graph, node: NodeDef) -> list[str]:
    """The QuantizeV2 `node`, the Dequantize that it reads, and the Min and Max of its range; or nothing."""
    found = [graph.producer(tensor) for tensor in data_inputs(node)]
    nodes = [node, *(source for source in found if source is not None)]
    if [each.op for each in nodes] != ["QuantizeV2", "Dequantize", "Min", "Max"]:
        return []
    _, back, low, high = nodes
    passed_by = (
        len(data_inputs(back)) == 3
        and not graph.is_input(back.name)  # what is fed is not what it computes
        and attribute(node, "T") == attribute(back, "T")
        and all(attribute(end, "mode").s in _SAME_CODES for end in (node, back))
        and all(attribute(end, "axis").i == -1 for end in (node, back) if "axis" in end.attr)
        and all(_measures(graph, end, back.name) for end in (low, high))
    )
    return [each.name for each in nodes] if passed_by else []


def _measures(graph: Graph, node: NodeDef, name: str) -> bool:
    """Whether the Min or Max `node` is that of all the values of the node `name`."""
    source = _source(graph, node)
    while source is not None and source.name != name and source.op in _SAME_VALUES:
        source = _source(graph, source)
    return source is not None and source.name == name


def _source(graph: Graph, node: NodeDef) -> NodeDef | None:
    """What gives the first input."""
    return next((graph.producer(tensor) for tensor in data_inputs(node)), None)
