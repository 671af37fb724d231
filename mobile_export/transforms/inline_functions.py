"""Functions that are called in one place for sure become part of the graph."""

from collections.abc import Mapping

from mobile_export.errors import ModelError
from mobile_export.graph import (
    Graph,
    attribute,
    called_functions,
    control_inputs,
    data_inputs,
    node_name,
    short,
)
from mobile_export.protos import FunctionDefLibrary, GraphDef, NameAttrList, NodeDef
from mobile_export.tensors import Array
from mobile_export.transforms.calls import CALLS, MOST_NODES, Call, is_plain
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
    graph = graph.copy()
    functions = {function.signature.name: function for function in graph.library.function}
    finite = _finite(functions)
    while calls := {name: called for name, called in _known_calls(graph, functions).items() if called.name in finite}:
        inlined = [_described(graph, graph.nodes[name], called, functions) for name, called in calls.items()]
        for call in inlined:
            _add_nodes(graph, call)
        graph.topological_order()  # raises where results go round in a circle
        graph.redirect({f"{call.name}:{i}": new for call in inlined for i, new in enumerate(call.results())})
        _wait_instead(graph, {call.name: call.waited_for() for call in inlined})
        graph.remove(calls)
        graph.prune()
    drop_unused_functions(graph)
    kept = {function.signature.name: function for function in graph.library.function}
    bodies = inline_bodies(kept, [name for name in finite if name in kept])
    graph.library = FunctionDefLibrary(function=bodies.values())
    drop_unused_functions(graph)
    return graph


def _finite(functions: Functions) -> dict[str, None]:
    """The functions that come to an end when they are inlined, each behind all that it calls.

    Neither they nor any that they call call themselves.
    """
    calls = {
        name: {called for node in function.node_def for called in called_functions(node)} & functions.keys()
        for name, function in functions.items()
    }
    callers: dict[str, list[str]] = {name: [] for name in functions}
    for name, called in calls.items():
        for other in called:
            callers[other].append(name)
    waiting = {name: len(called) for name, called in calls.items()}
    finite = [name for name, count in waiting.items() if not count]
    for name in finite:  # grows while it is walked
        for caller in callers[name]:
            waiting[caller] -= 1
            if not waiting[caller]:
                finite.append(caller)
    return dict.fromkeys(finite)


def _known_calls(graph: Graph, functions: Functions) -> dict[str, NameAttrList]:
    """Nodes that call one function for sure, and which."""
    branches = [node for node in graph.nodes.values() if node.op in _IFS | _CASES]
    conditions = values_where_known(graph, [node.input[0] for node in branches])
    found = {}
    for name, node in graph.nodes.items():
        called = _called(node, conditions.get(node.input[0]) if node.input else None, functions)
        if called is not None and called.name in functions and is_plain(functions[called.name]):
            found[name] = called
    return found


def _called(node: NodeDef, condition: Array | None, functions: Functions) -> NameAttrList | None:
    if node.op in functions:
        return NameAttrList(name=node.op, attr=node.attr)
    if node.op in CALLS:
        return attribute(node, "f").func
    if condition is None:
        return None
    if node.op in _IFS:
        taken = condition.any() if condition.ndim == 0 else condition.size > 0
        return attribute(node, "then_branch" if taken else "else_branch").func
    if node.op in _CASES:
        branches = attribute(node, "branches").list.func
        index = int(condition)
        return branches[index if 0 <= index < len(branches) else -1]
    return None


def _described(graph: Graph, call: NodeDef, called: NameAttrList, functions: Functions) -> Call:
    def take(name: str) -> str:
        free = graph.free_name(name)
        graph.nodes[free] = NodeDef(name=free)  # empty, until the function's nodes are put there
        if len(graph.nodes) > MOST_NODES:
            raise ModelError(f"node {call.name!r} calls functions that together make more than {MOST_NODES} nodes")
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


def _add_nodes(graph: Graph, call: Call) -> None:
    body = Graph.from_graph_def(GraphDef(node=call.nodes()))
    graph.nodes |= body.nodes
    graph.constants |= body.constants


def _wait_instead(graph: Graph, instead: Mapping[str, list[str]]) -> None:
    """Replace control edges on the keys by edges on their values, which may be keys themselves."""

    def expanded(name: str) -> list[str]:
        todo, seen = [name], dict[str, None]()
        while todo:
            name = todo.pop()
            if name not in seen:
                seen[name] = None
                todo += reversed(instead.get(name, []))
        return [name for name in seen if name not in instead]

    for node in graph.nodes.values():
        controls = control_inputs(node)
        if any(node_name(name) in instead for name in controls):
            waited_for = [f"^{name}" for control in controls for name in expanded(node_name(control))]
            kept = data_inputs(node)
            del node.input[:]
            node.input.extend([*kept, *dict.fromkeys(waited_for)])
