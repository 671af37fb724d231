"""Concatenation as TensorFlow before 1.0 has it."""

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, attribute, control_inputs, data_inputs
from mobile_export.graphs.protos import NodeDef
from mobile_export.graphs.tensors import dtype_number_of

_INT32, _INT64 = dtype_number_of("int32"), dtype_number_of("int64")


def backport_concatv2(graph: Graph, _: Parameters) -> Graph:
    """Give the axis first.

        ConcatV2(a, b, axis)  =>  Concat(axis, a, b)

    Concat knows axes of int32 alone; others are cast.
    """
    graph = graph.copy()
    nodes: dict[str, NodeDef] = {}
    for name, node in graph.nodes.items():
        if node.op == "ConcatV2" and data_inputs(node):
            *values, axis = data_inputs(node)
            if attribute(node, "Tidx").type == _INT64:
                cast = _cast(graph.free_name(f"{name}/axis"), axis)
                nodes[cast.name] = cast
                axis = cast.name
            node.op = "Concat"
            node.attr.pop("Tidx", None)
            node.input[:] = [axis, *values, *control_inputs(node)]
        nodes[name] = node
    graph.nodes = nodes
    return graph


def _cast(name: str, axis: str) -> NodeDef:
    cast = NodeDef(name=name, op="Cast", input=[axis])
    cast.attr["SrcT"].type, cast.attr["DstT"].type = _INT64, _INT32
    return cast
