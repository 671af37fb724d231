"""What no file can hold, and where to cut it off.

An app does in its own code what stands before the network (reading files, decoding, feature extraction) and behind it
(looking up labels). Where a graph does that itself, its inputs and outputs have to be named so that it stays outside.
Everything here is a walk over the graph: nothing is run, and TensorFlow is not needed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mobile_export.graphs.graph import (
    Graph,
    TensorSpec,
    attribute,
    called_functions,
    canonical,
    data_inputs,
    format_shape,
    node_name,
    port,
)
from mobile_export.graphs.names import identifiers, telling_part
from mobile_export.graphs.ops import (
    DECODERS,
    FEATURES,
    LAYERS,
    PLACEHOLDERS,
    RANDOM,
    READERS,
    RUNNABLE,
    SHAPE_OPS,
    VARIABLES,
)
from mobile_export.graphs.protos import FunctionDef, NodeDef

DRAWS = "draws random numbers"
"""An obstacle's reason."""

_STRING = 7  # TensorFlow's number
_STRING_OPS = re.compile(
    r"(Unicode|Regex|StaticRegex|StringTo|SparseCrossV2|SparseCrossHashed|ReduceJoin|Parse|Serialize|Deserialize)|"
    r"(String(Format|Join|Length|Lower|NGrams|Split|SplitV2|Strip|Upper)|(De|En)code(Base64|CSV|JSONExample|Compressed|"
    r"Proto|ProtoV2)|Decode(Raw|PaddedRaw)|AsString|Substr|Fingerprint|UnsortedSegmentJoin|ReadFile|MatchingFiles)$"
)
_TABLE = re.compile(r"(Anonymous)?(Mutable)?(Dense)?HashTable|LookupTable|InitializeTable")


@dataclass(frozen=True)
class Obstacle:
    """A node that no file can hold.

    Attributes:
        node, op: its name and operator.
        reason: what is wrong with it, as the end of a sentence ("holds text").
        function: the function that has the node at fault, when `node` calls it.
    """

    node: str
    op: str
    reason: str
    function: str = ""

    def __str__(self) -> str:
        inside = f" in the function {self.function!r}" if self.function else ""
        return f"{self.op} (node {self.node!r}){inside} {self.reason}"


