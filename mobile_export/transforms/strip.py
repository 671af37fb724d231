"""Keep what the public outputs need, cut off at the public inputs."""

from dataclasses import replace

from mobile_export.graphs.graph import Graph, TensorSpec, canonical, node_name, port
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import dtype_number_of, write_shape
from mobile_export.transforms.patterns import drop_unused_functions


def strip(graph: Graph) -> Graph:
    """Drop every node and function that no output needs.

    Public inputs always stay. One that is not a placeholder (a tensor in the middle of the graph, a default value)
    becomes a placeholder of its dtype and shape, and what was before it goes:

        y = Relu(Conv2D(Decode(bytes), w)), input Decode:0  =>  y = Relu(Conv2D(Placeholder, w))
    """
    graph = graph.copy()
    graph.inputs = tuple(_as_placeholder(graph, spec) for spec in graph.inputs)
    graph.prune()
    drop_unused_functions(graph)
    return graph


def _as_placeholder(graph: Graph, spec: TensorSpec) -> TensorSpec:
    """Put a placeholder where `spec` is: under its node's name, unless other outputs of that node are read."""
    name = node_name(spec.tensor)
    if graph.nodes[name].op == "Placeholder":
        return spec
    placeholder = NodeDef(name=name, op="Placeholder")
    placeholder.attr["dtype"].type = dtype_number_of(spec.dtype)
    write_shape(placeholder.attr["shape"].shape, spec.shape)
    if port(spec.tensor) or _ports_read(graph, name) - {0}:
        placeholder.name = graph.free_name(f"{name}_{port(spec.tensor)}")
        graph.redirect({spec.tensor: placeholder.name})
    else:
        graph.remove([name])
    graph.nodes[placeholder.name] = placeholder
    return replace(spec, tensor=canonical(placeholder.name))


def _ports_read(graph: Graph, name: str) -> set[int]:
    read = {port(reader.input[index]) for reader, index in graph.consumers()[name]}
    return (read | {port(s.tensor) for s in (*graph.inputs, *graph.outputs) if node_name(s.tensor) == name}) - {-1}
