"""Branches and loops give back what is read of them, and no more.

TensorFlow lets the gradient of a branch or loop read what the forward pass computed on its way, as further results: a
list that a loop fills with the values of each turn, an optional that holds what only one branch has. When training is
gone nobody reads them, and no converter knows them.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from mobile_export.graphs.graph import Graph, attribute, control_inputs, data_inputs, node_name, short
from mobile_export.graphs.protos import FunctionDef, FunctionDefLibrary, NodeDef
from mobile_export.transforms.liveness import LOOPS, CallScope, FunctionScope, Reader, Scope, called_by
from mobile_export.transforms.operators import Functions
from mobile_export.transforms.patterns import drop_unused_functions

_BY_PLACE = ("_output_shapes", "_read_only_resource_inputs", "_num_original_outputs")
"""Remarks on inputs and results by their number; nothing that is done here hangs on them."""


def drop_unread_results(graph: Graph) -> Graph:
    """Drop results of branches, and state of loops, that nothing reads; and what only they needed.

        y, z = If(c, x, a, then=f, else=g)  =>  y = If(c, x, then=f', else=g')
        f(x, a) = Relu(x), Mul(x, a)            f'(x) = Relu(x)

        i, n, h, l = While(i, n, h, l)      =>  i, n, h = While(i, n, h)
        body(i, n, h, l) = …, Push(l, h)        body'(i, n, h) = …

    State is read when its last value is, or when the condition, or the next value of state that is read, depends on it.
    Effects of a function (updates, assertions) stay, with all that they need. Functions that change are copied, since
    others may call them, too.
    """
    graph = graph.copy()
    functions = {function.signature.name: function for function in graph.used_functions()}
    whole = Scope(graph.nodes.values(), (), Reader(functions))
    if not whole.calls:
        return graph
    whole.read(spec.tensor for spec in (*graph.inputs, *graph.outputs))
    graph.remove([name for name in graph.nodes if name not in whole.reached])
    narrowed = _Narrowed(functions)
    renumbered = narrowed.narrow(graph.nodes.values(), whole)
    for node in graph.nodes.values():
        node.input[:] = [short(name) for name in node.input]
    graph.inputs, graph.outputs = (
        tuple(replace(spec, tensor=renumbered(spec.tensor)) for spec in specs)
        for specs in (graph.inputs, graph.outputs)
    )
    graph.library = narrowed.library()
    drop_unused_functions(graph)
    return graph


class _Renumbered:
    """How tensors are called once branches and loops have no results but those that are read."""

    def __init__(self, scope: Scope) -> None:
        self._places = {
            name: {old: new for new, old in enumerate(sorted(call.results))} for name, call in scope.calls.items()
        }

    def __call__(self, tensor: str) -> str:
        """The new name of `tensor`, which is read."""
        before, _, index = tensor.rpartition(":")
        if node_name(tensor) not in self._places or not index.isdecimal() or not before:
            return tensor
        return f"{before}:{self._places[node_name(tensor)].get(int(index), index)}"


class _Narrowed:
    """The functions of a graph, and copies of them that take and give less."""

    def __init__(self, functions: Functions) -> None:
        self._functions = dict(functions)
        self._names: dict[tuple[str, tuple[int, ...], tuple[int, ...]], str] = {}

    def library(self) -> FunctionDefLibrary:
        """All of them."""
        return FunctionDefLibrary(function=self._functions.values())

    def narrow(self, nodes: Iterable[NodeDef], scope: Scope) -> _Renumbered:
        """Take from `nodes`, which are those of `scope` that run, what is not read; returns how the rest is called."""
        renumbered = _Renumbered(scope)
        for node in nodes:
            if node.name in scope.calls:
                self._narrow_call(node, scope.calls[node.name])
            node.input[:] = [renumbered(name) for name in node.input]
        return renumbered

    def _narrow_call(self, node: NodeDef, call: CallScope) -> None:
        loop = node.op in LOOPS
        for place, (reference, function) in enumerate(zip(called_by(node), call.functions, strict=True)):
            results = {0} if loop and place == len(call.functions) - 1 else call.results
            reference.name = self._name_of(function, results, call.arguments)
        first, given = (0, data_inputs(node)) if loop else (1, data_inputs(node)[1:])
        if len(call.results) == call.count and len(call.arguments) == len(given):
            return
        node.input[:] = [*node.input[:first], *(given[i] for i in sorted(call.arguments)), *control_inputs(node)]
        _keep(node.attr["T" if loop else "Tin"].list.type, call.arguments)
        if not loop:
            _keep(node.attr["Tout"].list.type, call.results)
        if attribute(node, "output_shapes").list.shape:
            _keep(node.attr["output_shapes"].list.shape, call.results)
        for key in _BY_PLACE:
            node.attr.pop(key, None)

    def _name_of(self, scope: FunctionScope, results: Collection[int], arguments: Collection[int]) -> str:
        """The name of the function that takes `arguments` and gives `results`, by their numbers, and no others."""
        name = scope.definition.signature.name
        key = name, tuple(sorted(results)), tuple(sorted(arguments))
        if key not in self._names:
            function = self._copy(scope, results, arguments)
            if function != scope.definition:
                function.signature.name = self._free_name(f"{name}_read")
                self._functions[function.signature.name] = function
            self._names[key] = function.signature.name
        return self._names[key]

    def _free_name(self, name: str) -> str:
        free, k = name, 0
        while free in self._functions:
            k += 1
            free = f"{name}_{k}"
        return free

    def _copy(self, scope: FunctionScope, results: Collection[int], arguments: Collection[int]) -> FunctionDef:
        function = FunctionDef()
        function.CopyFrom(scope.definition)
        _keep_arguments(function, arguments)
        _keep(function.signature.output_arg, results)
        _keep(function.node_def, [i for i, node in enumerate(function.node_def) if node.name in scope.reached])
        renumbered = self.narrow(function.node_def, scope)
        function.ClearField("ret")
        for output in function.signature.output_arg:
            function.ret[output.name] = renumbered(scope.definition.ret[output.name])
        return function


def _keep_arguments(function: FunctionDef, arguments: Collection[int]) -> None:
    """Drop the other arguments, and what is said of them by their numbers."""
    if len(arguments) == len(function.signature.input_arg):
        return
    before = FunctionDef()
    before.CopyFrom(function)
    _keep(function.signature.input_arg, arguments)
    function.attr.pop("_input_shapes", None)
    function.ClearField("arg_attr")
    function.ClearField("resource_arg_unique_id")
    for new, old in enumerate(sorted(arguments)):
        if old in before.arg_attr:
            function.arg_attr[new].CopyFrom(before.arg_attr[old])
        if old in before.resource_arg_unique_id:
            function.resource_arg_unique_id[new] = before.resource_arg_unique_id[old]


def _keep(field: Any, indices: Collection[int]) -> None:
    """Keep of a repeated field what stands at `indices`."""
    kept = [field[index] for index in sorted(indices)]
    del field[:]
    field.extend(kept)
