"""Which results of branches and loops are read, and what they read for that of their arguments, at any depth."""

from collections.abc import Iterable, Sequence

from mobile_export.graphs.graph import attribute, control_inputs, data_inputs, node_name
from mobile_export.graphs.protos import FunctionDef, NameAttrList, NodeDef
from mobile_export.transforms.calls import is_plain
from mobile_export.transforms.operators import Functions, node_outputs

IFS = frozenset({"If", "StatelessIf"})
CASES = frozenset({"Case", "StatelessCase"})
LOOPS = frozenset({"While", "StatelessWhile"})

_CONVENTION = 2
"""State that every loop of TensorFlow's begins with, and by whose place converters know it: turns done, and allowed."""

_MOST_NESTED = 64
_MOST_NODES = 1 << 16
"""How deep functions are looked into, and how much they may make together: what functions that call functions twice
each make grows without bounds. Branches and loops beyond that are taken to read all that they are given.
"""


def called_by(node: NodeDef) -> list[NameAttrList]:
    """The functions of a branch or loop, the condition of a loop last; none for other nodes."""
    if node.op in LOOPS:
        return [attribute(node, key).func for key in ("body", "cond")]
    if node.op in CASES:
        return list(attribute(node, "branches").list.func)
    return [attribute(node, key).func for key in ("then_branch", "else_branch")] if node.op in IFS else []


class Reader:
    """Looks into the functions of branches and loops, up to a limit."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self._looked_into = 0

    def call(self, node: NodeDef, inside: Sequence[str]) -> "CallScope | None":
        """The branch or loop `node`, which stands `inside` of functions; None if it is none, or not looked into."""
        called = [self.functions.get(function.name) for function in called_by(node)]
        found = [function for function in called if function is not None]
        if not found or len(found) < len(called) or not _fits(node, found):
            return None
        size = sum(len(function.node_def) for function in found)
        again = any(function.signature.name in inside for function in found)
        if again or len(inside) >= _MOST_NESTED or self._looked_into + size > _MOST_NODES:
            return None
        self._looked_into += size
        return CallScope(node, [FunctionScope(function, self, inside) for function in found])


def _fits(node: NodeDef, called: Sequence[FunctionDef]) -> bool:
    """Whether functions and node agree on how many arguments and results there are."""
    loop = node.op in LOOPS
    arguments, results = (len(attribute(node, key).list.type) for key in (("T", "T") if loop else ("Tin", "Tout")))
    bodies = called[:-1] if loop else called
    return (
        len(data_inputs(node)) == arguments + (not loop)
        and len(attribute(node, "output_shapes").list.shape) in (0, results)
        and all(is_plain(f) and len(f.signature.input_arg) == arguments for f in called)
        and all(output.name in f.ret for f in called for output in f.signature.output_arg)
        and all(len(f.signature.output_arg) == results for f in bodies)
        and (not loop or len(called[-1].signature.output_arg) == 1)
    )


class Scope:
    """The nodes of a graph, or of a function, and what of them is read.

    Attributes:
        calls: the branches and loops among the nodes.
        reached: names of the nodes that run.
        arguments: numbers of the arguments that are read.
    """

    def __init__(
        self, nodes: Iterable[NodeDef], arguments: Iterable[str], reader: Reader, inside: Sequence[str] = ()
    ) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._places = {name: index for index, name in enumerate(arguments)}
        self.calls = {name: call for name, node in self._nodes.items() if (call := reader.call(node, inside))}
        self.reached: set[str] = set()
        self.arguments: set[int] = set()

    def read(self, tensors: Iterable[str]) -> None:
        """Note that `tensors` are read: `node:port`, `node:output:index`, `argument`, or `^node`, which only runs."""
        todo = list(tensors)
        while todo:
            tensor = todo.pop()
            name = node_name(tensor)
            if name in self._places:
                self.arguments.add(self._places[name])
            if name not in self._nodes:
                continue
            call = self.calls.get(name)
            if name not in self.reached:
                self.reached.add(name)
                todo += self._nodes[name].input if call is None else control_inputs(self._nodes[name])
            if call is not None:
                todo += call.read(tensor)


class FunctionScope(Scope):
    """A function as one branch or loop calls it. Its effects are read by whoever calls it.

    Attributes:
        definition: the function.
        acts: whether it has effects: does anything but give results.
    """

    def __init__(self, definition: FunctionDef, reader: Reader, inside: Sequence[str]) -> None:
        arguments = [argument.name for argument in definition.signature.input_arg]
        super().__init__(definition.node_def, arguments, reader, (*inside, definition.signature.name))
        self.definition = definition
        effects = {node.name for node in definition.node_def if self._acts(node, reader.functions)}
        effects.update(definition.control_ret.values())
        self.acts = bool(effects)
        self.read(f"^{name}" for name in effects)

    def _acts(self, node: NodeDef, functions: Functions) -> bool:
        if node.name in self.calls:
            return self.calls[node.name].acts
        outputs = node_outputs(node, functions)
        return outputs is not None and node.op != "NoOp" and not any(output.dtypes for output in outputs)

    def read_results(self, results: Iterable[int]) -> None:
        """Note that the results with these numbers are read."""
        outputs = self.definition.signature.output_arg
        self.read(self.definition.ret[outputs[index].name] for index in results)


class CallScope:
    """A branch or loop.

    Attributes:
        functions: those that it may call, the condition of a loop last.
        acts: whether they have effects.
        count: how many results it has.
        results: numbers of those that are read.
        arguments: numbers of those that are read; the condition of a branch is none.
    """

    def __init__(self, node: NodeDef, functions: Sequence[FunctionScope]) -> None:
        self._loop = node.op in LOOPS
        self._given = data_inputs(node)
        self._runs = False
        self.functions = functions
        self.acts = any(function.acts for function in functions)
        self.count = len(functions[0].definition.signature.output_arg)
        self.results: set[int] = set()
        self.arguments: set[int] = set()

    def read(self, tensor: str) -> list[str]:
        """Note that `tensor`, a result, is read; returns what the node reads because of it, and did not before.

        A loop reads what state begins with when anything reads what it ends with, and turns round for that.
        """
        wanted = self._named(tensor) - self.results
        if self._runs and not wanted:
            return []
        before = set(self.arguments)
        asked = [] if self._runs else self._start(wanted)
        self._read_results(wanted)
        while self._loop and (wanted := self.arguments - self.results):
            self._read_results(wanted)
        given = self._given if self._loop else self._given[1:]
        return [*asked, *(given[index] for index in self.arguments - before)]

    def _named(self, tensor: str) -> set[int]:
        """The numbers that `tensor` stands for: none in `^node`, all in a function's `node:output`."""
        index = tensor.partition(":")[2].rpartition(":")[2] or "0"
        if tensor.startswith("^"):
            return set()
        return set(range(self.count)) & ({int(index)} if index.isdecimal() else set(range(self.count)))

    def _start(self, wanted: set[int]) -> list[str]:
        """Note that the node runs, which adds to the results that are `wanted`; returns what chooses the branch."""
        self._runs = True
        if not self._loop:
            return self._given[:1]
        self.functions[-1].read_results([0])
        wanted.update(range(min(_CONVENTION, self.count)))
        return []

    def _read_results(self, wanted: set[int]) -> None:
        for body in self.functions[:-1] if self._loop else self.functions:
            body.read_results(wanted)
        self.results |= wanted
        self.arguments.update(*(function.arguments for function in self.functions), wanted if self._loop else ())
