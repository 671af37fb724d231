"""Attributes at their defaults, written down."""

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph
from mobile_export.transforms.operators import definition_of


def add_default_attributes(graph: Graph, _: Parameters) -> Graph:
    """Give nodes the attributes that they do not have, with the defaults of the TensorFlow that runs.

    MatMul(x, w) {T: float}  =>  MatMul(x, w) {T: float, transpose_a: false, transpose_b: false, …}
    """
    graph = graph.copy()
    functions = {function.signature.name: function.signature for function in graph.library.function}
    for node in graph.nodes.values():
        definition = functions.get(node.op) or definition_of(node.op)
        if definition is None:
            raise ModelError(
                f"node {node.name!r}: TensorFlow has no operator {node.op!r}, and no defaults for it; "
                "write add_default_attributes(ignore_errors=true) to go on without"
            )
        for attribute in definition.attr:
            if attribute.HasField("default_value") and attribute.name not in node.attr:
                node.attr[attribute.name].CopyFrom(attribute.default_value)
    return graph
