"""Keep what the public outputs need, cut off at the public inputs."""

from mobile_export.graph import Graph, node_name
from mobile_export.protos import NodeDef
from mobile_export.tensors import dtype_number_of, write_shape


def strip(graph: Graph) -> Graph:
    """Drop every node that no output needs.

    Public inputs always stay. One that is not a placeholder (a tensor in the middle of the graph, a default value)
    becomes a placeholder of its dtype and shape, and what was before it goes:

        y = Relu(Conv2D(Decode(bytes), w)), input Decode:0  =>  y = Relu(Conv2D(Placeholder, w))
    """
    graph = graph.copy()
    for spec in graph.inputs:
        name = node_name(spec.tensor)
        if graph.nodes[name].op == "Placeholder":
            continue
        placeholder = NodeDef(name=name, op="Placeholder")
        placeholder.attr["dtype"].type = dtype_number_of(spec.dtype)
        write_shape(placeholder.attr["shape"].shape, spec.shape)
        graph.remove([name])
        graph.nodes[name] = placeholder
    graph.prune()
    return graph
