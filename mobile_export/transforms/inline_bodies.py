"""Functions that loops and branches keep: what they call becomes part of them."""

from collections.abc import Mapping, Sequence

from mobile_export.errors import ModelError
from mobile_export.graph import attribute, control_inputs, data_inputs, node_name
from mobile_export.protos import FunctionDef, NodeDef
from mobile_export.transforms.calls import CALLS, MOST_NODES, Call, is_plain
from mobile_export.transforms.operators import Functions


def inline_bodies(functions: Functions, order: Sequence[str]) -> dict[str, FunctionDef]:
    """`functions`, with the nodes of what they call in the place of calls.

        While(x, body: PartitionedCall(x, f))  =>  While(x, body: f(x))

    Args:
        functions: by name.
        order: those that come to an end when they are inlined, each behind all that it calls.
    """
    flat: dict[str, FunctionDef] = {}
    for name in order:
        flat[name] = _flat(functions[name], flat)
    return {**functions, **flat}


def _flat(function: FunctionDef, functions: Functions) -> FunctionDef:
    """`function`, with calls of `functions` replaced."""
    calls = [
        node
        for node in function.node_def
        if node.op in CALLS and (called := attribute(node, "f").func.name) in functions and is_plain(functions[called])
    ]
    if not calls:
        return function
    taken = {node.name for node in function.node_def} | {argument.name for argument in function.signature.input_arg}
    inlined = {call.name: _described(call, functions, taken) for call in calls}
    flat = FunctionDef()
    flat.CopyFrom(function)
    del flat.node_def[:]
    for node in function.node_def:
        flat.node_def.extend(inlined[node.name].nodes() if node.name in inlined else [node])
        if len(flat.node_def) > MOST_NODES:
            raise ModelError(f"node {node.name!r} calls functions that together make more than {MOST_NODES} nodes")
    moved = _Moved(inlined)
    for node in flat.node_def:
        node.input[:] = [*map(moved.tensor, data_inputs(node)), *moved.waited_for(control_inputs(node))]
    for key, tensor in function.ret.items():
        flat.ret[key] = moved.tensor(tensor)
    for key in [key for key, node in function.control_ret.items() if node in inlined]:
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
        self._calls = calls
        self._results = {
            f"{name}:output:{index}": result
            for name, call in calls.items()
            for index, result in enumerate(call.results())
        }

    def tensor(self, name: str) -> str:
        """What took the place of the tensor `name`."""
        for _ in range(len(self._results) + 1):
            if name not in self._results:
                return name
            name = self._results[name]
        raise ModelError(f"the functions that {name.partition(':')[0]!r} calls give back each other's results")

    def waited_for(self, controls: Sequence[str]) -> list[str]:
        """Control edges in the place of `controls`."""
        todo, seen = [node_name(name) for name in reversed(controls)], dict[str, None]()
        while todo:
            name = todo.pop()
            if name not in seen:
                seen[name] = None
                todo += reversed(self._calls[name].waited_for() if name in self._calls else [])
        return [f"^{name}" for name in seen if name not in self._calls]
