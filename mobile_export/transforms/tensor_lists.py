"""What transforms of loops share about the lists that loops fill."""

from collections.abc import Collection

import numpy as np

from mobile_export.graphs.graph import Graph, data_inputs, node_name
from mobile_export.graphs.protos import NodeDef

Shape = tuple[int, ...]


def add_element_shape(graph: Graph, reader: NodeDef, shape: Shape | None, gated: Collection[str]) -> str:
    """Add the constant from which `reader`, an operator on lists, reads the shape of elements; returns its name.

    Args:
        shape: sizes, -1 where unknown; None when the rank is unknown.
        gated: nodes in loops and branches. A constant for one of them has to be there too, so it waits for another
            input of `reader`.
    """
    name = graph.add_constant(f"{reader.name}/element_shape", np.asarray(-1 if shape is None else shape, np.int32))
    if reader.name in gated:
        beside = next(node_name(i) for i in data_inputs(reader) if node_name(i) in gated)
        graph.nodes[name].input.append(f"^{beside}")
    return name
