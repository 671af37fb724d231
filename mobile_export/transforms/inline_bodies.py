"""Functions that loops and branches keep: what they call becomes part of them."""

from collections.abc import Mapping, Sequence

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, attribute, called_functions, control_inputs, data_inputs, ends, node_name
from mobile_export.graphs.protos import FunctionDef, NodeDef
from mobile_export.transforms.calls import CALLS, Call, called_function
from mobile_export.transforms.growth import Size, refuse_oversized
from mobile_export.transforms.operators import Functions


def inline_bodies(graph: Graph, sizes: Mapping[str, Size]) -> list[FunctionDef]:
    """The functions of `graph`, with the nodes of what they call in the place of calls.

        While(x, body: PartitionedCall(x, f))  =>  While(x, body: f(x))

    Those that are only called so by others stay as they were.

    Args:
        graph: it calls no function that could be put where it is called.
        sizes: of every function, with what it calls.

    Raises:
        ModelError: that would be too much, or a function is put together wrong.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    inner = (node for function in functions.values() for node in function.node_def)
    kept = {
        name
        for node in (*graph.nodes.values(), *inner)
        if not _is_call(node, functions)
        for name in called_functions(node)
        if name in functions
    }
    refuse_oversized(Size.of(graph.nodes.values()), *(sizes[name] for name in kept))
    return [_flat(function, functions) if name in kept else function for name, function in functions.items()]


def _is_call(node: NodeDef, functions: Functions) -> bool:
    return node.op in CALLS and called_function(node, functions) is not None


def _flat(function: FunctionDef, functions: Functions) -> FunctionDef:
    """`function`, with calls of `functions`, at every depth, replaced."""
    taken = {node.name for node in function.node_def} | {argument.name for argument in function.signature.input_arg}
    inlined: dict[str, Call] = {}
    nodes, todo = list[NodeDef](), list(reversed(function.node_def))
    while todo:
        node = todo.pop()
        if _is_call(node, functions):
            call = inlined[node.name] = _described(node, functions, taken)
            todo += reversed(call.nodes())
        else:
            nodes.append(node)
    if not inlined:
        return function
    flat = FunctionDef()
    flat.CopyFrom(function)
    del flat.node_def[:]
    flat.node_def.extend(nodes)
    moved = _Moved(inlined)
    for node in flat.node_def:
        node.input[:] = [*map(moved.tensor, data_inputs(node)), *moved.waited_for(control_inputs(node))]
    for key, tensor in function.ret.items():
        flat.ret[key] = moved.tensor(tensor)
    for key in [key for key, node in function.control_ret.items() if node in inlined]:
        if key not in flat.signature.control_output:
            raise ModelError(
                f"the function {flat.signature.name!r} waits for {key!r}, which its signature does not have; export "
                "the model again"
            )
        del flat.control_ret[key]
        flat.signature.control_output.remove(key)
    return flat


def _described(call: NodeDef, functions: Functions, taken: set[str]) -> Call:
    called = attribute(call, "f").func

    def take(name: str) -> str:
        free, k = name, 0
        while free in taken:
            k += 1
            free = f"{name}_{k}"
        taken.add(free)
        return free

    def reference(_: NodeDef, name: str, output: str, index: int) -> str:
        return f"{name}:{output}:{index}"

    return Call(call, called, functions[called.name], data_inputs(call), take, reference)


class _Moved:
    """What is read now in the place of calls."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self._waited_for = {name: call.waited_for() for name, call in calls.items()}
        results = {
            f"{name}:output:{index}": result
            for name, call in calls.items()
            for index, result in enumerate(call.results())
        }
        try:
            self._results = ends(results)
        except ValueError as error:
            raise ModelError(f"functions that a function calls give back each other's results: {error}") from error

    def tensor(self, name: str) -> str:
        """What took the place of the tensor `name`."""
        return self._results.get(name, name)

    def waited_for(self, controls: Sequence[str]) -> list[str]:
        """Control edges in the place of `controls`."""
        todo, seen = [node_name(name) for name in reversed(controls)], dict[str, None]()
        while todo:
            name = todo.pop()
            if name not in seen:
                seen[name] = None
                todo += reversed(self._waited_for.get(name, []))
        return [f"^{name}" for name in seen if name not in self._waited_for]
