"""Names that say nothing."""

import itertools
import string
from collections.abc import Collection, Iterator

from mobile_export.graph_transform_tool.naming import rename_nodes
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graphs.graph import Graph, node_name

_DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase


def obfuscate_names(graph: Graph, _: Parameters) -> Graph:
    """Number the nodes in their order, 0 … 9, a … z, A … Z, 10, …; inputs and outputs keep their names."""
    kept = {node_name(spec.tensor) for spec in (*graph.inputs, *graph.outputs)}
    numbers = _numbers(kept)
    return rename_nodes(graph, {name: next(numbers) for name in graph.nodes if name not in kept})


def _numbers(taken: Collection[str]) -> Iterator[str]:
    """The numbers from 0 on, without those that are names already."""
    for number in itertools.count():
        name = _written(number)
        if name not in taken:
            yield name


def _written(number: int) -> str:
    rest, digit = divmod(number, len(_DIGITS))
    return (_written(rest) if rest else "") + _DIGITS[digit]
