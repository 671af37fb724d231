"""Which nodes a node stands beside: the strings `loc:@NAME` in its attribute `_class`.

TensorFlow loads no graph in which one of them names a node that is not there.
"""

from collections.abc import Mapping

from mobile_export.graph import Graph

_ATTRIBUTE = "_class"
_PREFIX = b"loc:@"


def follow_nodes(graph: Graph, renamed: Mapping[str, str] | None = None) -> None:
    """Bring `_class` up to date with the nodes: by their new names in `renamed`, and without those that are gone."""
    renamed = renamed or {}
    for node in graph.nodes.values():
        if _ATTRIBUTE not in node.attr:
            continue
        wishes = list(node.attr[_ATTRIBUTE].list.s)
        kept = [wish for wish in (_renamed(wish, renamed) for wish in wishes) if _is_met(wish, graph)]
        if not kept:
            del node.attr[_ATTRIBUTE]
        elif kept != wishes:
            node.attr[_ATTRIBUTE].list.s[:] = kept


def _renamed(wish: bytes, renamed: Mapping[str, str]) -> bytes:
    name = _name(wish)
    return _PREFIX + renamed[name].encode() if wish.startswith(_PREFIX) and name in renamed else wish


def _is_met(wish: bytes, graph: Graph) -> bool:
    return not wish.startswith(_PREFIX) or _name(wish) in graph.nodes


def _name(wish: bytes) -> str:
    return wish.removeprefix(_PREFIX).decode("utf-8", "replace")