@dataclass(frozen=True)
class Cut:
    """Where to cut nodes off.

    Attributes:
        head: tensors in whose place inputs come, since the nodes stand before the network.
        tail: tensors that become outputs, since the nodes stand behind the network.
        inputs, outputs: all that the rest has, `head` and `tail` among them; dtype "" and shape None where not known.
        dropped_inputs, dropped_outputs: names of those that cannot stay, or that nothing needs any more.
        middle: nodes that stand between layers, so that nothing can be cut off.
        tables: lookup tables that the nodes behind the network read.
    """

    head: tuple[str, ...]
    tail: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    dropped_inputs: tuple[str, ...] = ()
    dropped_outputs: tuple[str, ...] = ()
    middle: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether naming inputs and outputs cuts the nodes off, and leaves a network."""
        changes = self.head or self.tail or self.dropped_outputs
        return bool(changes and self.inputs and self.outputs) and not self.middle

    def described(self, describe: Callable[[Sequence[str]], Sequence[TensorSpec]]) -> "Cut":
        """The same cut, the types and shapes of its new inputs and outputs filled in by `describe`."""
        new = [*self.head, *self.tail]
        known = dict(zip(new, describe(new), strict=True))

        def fill(specs: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
            found = [(spec, known.get(spec.tensor, spec)) for spec in specs]
            return tuple(replace(spec, dtype=like.dtype, shape=like.shape) for spec, like in found)

        return replace(self, inputs=fill(self.inputs), outputs=fill(self.outputs))

    def sentence(self, labels: Mapping[str, Path] | None = None) -> str:
        """What to do, without a capital or full stop, and the lines to paste into the target.

        Args:
            labels: files of words, by lookup table.
        """
        if self.middle:
            named = ", ".join(map(repr, self.middle[:5]))
            return f"it cannot be cut off, since {named} stands in the middle of the network; change the model"
        if not self.possible:
            return "naming inputs and outputs does not cut it off; export the model without it"
        changed = [spec for spec in (*self.inputs, *self.outputs) if spec.tensor in (*self.head, *self.tail)]
        done = [f"cut at {', '.join(map(_place, changed))}"] if changed else []
        if self.dropped_outputs and not self.tail:
            done.append(f"leave out the output {', '.join(map(repr, self.dropped_outputs))}")
        lines = _lines("input", self.inputs) if self.head or self.dropped_inputs else []
        lines += _lines("output", self.outputs) if self.tail or self.dropped_outputs else []
        lines += [
            f'# the words of {table!r}: where an output has a score for each of them, say labels = "{path}"'
            for table, path in (labels or {}).items()
            if table in self.tables
        ]
        return "\n".join([f"{' and '.join(done)}:", *lines])


def _lines(kind: str, specs: Iterable[TensorSpec]) -> list[str]:
    return [line for s in specs for line in (f"[[model.{kind}s]]", f'name = "{s.name}"', f'tensor = "{s.tensor}"')]


def _place(spec: TensorSpec) -> str:
    return repr(spec.tensor) + (f" ({spec.dtype}{format_shape(spec.shape)})" if spec.dtype else "")


def unportable(graph: Graph) -> list[Obstacle]:
    """The nodes of a forward graph that no file here can hold, in the graph's order.

    They hold text, look things up in tables, decode files, draw random numbers, or are never run here.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    found = []
    for node in graph.nodes.values():
        reason = _reason(node, functions)
        if reason:
            found.append(Obstacle(node.name, node.op, reason))
            continue
        for name in _called(node, functions):
            inner = next((r for n in functions[name].node_def if (r := _reason(n, functions))), "")
            if inner:
                found.append(Obstacle(node.name, node.op, inner, function=name))
                break
    return found


def _reason(node: NodeDef, functions: Collection[str]) -> str:
    if _TABLE.match(node.op):
        return "is a lookup table"
    if node.op in DECODERS:
        return "decodes a file"
    if _holds_text(node):
        return "holds text"
    if node.op in RANDOM:
        return DRAWS
    if node.op not in RUNNABLE | VARIABLES | READERS and node.op not in functions:
        return "is never run here"
    return ""


def _holds_text(node: NodeDef) -> bool:
    types = [number for value in node.attr.values() for number in (value.type, *value.list.type)]
    return _STRING in types or bool(_STRING_OPS.match(node.op))


def _called(node: NodeDef, functions: Mapping[str, FunctionDef]) -> list[str]:
    """The functions that `node` calls, one through another."""
    called = [name for name in called_functions(node) if name in functions]
    for name in called:  # grows while it is walked
        for inner in functions[name].node_def:
            called += [other for other in called_functions(inner) if other in functions and other not in called]
    return called


def cut(graph: Graph, nodes: Iterable[str]) -> Cut:
    """Where to cut `nodes` off, and what stands before or behind them.

        wav → DecodeWav → Mfcc → Conv2D → Softmax          =>  cut at Mfcc:0
        image → Conv2D → Softmax → ArgMax → LookupTable    =>  cut at ArgMax:0

    Decoding and feature extraction go with what is cut off before the network. The first tensors behind it are taken:
    several outputs of one node, as a parser of records has them, or else the one tensor that everything passes, if
    there is one before the first layer. Random numbers that depend on no input become inputs themselves.

    Args:
        graph: the forward graph.
        nodes: names of nodes that cannot stay.
    """
    return _Cutter(graph, nodes).cut()


def _feature(graph: Graph, tensor: str) -> str:
    """What a parser of records calls the dense feature that `tensor` is; "" where it is none, or nothing says."""
    node = graph.nodes[node_name(tensor)]
    sparse = 3 * (attribute(node, "num_sparse").i or attribute(node, "Nsparse").i)
    dense = port(tensor) - sparse
    if not node.op.startswith("ParseExample") or dense < 0:
        return ""
    keys = [text for tensor in data_inputs(node)[2:] for text in _text(graph.producer(tensor))]
    place = sparse // 3 + dense
    return keys[place] if place < len(keys) else ""


