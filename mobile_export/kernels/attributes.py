"""Attributes that an older TensorFlow does not know, and refuses to read, whatever they say."""

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import FunctionDefLibrary, NodeDef
from mobile_export.kernels.runtimes import Runtime
from mobile_export.transforms.operators import definition_of


def without_newer_defaults(graph: Graph, runtime: Runtime) -> Graph:
    """Leave out what `runtime` does not know and what has its default value, which is how operators did before.

        MatMul(a, b) {T: float32, grad_a: false}  =>  MatMul(a, b) {T: float32}

    Attributes with other values stay: a runtime that does not know them cannot run the graph.
    """
    graph = graph.copy()
    library = FunctionDefLibrary()
    library.CopyFrom(graph.library)
    graph.library = library
    for node in [*graph.nodes.values(), *(node for function in library.function for node in function.node_def)]:
        known = runtime.attributes_of(node.op)
        for name in () if known is None else set(node.attr) - known:
            if _has_default(node, name):
                del node.attr[name]
    return graph


def _has_default(node: NodeDef, name: str) -> bool:
    definition = definition_of(node.op)
    defaults = {a.name: a.default_value for a in definition.attr} if definition is not None else {}
    return name in defaults and defaults[name] == node.attr[name]
