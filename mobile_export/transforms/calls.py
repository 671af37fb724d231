"""One call of a function, and how the names inside of the function are called outside."""

import re
from collections.abc import Callable, Mapping, Sequence

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import attribute, control_inputs, node_name
from mobile_export.graphs.protos import FunctionDef, NameAttrList, NodeDef

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""Operators that call the one function that they name."""

MOST_NODES, MOST_INPUTS = 100_000, 500_000
"""Of a network with all functions that it calls; those on phones have some ten thousand nodes at most."""


def called_function(node: NodeDef, functions: Mapping[str, FunctionDef]) -> NameAttrList | None:
    """The function of `functions` that `node` calls and nothing else, and what it leaves open; None where none is."""
    called = NameAttrList(name=node.op, attr=node.attr) if node.op in functions else None
    if called is None and node.op in CALLS:
        called = attribute(node, "f").func
    return called if called is not None and called.name in functions and is_plain(functions[called.name]) else None


def is_plain(function: FunctionDef) -> bool:
    """Whether every argument and result is a single tensor."""
    arguments = [*function.signature.input_arg, *function.signature.output_arg]
    return not any(argument.number_attr or argument.type_list_attr for argument in arguments)


class Call:
    """A call, by names as they are around it. Those of nodes inside are `call/node`, or the nearest free name.

    Raises:
        ModelError: the function takes something else, or reads what is not there.
    """

    def __init__(
        self,
        call: NodeDef,
        called: NameAttrList,
        function: FunctionDef,
        given: Sequence[str],
        take: Callable[[str], str],
        reference: Callable[[NodeDef, str, str, int], str],
    ) -> None:
        """Describe the call.

        Args:
            call: the node that calls.
            called: the function's name, and what it leaves open.
            function: the function itself.
            given: what the call gives it.
            take: a free name, from then on taken, for one that may be.
            reference: how a tensor is named around the call: node of the function, its name outside, output and index.
        """
        self.name = call.name
        self._control = control_inputs(call)
        self._attributes = called.attr
        self._function = function
        self._reference = reference
        if len(given) != len(function.signature.input_arg):
            raise ModelError(f"node {call.name!r} does not give the function {called.name!r} what it takes")
        if len(self._control) * len(function.node_def) > MOST_INPUTS:
            raise ModelError(f"node {call.name!r} waits for more nodes than the function {called.name!r} could")
        self._arguments = {a.name: tensor for a, tensor in zip(function.signature.input_arg, given, strict=True)}
        self._inner = {node.name: self._with_attributes(node) for node in function.node_def}
        self._names = {name: take(f"{call.name}/{name}") for name in self._inner}

    def nodes(self) -> list[NodeDef]:
        """The function's nodes, as they are around the call."""
        return [self._node(inner) for inner in self._inner.values()]

    def results(self) -> list[str]:
        """What takes the place of each output."""
        return [self._tensor(self._function.ret[result.name]) for result in self._function.signature.output_arg]

    def waited_for(self) -> list[str]:
        """The nodes that who waited for the call waits for now: its results and its effects."""
        effects = [self._tensor(f"^{name}") for name in self._function.control_ret.values()]
        return [node_name(tensor) for tensor in (*self.results(), *effects)]

    def _node(self, inner: NodeDef) -> NodeDef:
        node = NodeDef()
        node.CopyFrom(inner)
        node.name = self._names[inner.name]
        node.input[:] = [self._tensor(name) for name in inner.input]
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
        """`argument`, `node:output:index` or `^node`, as it is named around the call."""
        source, *place = name.removeprefix("^").split(":")
        if source in self._arguments and not place:
            return f"^{node_name(self._arguments[source])}" if name.startswith("^") else self._arguments[source]
        if source in self._inner and name.startswith("^") and not place:
            return f"^{self._names[source]}"
        if source in self._inner and len(place) == 2 and re.fullmatch(r"\d{1,9}", place[1]):
            return self._reference(self._inner[source], self._names[source], place[0], int(place[1]))
        raise ModelError(f"node {self.name!r} calls a function in which {name!r} is read, which is not there")