def _text(node: NodeDef | None) -> list[str]:
    values = attribute(node, "value").tensor.string_val if node is not None else ()
    return [value.decode("utf-8", "replace") for value in values]


class _Cutter:
    """A graph seen from the nodes that cannot stay."""

    def __init__(self, graph: Graph, nodes: Iterable[str]) -> None:
        self._graph = graph
        self._order = graph.topological_order()
        self._ranks = {name: rank for rank, name in enumerate(self._order)}
        self._needed = self._before(spec.tensor for spec in graph.outputs)
        self._readers: dict[str, list[str]] = defaultdict(list)
        for node in graph.nodes.values():
            for tensor in data_inputs(node):
                self._readers[node_name(tensor)].append(node.name)
        self._inputs = graph.inputs or self._new((f"{name}:0" for name in self._order if self._is_input(name)), (), [])
        fed = {node_name(spec.tensor) for spec in graph.inputs} or self._of(PLACEHOLDERS)
        self._valued = self._behind(fed, stop=self._of(SHAPE_OPS))
        self._layers = self._find_layers()
        self._refused = self._spread(self._needed.intersection(nodes))

    def cut(self) -> Cut:
        above, below = self._before(self._layers), self._behind(self._layers)
        drawn = self._refused & self._of(RANDOM) - self._valued
        data = self._refused & self._valued
        middle = data & above & below
        staying = self._before(s.tensor for s in self._graph.outputs if node_name(s.tensor) not in self._refused)
        head = (data - below) & (above if self._layers else staying)
        if head:
            head = self._before(head | (self._of(FEATURES | DECODERS) & self._valued - below))
        tail = self._behind(self._refused - drawn - head - middle)
        return self._between(head | drawn, tail, tuple(sorted(middle, key=self._ranks.__getitem__)))

    def _between(self, head: set[str], tail: set[str], middle: tuple[str, ...]) -> Cut:
        """The cut that leaves what is neither in `head` nor in `tail`."""
        leaving = self._leaving(head, tail)
        if len({node_name(tensor) for tensor in leaving} - self._of(RANDOM)) > 1:
            leaving = self._bottleneck(leaving, head | tail) or leaving
        entering = self._entering(tail)
        outputs = [spec for spec in self._graph.outputs if node_name(spec.tensor) not in head | tail]
        kept = self._before([*(spec.tensor for spec in outputs), *entering], stop={*map(node_name, leaving)})
        leaving = [tensor for tensor in leaving if node_name(tensor) in kept]
        inputs = [spec for spec in self._inputs if node_name(spec.tensor) in kept]
        names = [spec.name for spec in (*inputs, *outputs)]
        new_inputs, new_outputs = self._new(leaving, inputs, names), self._new(entering, outputs, names)
        return Cut(
            head=tuple(spec.tensor for spec in new_inputs),
            tail=tuple(spec.tensor for spec in new_outputs),
            inputs=(*new_inputs, *inputs),
            outputs=(*outputs, *new_outputs),
            dropped_inputs=tuple(spec.name for spec in self._inputs if spec not in inputs),
            dropped_outputs=tuple(spec.name for spec in self._graph.outputs if spec not in outputs),
            middle=middle,
            tables=tuple(name for name in self._order if name in tail and _TABLE.match(self._graph.nodes[name].op)),
        )

    def _new(self, tensors: Iterable[str], specs: Sequence[TensorSpec], names: list[str]) -> list[TensorSpec]:
        """Those of `tensors` that `specs` lacks, of unknown type, under names that are added to `names`."""
        new = []
        for tensor in tensors:
            if tensor not in {canonical(spec.tensor) for spec in specs}:
                name = _feature(self._graph, tensor) or telling_part(self._graph.nodes[node_name(tensor)])
                names += identifiers([name], taken=names)
                new.append(TensorSpec(names[-1], tensor, "", None))
        return new

    def _leaving(self, head: set[str], tail: set[str]) -> list[str]:
        """Tensors of `head` that what stays reads, and that depend on more than constants."""
        varying = head & self._behind(self._valued | self._of(RANDOM))
        read = (t for name in self._needed - head - tail for t in data_inputs(self._graph.nodes[name]))
        return sorted({canonical(t) for t in read if node_name(t) in varying}, key=self._place)

    def _place(self, tensor: str) -> tuple[int, int]:
        return self._ranks[node_name(tensor)], port(tensor)

    def _entering(self, tail: set[str]) -> list[str]:
        """Tensors that `tail` reads for their values, and that can stay."""
        staying = self._valued - tail - self._refused
        read = (tensor for name in tail for tensor in data_inputs(self._graph.nodes[name]))
        return sorted({canonical(t) for t in read if node_name(t) in staying}, key=self._place)

    def _bottleneck(self, leaving: Sequence[str], gone: set[str]) -> list[str]:
        """The first tensor, before any layer, that all which depends on `leaving` passes; none without one."""
        affected = (self._behind(map(node_name, leaving)) & self._needed) - gone
        read = [t for name in affected for t in data_inputs(self._graph.nodes[name])]
        reads = Counter(map(canonical, [*read, *(spec.tensor for spec in self._graph.outputs)]))
        tensors: dict[str, list[str]] = {}
        for tensor in reads:
            tensors.setdefault(node_name(tensor), []).append(tensor)
        waiting = {tensor: reads[tensor] for tensor in leaving}
        for name in (name for name in self._order if name in affected):
            if name in self._layers:
                return []
            for tensor in map(canonical, data_inputs(self._graph.nodes[name])):
                if tensor in waiting:
                    waiting[tensor] -= 1
                    if not waiting[tensor]:
                        del waiting[tensor]
            waiting |= {tensor: reads[tensor] for tensor in tensors.get(name, ())}
            if len(waiting) == 1 and node_name(next(iter(waiting))) == name:
                return list(waiting)
        return []

    def _find_layers(self) -> set[str]:
        """Layers that combine weights with what comes from an input, also where a function has them."""
        functions = {function.signature.name: function for function in self._graph.library.function}
        deep = {name for name, function in functions.items() if any(n.op in LAYERS for n in function.node_def)}
        return {
            name
            for name, node in self._graph.nodes.items()
            if name in self._valued and (self._is_layer(node) or deep.intersection(_called(node, functions)))
        }

    def _is_layer(self, node: NodeDef) -> bool:
        return node.op in LAYERS and {node_name(t) in self._valued for t in data_inputs(node)} == {True, False}

    def _spread(self, nodes: Iterable[str]) -> set[str]:
        """`nodes`, and what reads those that depend on no input, up to where an input comes in."""
        refused = set(nodes)
        constant = refused - self._valued - self._of(RANDOM)
        for name in self._order:
            if any(node_name(tensor) in constant for tensor in data_inputs(self._graph.nodes[name])):
                refused.add(name)
                constant |= {name} - self._valued
        return refused

    def _of(self, operators: Collection[str]) -> set[str]:
        return {name for name, node in self._graph.nodes.items() if node.op in operators}

    def _is_input(self, name: str) -> bool:
        return name in self._needed and self._graph.nodes[name].op in ("Placeholder", "PlaceholderV2")

    def _before(self, tensors: Iterable[str], stop: Collection[str] = ()) -> set[str]:
        """The nodes of `tensors`, and all whose data they read, directly or not, not looking behind `stop`."""
        todo, seen = [node_name(tensor) for tensor in tensors], set[str]()
        while todo:
            name = todo.pop()
            if name not in seen and name in self._graph.nodes:
                seen.add(name)
                todo += [] if name in stop else [node_name(i) for i in data_inputs(self._graph.nodes[name])]
        return seen

    def _behind(self, names: Iterable[str], stop: Collection[str] = ()) -> set[str]:
        """`names`, and all that read them, directly or not, not through `stop`."""
        todo, seen = list(names), set[str]()
        while todo:
            name = todo.pop()
            if name not in seen and name not in stop:
                seen.add(name)
                todo += self._readers[name]
        return seen
