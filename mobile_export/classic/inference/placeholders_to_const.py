"""Placeholders that say whether the network is being trained."""

from collections.abc import Mapping

import numpy as np

from mobile_export.graphs.graph import Graph, attribute
from mobile_export.graphs.tensors import dtype_number_of

LEARNING_PHASE = "keras_learning_phase"
"""In the names of the placeholders that Keras makes for this."""

_PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault")


def placeholders_to_const(graph: Graph, values: Mapping[str, bool]) -> Graph:
    """Give boolean placeholders a value for good:

        phase = PlaceholderWithDefault(true)  =>  phase = Const false

    A key of `values` stands for each placeholder whose name contains it; the first that fits counts. Inputs stay.
    """
    graph = graph.copy()
    for name in list(graph.nodes):
        key = next((key for key in values if key in name), None)
        if key is not None and is_switch(graph, name):
            graph.set_constant(name, np.array(values[key]))
    return graph


def is_switch(graph: Graph, name: str) -> bool:
    """Whether the node `name` is a boolean placeholder, and no input."""
    node = graph.nodes[name]
    boolean = attribute(node, "dtype").type == dtype_number_of("bool")
    return node.op in _PLACEHOLDERS and boolean and not graph.is_input(name)
