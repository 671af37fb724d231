"""A model is a program: which of its operators may run, and which must not even be there.

Two questions, both about every node and every function that nodes call, at any depth. What is handed to TensorFlow (to
be run, folded, or only to have its shapes inferred, which folds, too) may use listed operators alone. And a model whose
answers hang on files, connections or Python is refused, even where those nodes would be dropped: it would not do here
what it does elsewhere.
"""

from collections.abc import Collection, Iterator, Sequence

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, called_functions, node_name
from mobile_export.graphs.ops import PERILS, RUNNABLE, VARIABLES
from mobile_export.graphs.protos import NodeDef

_LISTED = 5
_TABLE_FILLERS = ("InitializeTable", "LookupTableImport", "LookupTableInsert")
_VOCABULARY_FILLERS = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_STREAMS = frozenset({b"", b"stdout", b"stderr", b"log(info)", b"log(warning)", b"log(error)"})

Found = Sequence[tuple[NodeDef, str]]
"""Nodes, and the functions that have them ("" for the graph itself)."""


def refuse_unlisted(graph: Graph, allowed: Collection[str]) -> None:
    """Refuse a graph in which a node, or a function that nodes call, uses an operator outside of `allowed`.

    Raises:
        ModelError: names operators, nodes and functions; its `nodes` are the graph's own nodes at fault.
    """
    functions = {function.signature.name for function in graph.library.function}
    taken = sorted(functions & (RUNNABLE | VARIABLES))
    if taken:
        raise ModelError(f"the model's function {taken[0]!r} has the name of an operator; rename it, and export again")
    found = [
        (node, where)
        for node, where in all_nodes(graph)
        if (node.op not in allowed and node.op not in functions) or _unknown_functions(node, functions)
    ]
    if found:
        raise ModelError(
            f"the graph uses operators that are never run here: {_named(found)}", nodes=_outer(graph, found)
        )


def refuse_perilous(graph: Graph) -> None:
    """Refuse a graph whose outputs reach, by data or control edges, an operator that has no place in a network.

    Lookup tables among what is reached bring in what fills them, but for the reading of a vocabulary: tables are never
    filled here, and it is for the source to say which files are the model's own.

    Raises:
        ModelError: names what the operators do, nodes and functions; its `nodes` are the graph's own nodes at fault.
    """
    _refuse(graph, _perilous(graph))


def refuse_dropped(graph: Graph, inlined: Graph) -> None:
    """Refuse a graph of whose perilous operators one is gone in `inlined`, which is `graph` without calls.

    A function's operators run where it is called, whether its results wait for them or not; inlining keeps what they
    wait for.

    Raises:
        ModelError: as `refuse_perilous`, which is to judge what is left.
    """
    left = [node for node, _ in _perilous(inlined)]
    dropped = [
        (node, where)
        for node, where in _perilous(graph)
        if not any(other.op == node.op and f"/{other.name}".endswith(f"/{node.name}") for other in left)
    ]
    _refuse(graph, dropped)


def _perilous(graph: Graph) -> Found:
    fed = [node_name(spec.tensor) for spec in graph.inputs]
    reached = graph.reachable((spec.tensor for spec in graph.outputs), stop=fed)
    fillers = {node.name for node in graph.nodes.values() if _fills(node, reached)}
    part = graph.reachable([*reached, *fillers], stop=fed)
    vouched = {name for name in fillers - reached if graph.nodes[name].op in _VOCABULARY_FILLERS}
    nodes = {name: graph.nodes[name] for name in graph.nodes if name in part and name not in {*fed, *vouched}}
    functions = {function.signature.name for function in graph.library.function}  # TensorFlow takes no operator's name
    found = [item for item in all_nodes(Graph(nodes, library=graph.library)) if item[0].op not in functions]
    return [(node, where) for node, where in found if _peril(node) is not None]


def _refuse(graph: Graph, found: Found) -> None:
    for peril in PERILS:
        same = [(node, where) for node, where in found if _peril(node) == peril]
        if same:
            raise ModelError(f"a model that {peril} is not let in: {_named(same)}", nodes=_outer(graph, same))


def _fills(node: NodeDef, tables: Collection[str]) -> bool:
    return node.op.startswith(_TABLE_FILLERS) and bool(node.input) and node_name(node.input[0]) in tables


def _peril(node: NodeDef) -> str | None:
    if node.op == "PrintV2" and "output_stream" in node.attr:
        return None if node.attr["output_stream"].s in _STREAMS else "reads or writes files"
    return next((peril for peril, operators in PERILS.items() if operators.fullmatch(node.op)), None)


def _unknown_functions(node: NodeDef, functions: Collection[str]) -> list[str]:
    """What `node` calls that is no function of the model: TensorFlow would look for something else of that name."""
    _, *called = called_functions(node)
    return [name for name in called if name and name not in functions]


def all_nodes(graph: Graph) -> Iterator[tuple[NodeDef, str]]:
    """Every node of the graph ("") and of the functions that nodes call, at any depth, with the function's name."""
    for node in graph.nodes.values():
        yield node, ""
    for function in graph.used_functions():
        for node in function.node_def:
            yield node, function.signature.name


def _named(found: Found) -> str:
    names = sorted(
        {f"{node.op} (node {node.name!r}" + (f" of the function {where!r})" if where else ")") for node, where in found}
    )
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _outer(graph: Graph, found: Found) -> list[str]:
    """The nodes of the graph that are at fault, or call a function at fault."""
    own = {node.name for node, where in found if not where}
    faulty = {where for _, where in found if where}
    functions = {function.signature.name: function for function in graph.library.function}
    while more := {
        name
        for name, function in functions.items()
        if name not in faulty and any(faulty & set(called_functions(node)) for node in function.node_def)
    }:
        faulty |= more
    return [name for name, node in graph.nodes.items() if name in own or faulty & set(called_functions(node))]
