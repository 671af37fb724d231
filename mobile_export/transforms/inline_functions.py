"""Functions that are called in one place for sure become part of the graph."""

from collections.abc import Iterator, Mapping

from mobile_export.errors import ModelError
from mobile_export.graph import (
    Graph,
    attribute,
    called_functions,
    canonical,
    control_inputs,
    data_inputs,
    node_name,
    short,
)
from mobile_export.protos import FunctionDef, GraphDef, NameAttrList, NodeDef
from mobile_export.tensors import Array
from mobile_export.transforms.operators import Functions, node_outputs
from mobile_export.transforms.patterns import drop_unused_functions, values_where_known

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_IFS = frozenset({"If", "StatelessIf"})
_CASES = frozenset({"Case", "StatelessCase"})

MOST_NODES = 1 << 20
"""Nodes that a graph may grow to: functions that call functions twice each grow without bounds."""


def inline_functions(graph: Graph) -> Graph:
    """Put the nodes of a function where it is called, and those of a branch where its condition is constant.

        PartitionedCall(x, f)              =>  f(x)
        If(False, x, then=f, else=g)       =>  g(x)
        Case(1, x, branches=[f, g])        =>  g(x)

    A node `n` of the function becomes `call/n`. Branches on anything else stay, and so do loops and what they call.
    """
    graph = graph.copy()
    functions = {function.signature.name: function for function in graph.library.function}
    finite = {name for name in functions if not _calls_itself(name, functions)}
    while calls := {name: called for name, called in _known_calls(graph, functions).items() if called.name in finite}:
        inlined = [_Call(graph, graph.nodes[name], called, functions) for name, called in calls.items()]
        for call in inlined:
            call.add_nodes()
        graph.redirect({old: new for call in inlined for old, new in call.outputs().items()})
        _wait_instead(graph, {call.name: call.waited_for() for call in inlined})
        graph.remove(calls)
        graph.prune()
    drop_unused_functions(graph)
    return graph


def _calls_itself(name: str, functions: Functions) -> bool:
    seen: set[str] = set()
    todo = [name]
    while todo:
        for node in functions[todo.pop()].node_def:
            for called in called_functions(node):
                if called == name:
                    return True
                if called in functions and called not in seen:
                    seen.add(called)
                    todo.append(called)
    return False


def _known_calls(graph: Graph, functions: Functions) -> dict[str, NameAttrList]:
    """Nodes that call one function for sure, and which."""
    branches = [node for node in graph.nodes.values() if node.op in _IFS | _CASES]
    conditions = values_where_known(graph, [node.input[0] for node in branches])
    found = {}
    for name, node in graph.nodes.items():
        called = _called(node, conditions.get(node.input[0]) if node.input else None, functions)
        if called is not None and called.name in functions and _is_plain(functions[called.name]):
            found[name] = called
    return found


def _called(node: NodeDef, condition: Array | None, functions: Functions) -> NameAttrList | None:
    if node.op in functions:
        return NameAttrList(name=node.op, attr=node.attr)
    if node.op in _CALLS:
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


def _is_plain(function: FunctionDef) -> bool:
    """Whether every argument and result is a single tensor."""
    arguments = [*function.signature.input_arg, *function.signature.output_arg]
    return not any(argument.number_attr or argument.type_list_attr for argument in arguments)


class _Call:
    """One call, and how names inside of its function are called outside."""

    def __init__(self, graph: Graph, call: NodeDef, called: NameAttrList, functions: Functions) -> None:
        self.name = call.name
        self._graph = graph
        self._control = control_inputs(call)
        self._attributes = called.attr
        self._functions = functions
        self._function = functions[called.name]
        given = data_inputs(call)[1 if call.op in _IFS | _CASES else 0 :]
        self._arguments = {a.name: t for a, t in zip(self._function.signature.input_arg, given, strict=True)}
        self._inner = {node.name: self._with_attributes(node) for node in self._function.node_def}
        self._names = {name: self._take(f"{call.name}/{name}") for name in self._inner}
        if len(graph.nodes) > MOST_NODES:
            raise ModelError(f"node {self.name!r} calls functions that together make more than {MOST_NODES} nodes")

    def _take(self, name: str) -> str:
        """A free name, held by an empty node until `add_nodes`."""
        free = self._graph.free_name(name)
        self._graph.nodes[free] = NodeDef(name=free)
        return free

    def add_nodes(self) -> None:
        """Put the function's nodes into the graph."""
        body = Graph.from_graph_def(GraphDef(node=[self._node(node) for node in self._inner.values()]))
        self._graph.nodes |= body.nodes
        self._graph.constants |= body.constants

    def outputs(self) -> dict[str, str]:
        """What takes the place of each output."""
        results = self._function.signature.output_arg
        return {f"{self.name}:{i}": canonical(self._tensor(self._function.ret[r.name])) for i, r in enumerate(results)}

    def waited_for(self) -> list[str]:
        """What who waited for the call waits for now: its results and its effects."""
        return [
            *map(node_name, self.outputs().values()),
            *(self._names[n] for n in self._function.control_ret.values()),
        ]

    def _node(self, inner: NodeDef) -> NodeDef:
        node = NodeDef()
        node.CopyFrom(inner)
        node.name = self._names[inner.name]
        del node.input[:]
        node.input.extend(self._tensor(name) for name in inner.input)
        if not any(node_name(name) in self._inner for name in inner.input):
            node.input.extend(self._control)
        return node

    def _with_attributes(self, inner: NodeDef) -> NodeDef:
        """`inner`, with what the call says where the function leaves an attribute open."""
        node = NodeDef()
        node.CopyFrom(inner)
        for key, value in inner.attr.items():
            if value.placeholder:
                node.attr[key].CopyFrom(self._attributes[value.placeholder])
        return node

    def _tensor(self, name: str) -> str:
        """`argument`, `node:output:index` or `^node`, as the graph around the call says it."""
        if name.startswith("^"):
            return f"^{self._names.get(name[1:]) or node_name(self._arguments[name[1:]])}"
        source, *place = name.split(":")
        if source in self._arguments:
            return self._arguments[source]
        output, index = place
        return short(f"{self._names[source]}:{self._first_port(self._inner[source], output) + int(index)}")

    def _first_port(self, node: NodeDef, name: str) -> int:
        """The port at which the operator's output `name` begins."""
        first = 0
        for output in node_outputs(node, self._functions) or ():
            if output.name == name:
                return first
            first += len(output.dtypes)
        raise ModelError(f"node {node.name!r} of a function: no output {name!r} of {node.op} is known")


def _wait_instead(graph: Graph, instead: Mapping[str, list[str]]) -> None:
    """Replace control edges on the keys by edges on their values, which may be keys themselves."""

    def expanded(name: str) -> Iterator[str]:
        if name not in instead:
            yield name
        for other in instead.get(name, ()):
            yield from expanded(other)

    for node in graph.nodes.values():
        controls = control_inputs(node)
        if any(node_name(name) in instead for name in controls):
            waited_for = [f"^{name}" for control in controls for name in expanded(node_name(control))]
            kept = data_inputs(node)
            del node.input[:]
            node.input.extend([*kept, *dict.fromkeys(waited_for)])
