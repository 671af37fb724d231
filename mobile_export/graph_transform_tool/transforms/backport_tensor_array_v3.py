"""Tensor arrays as TensorFlow before 1.0 has them."""

import numpy as np

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, attribute
from mobile_export.graphs.protos import NodeDef, VersionDef
from mobile_export.graphs.tensors import dtype_number_of
from mobile_export.transforms.patterns import gated_nodes

_ARRAYS = {"TensorArrayV3": "TensorArrayV2", "TensorArrayGradV3": "TensorArrayGradV2"}
_USES = {
    f"TensorArray{use}V3": f"TensorArray{use}V2"
    for use in ("Write", "Read", "Gather", "Scatter", "Concat", "Split", "Size", "Close")
}
_CARRIERS = frozenset({"Enter", "Exit", "Identity", "Merge", "NextIteration", "Switch"})
"""Operators through which handles come to where they are used, in loops and branches."""
_LAST_PRODUCER = 25
"""The last version of GraphDefs in which TensorFlow imports these operators."""
_STRING, _RESOURCE = dtype_number_of("string"), dtype_number_of("resource")


def backport_tensor_array_v3(graph: Graph, _: Parameters) -> Graph:
    """Use handles that are strings, and that come without a flow.

    a = TensorArrayV3(n); TensorArrayWriteV3(a:0, i, x, a:1)
        =>  a = TensorArrayV2(n); TensorArrayWriteV2(a:0, i, x, a/replacement_flow_node)
    """
    graph = graph.copy()
    arrays = [node for node in graph.nodes.values() if node.op in _ARRAYS]
    gated = gated_nodes(graph) if arrays else set()
    flows: dict[str, str] = {}
    for node in arrays:
        flow = graph.add_constant(f"{node.name}/replacement_flow_node", np.array(1, np.float32))
        if node.name in gated:
            graph.nodes[flow].input.append(f"^{node.name}")
        flows[f"{node.name}:1"] = flow
    graph.redirect(flows)
    if arrays and graph.versions.producer > _LAST_PRODUCER:
        graph.versions = VersionDef(producer=_LAST_PRODUCER, min_consumer=graph.versions.min_consumer)
    _carry_strings(graph, arrays)
    for node in graph.nodes.values():
        if node.op == "TensorArrayV3":
            node.attr.pop("identical_element_shapes", None)  # came with the third version
        node.op = (_ARRAYS | _USES).get(node.op, node.op)
    return graph


def _carry_strings(graph: Graph, arrays: list[NodeDef]) -> None:
    """Let what carries the handles of `arrays` carry strings."""
    readers = graph.consumers()
    todo = [node.name for node in arrays]
    while todo:
        for reader, index in readers.get(todo.pop(), ()):
            data = not reader.input[index].startswith("^")
            if data and reader.op in _CARRIERS and attribute(reader, "T").type == _RESOURCE:
                reader.attr["T"].type = _STRING
                todo.append(reader.name)
