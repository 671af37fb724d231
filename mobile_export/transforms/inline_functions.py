"""Functions that are called in one place for sure become part of the graph."""

from collections.abc import Mapping
from functools import cache

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import (
    Graph,
    attribute,
    control_inputs,
    data_inputs,
    node_name,
    short,
)
from mobile_export.graphs.protos import FunctionDefLibrary, GraphDef, NameAttrList, NodeDef
from mobile_export.graphs.tensors import Array
from mobile_export.transforms.calls import Call, called_function, is_plain
from mobile_export.transforms.growth import Size, inlined_sizes, refuse_oversized, refuse_recursion
from mobile_export.transforms.inline_bodies import inline_bodies
from mobile_export.transforms.operators import Functions, node_outputs
from mobile_export.transforms.patterns import drop_unused_functions, values_where_known

_IFS = frozenset({"If", "StatelessIf"})
_CASES = frozenset({"Case", "StatelessCase"})


def inline_functions(graph: Graph) -> Graph:
    """Put the nodes of a function where it is called, and those of a branch where its condition is constant.

        PartitionedCall(x, f)              =>  f(x)
        If(False, x, then=f, else=g)       =>  g(x)
        Case(1, x, branches=[f, g])        =>  g(x)

    A node `n` of the function becomes `call/n`. Branches on anything else stay, and so do loops; in their functions,
    calls are replaced likewise.
    """
    refuse_recursion(graph)
    graph = graph.copy()
    functions = {function.signature.name: function for function in graph.used_functions()}
    sizes = inlined_sizes(functions)
    while calls := _known_calls(graph, functions):
        refuse_oversized(Size.of(graph.nodes.values()), *(sizes[called.name] for called in calls.values()))
        inlined = _put_inside(graph, calls, functions)
        graph.topological_order()  # raises where results go round in a circle
        graph.redirect({f"{call.name}:{i}": new for call in inlined for i, new in enumerate(call.results())})
        _wait_instead(graph, {call.name: call.waited_for() for call in inlined})
        graph.remove(call.name for call in inlined)
        graph.prune()
    drop_unused_functions(graph)
    graph.library = FunctionDefLibrary(function=inline_bodies(graph, sizes))
    drop_unused_functions(graph)
    return graph


def _known_calls(graph: Graph, functions: Functions) -> dict[str, NameAttrList]:
    """Nodes that call one function for sure, and which."""
    conditions = {n.name: data_inputs(n)[0] for n in graph.nodes.values() if n.op in _IFS | _CASES and data_inputs(n)}
    values = values_where_known(graph, list(conditions.values()))
    found = {}
    for name, node in graph.nodes.items():
        called = called_function(node, functions)
        if called is None and conditions.get(name) in values:
            called = _branch(node, values[conditions[name]])
        if called is not None and called.name in functions and is_plain(functions[called.name]):
            found[name] = called
    return found


def _branch(node: NodeDef, condition: Array) -> NameAttrList | None:
    """What `node` calls when its condition is this; None where it has no branch for it."""
    if node.op in _IFS:
        taken = condition.any() if condition.ndim == 0 else condition.size > 0
        return attribute(node, "then_branch" if taken else "else_branch").func
    branches = attribute(node, "branches").list.func
    if not branches or condition.ndim or condition.dtype.kind != "i":
        return None
    index = int(condition)
    return branches[index if 0 <= index < len(branches) else -1]


def _put_inside(graph: Graph, calls: Mapping[str, NameAttrList], functions: Functions) -> list[Call]:
    """Add the nodes of what is called, at every depth; returns the calls, those inside of others included."""
    todo, found = list(calls.items()), []
    inputs = 0
    for name, called in todo:  # grows while it is walked
        call = _described(graph, graph.nodes[name], called, functions)
        found.append(call)
        for node in _add_nodes(graph, call):
            inputs += len(node.input)
            inner = called_function(node, functions)
            if inner is not None:
                todo.append((node.name, inner))
        refuse_oversized(Size(0, inputs))  # control edges of calls, which are those of their nodes now, besides
    return found


def _described(graph: Graph, call: NodeDef, called: NameAttrList, functions: Functions) -> Call:
    def take(name: str) -> str:
        free = graph.free_name(name)
        graph.nodes[free] = NodeDef(name=free)  # empty, until the function's nodes are put there
        return free

    def reference(node: NodeDef, name: str, output: str, index: int) -> str:
        return short(f"{name}:{_first_port(node, output, functions) + index}")

    given = data_inputs(call)[1 if call.op in _IFS | _CASES else 0 :]
    return Call(call, called, functions[called.name], given, take, reference)


def _first_port(node: NodeDef, name: str, functions: Functions) -> int:
    """The port at which the operator's output `name` begins."""
    first = 0
    for output in node_outputs(node, functions) or ():
        if output.name == name:
            return first
        first += len(output.dtypes)
    raise ModelError(f"node {node.name!r} of a function: no output {name!r} of {node.op} is known")


def _add_nodes(graph: Graph, call: Call) -> list[NodeDef]:
    body = Graph.from_graph_def(GraphDef(node=call.nodes()))
    graph.nodes |= body.nodes
    graph.constants |= body.constants
    return list(body.nodes.values())


def _wait_instead(graph: Graph, instead: Mapping[str, list[str]]) -> None:
    """Replace control edges on the keys by edges on their values, which may be keys themselves."""

    @cache
    def expanded(name: str) -> list[str]:
        todo, seen = [name], dict[str, None]()
        while todo:
            name = todo.pop()
            if name not in seen:
                seen[name] = None
                todo += reversed(instead.get(name, []))
        return [name for name in seen if name not in instead]

    inputs = 0
    for node in graph.nodes.values():
        controls = control_inputs(node)
        if any(node_name(name) in instead for name in controls):
            waited_for = dict.fromkeys(f"^{name}" for control in controls for name in expanded(node_name(control)))
            inputs += len(waited_for)
            refuse_oversized(Size(0, inputs))
            node.input[:] = [*data_inputs(node), *waited_for]
