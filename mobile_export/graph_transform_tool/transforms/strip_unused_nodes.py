"""What the outputs need, and nothing else."""

from collections.abc import Collection

from mobile_export.errors import ModelError
from mobile_export.graph_transform_tool.colocation import update_colocations
from mobile_export.graph_transform_tool.removal import require_outputs
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, data_inputs, node_name, port
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import write_shape


def strip_unused_nodes(graph: Graph, parameters: Parameters) -> Graph:
    """Drop every node that no output needs; inputs stay, and what is before them goes.

        y = Relu(Conv2D(Decode(bytes), w)), input Decode  =>  y = Relu(Conv2D(Placeholder, w))

    An input that is no Placeholder becomes one, of the type and shape that are given: for it by `name`, `type_for_name`
    and `shape_for_name`, or for all by `type` (float, where nothing is said) and `shape` (a scalar's).
    """
    require_outputs(graph, parameters)
    for shape in (*parameters.all("shape"), *parameters.all("shape_for_name")):
        parameters.shape(shape)  # a wrong one is said also where no input needs it
    for dtype in (*parameters.all("type"), *parameters.all("type_for_name")):
        parameters.dtype(dtype)
    graph = graph.copy()
    graph.prune()
    replaced = set[str]()
    for name in dict.fromkeys(node_name(spec.tensor) for spec in graph.inputs):
        node = graph.nodes[name]
        if node.op == "Placeholder":
            node.input[:] = [tensor for tensor in node.input if node_name(tensor) in graph.nodes]
            continue
        graph.constants.pop(name, None)
        graph.nodes[name] = _placeholder(name, parameters)
        replaced.add(name)
    _refuse_other_outputs(graph, replaced)
    update_colocations(graph)
    return graph


def _placeholder(name: str, parameters: Parameters) -> NodeDef:
    node = NodeDef(name=name, op="Placeholder")
    node.attr["dtype"].type = parameters.dtype(_given(name, parameters, "type", "float"))
    write_shape(node.attr["shape"].shape, parameters.shape(_given(name, parameters, "shape", "")))
    return node


def _given(name: str, parameters: Parameters, kind: str, default: str) -> str:
    """The type or the shape that the input `name` is to have."""
    names, values = parameters.all("name"), parameters.all(f"{kind}_for_name")
    if len(names) != len(values):
        raise parameters.error(
            f"every name needs a {kind}_for_name, and there are {len(names)} of the one and {len(values)} of the other"
        )
    return dict(zip(names, values, strict=True)).get(name, parameters.string(kind, default))


def _refuse_other_outputs(graph: Graph, placeholders: Collection[str]) -> None:
    """A placeholder has one output; whoever reads others of the nodes `placeholders` would read what is not there."""
    tensors = [tensor for node in graph.nodes.values() for tensor in data_inputs(node)]
    tensors += [spec.tensor for spec in (*graph.inputs, *graph.outputs)]
    other = next((tensor for tensor in tensors if port(tensor) and node_name(tensor) in placeholders), None)
    if other is not None:
        raise ModelError(
            f"the input {node_name(other)!r} cannot become a Placeholder, since its output {other!r} is used too; name "
            "the node behind each output as an input instead"
        )
