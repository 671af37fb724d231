"""Public names in a GraphDef: nodes that carry them, so that a file needs no other description."""

from dataclasses import replace
from pathlib import Path

from mobile_export.errors import ConversionError
from mobile_export.graphs.graph import Graph, TensorSpec, attribute, node_name, short
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import dtype_name, dtype_number_of, read_shape, write_shape

SIGNATURE = "_mobile_export_output"
"""Attribute on an output's node: its place among the outputs."""


def with_public_names(graph: Graph) -> Graph:
    """The graph with each public input's placeholder renamed to its public name, and an Identity for each output.

    A node that has such a name already, and is not that input, is renamed out of the way.
    """
    graph = graph.copy()
    public = {spec.name for spec in (*graph.inputs, *graph.outputs)}
    renamed = {node_name(spec.tensor): spec.name for spec in graph.inputs}
    for name in graph.nodes:
        if name in public and name not in renamed:
            renamed[name] = graph.free_name(f"{name}/inner")
    _rename(graph, renamed)
    inputs, outputs = [], []
    for spec in graph.inputs:
        write_shape(graph.nodes[spec.name].attr["shape"].shape, spec.shape)
        inputs.append(replace(spec, tensor=f"{spec.name}:0"))
    for place, spec in enumerate(graph.outputs):
        node = NodeDef(name=graph.free_name(spec.name), op="Identity", input=[short(spec.tensor)])
        node.attr["T"].type = dtype_number_of(spec.dtype)
        node.attr[SIGNATURE].i = place
        graph.nodes[node.name] = node
        outputs.append(replace(spec, tensor=f"{node.name}:0"))
    graph.inputs, graph.outputs = tuple(inputs), tuple(outputs)
    return graph


def _rename(graph: Graph, names: dict[str, str]) -> None:
    def new(tensor: str) -> str:
        old = node_name(tensor)
        return tensor if old not in names else tensor.replace(old, names[old], 1)

    for node in graph.nodes.values():
        node.name = names.get(node.name, node.name)
        changed = [new(tensor) for tensor in node.input]
        del node.input[:]
        node.input.extend(changed)
    graph.nodes = {node.name: node for node in graph.nodes.values()}
    graph.constants = {names.get(name, name): array for name, array in graph.constants.items()}
    graph.inputs = tuple(replace(spec, tensor=new(spec.tensor)) for spec in graph.inputs)
    graph.outputs = tuple(replace(spec, tensor=new(spec.tensor)) for spec in graph.outputs)


def edges_of(graph: Graph, path: Path) -> Graph:
    """`graph`, as `with_public_names` wrote it to `path`, with its inputs and outputs read back from it.

    Raises:
        ConversionError: the file was not written by this tool.
    """
    placeholders = [node for node in graph.nodes.values() if node.op == "Placeholder"]
    marked = [node for node in graph.nodes.values() if SIGNATURE in node.attr]
    if not marked:
        raise ConversionError(f"{path}: does not say which nodes are its outputs; only files built by this tool run")
    marked.sort(key=lambda node: node.attr[SIGNATURE].i)
    inputs = [
        TensorSpec(n.name, f"{n.name}:0", dtype_name(n.attr["dtype"].type), read_shape(attribute(n, "shape").shape))
        for n in placeholders
    ]
    outputs = [TensorSpec(n.name, f"{n.name}:0", dtype_name(n.attr["T"].type), None) for n in marked]
    return replace(graph, inputs=tuple(inputs), outputs=tuple(outputs))
