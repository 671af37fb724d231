"""Attributes at their defaults, written down."""

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import FunctionDefLibrary
from mobile_export.transforms.operators import definition_of


def add_default_attributes(graph: Graph) -> Graph:
    """Give every node, also in functions, the attributes that it was saved without since they have their defaults.

        FusedBatchNormV3(x, …)  =>  FusedBatchNormV3(x, …) {epsilon: 1e-4, is_training: true, data_format: NHWC, …}

    TensorFlow 2 saves graphs without them; whoever reads an attribute would have to know what it is when it is missing.
    Nodes of operators that TensorFlow does not know stay as they are.
    """
    graph = graph.copy()
    library = FunctionDefLibrary()
    library.CopyFrom(graph.library)
    graph.library = library
    inner = [node for function in graph.library.function for node in function.node_def]
    for node in [*graph.nodes.values(), *inner]:
        definition = definition_of(node.op)
        for attribute in definition.attr if definition is not None else ():
            if attribute.HasField("default_value") and attribute.name not in node.attr:
                node.attr[attribute.name].CopyFrom(attribute.default_value)
    return graph
