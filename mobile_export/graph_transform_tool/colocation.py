"""Which nodes a node stands beside: the strings `loc:@NAME` in its attribute `_class`.

TensorFlow loads no graph in which one of them names a node that is not there.
"""

from collections.abc import Mapping

from mobile_export.graphs.graph import Graph

_ATTRIBUTE = "_class"
_PREFIX = b"loc:@"


def update_colocations(graph: Graph, renamed: Mapping[str, str] | None = None) -> None:
    """Bring `_class` up to date with the nodes: by their new names in `renamed`, and without those that are gone.

    What the attribute holds besides, which TensorFlow passes over, stays.
    """
    renamed = renamed or {}
    for node in graph.nodes.values():
        if _ATTRIBUTE not in node.attr:
            continue
        constraints = list(node.attr[_ATTRIBUTE].list.s)
        kept = [found for found in (_renamed(one, renamed) for one in constraints) if _is_met(found, graph)]
        if not kept:
            del node.attr[_ATTRIBUTE]
        elif kept != constraints:
            node.attr[_ATTRIBUTE].list.s[:] = kept


def _renamed(constraint: bytes, renamed: Mapping[str, str]) -> bytes:
    name = _name(constraint)
    return _PREFIX + renamed[name].encode() if constraint.startswith(_PREFIX) and name in renamed else constraint


def _is_met(constraint: bytes, graph: Graph) -> bool:
    return not constraint.startswith(_PREFIX) or _name(constraint) in graph.nodes


def _name(constraint: bytes) -> str:
    return constraint.removeprefix(_PREFIX).decode("utf-8", "replace")
