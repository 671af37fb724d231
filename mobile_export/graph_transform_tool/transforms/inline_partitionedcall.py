"""Functions in the place of their calls."""

from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph
from mobile_export.transforms.inline_functions import inline_functions


def inline_partitionedcall(graph: Graph, _: Parameters) -> Graph:
    """Put the nodes of a function where it is called; a node `n` of it becomes `call/n`.

        PartitionedCall(x, f)  =>  f(x)

    Also calls in functions, and stateful ones; what no output needs then goes.
    """
    return inline_functions(graph)
