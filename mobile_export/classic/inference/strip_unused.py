"""What the outputs need of a graph, cut off at the inputs."""

from collections.abc import Mapping

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, attribute, node_name, port
from mobile_export.graphs.protos import NodeDef

_SHAPES = {"shape": "shape", "_output_shapes": "list"}
"""Attributes of an input that its placeholder keeps, and what kind of value each has."""


def strip_unused(graph: Graph, types: Mapping[str, int]) -> Graph:
    """Make each input a Placeholder, and drop every node that no output needs, inputs included:

        y = Relu(Conv2D(Decode(bytes), w)), input Decode  =>  y = Relu(Conv2D(Placeholder, w))

    Args:
        types: TensorFlow's number of the element type, by the name of the input.

    Raises:
        ModelError: an input has several outputs that are read; a placeholder has one.
    """
    graph = graph.copy()
    for name, dtype in types.items():
        graph.constants.pop(name, None)
        graph.nodes[name] = _placeholder(graph.nodes[name], dtype)
    graph.inputs = ()
    graph.prune()
    for node in graph.nodes.values():
        for tensor in node.input:
            if node_name(tensor) in types and port(tensor) > 0:
                raise ModelError(
                    f"the input {node_name(tensor)!r} cannot be a placeholder: {node.name!r} reads its output "
                    f"{tensor!r}; name the nodes behind its outputs as inputs instead"
                )
    return graph


def _placeholder(node: NodeDef, dtype: int) -> NodeDef:
    placeholder = NodeDef(name=node.name, op="Placeholder")
    placeholder.attr["dtype"].type = dtype
    for key, kind in _SHAPES.items():
        if attribute(node, key).WhichOneof("value") == kind:
            placeholder.attr[key].CopyFrom(node.attr[key])
    return placeholder
