"""A model in memory: a skeleton of nodes, and their weights beside it.

The skeleton is a TensorFlow node list in which no numeric Const carries its value: those are NumPy arrays in
`Graph.constants`, under the Const's name, memory-mapped where the source allows. Rewriting weights is then NumPy,
rewriting structure is a walk over small messages, and nothing large is ever serialized twice.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graphs.package import open_package, write_package
from mobile_export.graphs.protos import AttrValue, FunctionDef, FunctionDefLibrary, GraphDef, NodeDef, VersionDef
from mobile_export.graphs.tensors import (
    Array,
    array_to_tensor,
    dtype_name,
    dtype_named,
    dtype_number,
    map_array,
    numpy_dtype,
    tensor_to_array,
)

LOOP_OPS = frozenset({"NextIteration", "RefNextIteration"})
"""The only operators through which a cycle may pass."""

_NAME = re.compile(r"[^:^]+")
_TENSOR = re.compile(r"\^[^:^]+|[^:^]+(:[0-9]{1,9})?")
_INNER_TENSOR = re.compile(r"\^[^:^]+|[^:^]+(:[^:^]+(:[0-9]{1,9})?)?")
"""How tensors are named in a graph, and in a function."""


@dataclass(frozen=True)
class TensorSpec:
    """A public input or output.

    Attributes:
        name: what apps call it, the same in every artifact.
        tensor: the graph's tensor, `node:port`.
        dtype: NumPy's name of the element type, or "string".
        shape: sizes, -1 where dynamic; None when not even the rank is known.
    """

    name: str
    tensor: str
    dtype: str
    shape: tuple[int, ...] | None

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}{format_shape(self.shape)} ({self.tensor})"


@dataclass
class Graph:
    """Nodes in file order, numeric constants by node name, and the public inputs and outputs.

    A transform never changes a graph that it was given: it works on `copy()`. Arrays are shared between copies
    and are never written to.
    """

    nodes: dict[str, NodeDef] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    library: FunctionDefLibrary = field(default_factory=FunctionDefLibrary)
    versions: VersionDef = field(default_factory=VersionDef)

    @classmethod
    def from_graph_def(
        cls,
        graph_def: GraphDef,
        inputs: Iterable[TensorSpec] = (),
        outputs: Iterable[TensorSpec] = (),
        mapped: Mapping[str, Array] | None = None,
    ) -> "Graph":
        """Take `graph_def` apart; it is not changed.

        Args:
            mapped: values of Const nodes that carry none themselves.

        Raises:
            ModelError: two nodes share a name, a name or what a node reads can name nothing, or a Const's value
                contradicts its type or shape.
        """
        graph = cls(inputs=tuple(inputs), outputs=tuple(outputs))
        graph.library.CopyFrom(graph_def.library)  # a part that is shared would keep all of it in memory
        graph.versions.CopyFrom(graph_def.versions)
        twice = [name for name, count in Counter(n.name for n in graph_def.node).items() if count > 1]
        if twice:
            raise ModelError(f"the graph has more than one node named {', '.join(map(repr, sorted(twice)[:5]))}")
        _check_names(graph_def.node, _TENSOR)
        for function in graph_def.library.function:
            _check_function_names(function)
        graph.constants.update(mapped or {})
        for node in graph_def.node:
            light = graph.nodes[node.name] = NodeDef()
            numeric = node.op == "Const" and numpy_dtype(attribute(node, "dtype").type) is not None
            if not numeric and node.name not in graph.constants:
                light.CopyFrom(node)
                continue
            if node.name not in graph.constants:
                value = attribute(node, "value").tensor
                if value.dtype != node.attr["dtype"].type:
                    raise ModelError(f"node {node.name!r}: its value is not of the type that it declares")
                graph.constants[node.name] = tensor_to_array(value, node.name)
            light.MergeFrom(NodeDef(name=node.name, op=node.op, input=node.input, device=node.device))
            for key, value in node.attr.items():
                if key != "value":
                    light.attr[key].CopyFrom(value)
        return graph

    def to_graph_def(self, without: Iterable[str] = ()) -> GraphDef:
        """The ordinary GraphDef; constants named in `without` stay valueless (and make it unloadable)."""
        left_out = set(without)
        graph_def = GraphDef(library=self.library, versions=self.versions)
        for node in self.nodes.values():
            copied = graph_def.node.add()
            copied.CopyFrom(node)
            if node.name in self.constants and node.name not in left_out:
                array = self.constants[node.name]
                array_to_tensor(array, copied.attr["value"].tensor)
        return graph_def

    def copy(self) -> "Graph":
        """An independent graph; nodes are copied, arrays are shared."""
        nodes = {}
        for name, node in self.nodes.items():
            nodes[name] = copied = NodeDef()
            copied.CopyFrom(node)
        return replace(self, nodes=nodes, constants=dict(self.constants))

    def same_as(self, other: "Graph") -> bool:
        """Whether both have the same nodes in the same order, share their arrays, and name the same edges."""
        return (
            list(self.nodes.items()) == list(other.nodes.items())
            and self.constants.keys() == other.constants.keys()
            and all(array is other.constants[name] for name, array in self.constants.items())
            and (self.inputs, self.outputs, self.library) == (other.inputs, other.outputs, other.library)
        )

    def consumers(self) -> dict[str, list[tuple[NodeDef, int]]]:
        """For each node name, the (consumer, input index) pairs that read any of its ports or wait for it."""
        found: dict[str, list[tuple[NodeDef, int]]] = defaultdict(list)
        for node in self.nodes.values():
            for index, name in enumerate(node.input):
                found[node_name(name)].append((node, index))
        return found

    def producer(self, tensor: str) -> NodeDef | None:
        """The node that computes `tensor`, or None."""
        return self.nodes.get(node_name(tensor))

    def is_output(self, name: str) -> bool:
        """Whether a public output reads the node `name`."""
        return any(node_name(spec.tensor) == name for spec in self.outputs)

    def is_input(self, name: str) -> bool:
        """Whether a public input feeds the node `name`."""
        return any(node_name(spec.tensor) == name for spec in self.inputs)

    def add_constant(self, name: str, value: Array) -> str:
        """Add a Const holding `value`, named `name` or the first free `name_k`; returns the name taken."""
        free = self.free_name(name)
        self.set_constant(free, value)
        return free

    def set_constant(self, name: str, value: Array) -> None:
        """Make the node `name` a Const holding `value`, in the place where it stood."""
        node = NodeDef(name=name, op="Const")
        node.attr["dtype"].type = dtype_number(value.dtype)
        self.nodes[name] = node
        self.constants[name] = value

    def free_name(self, name: str) -> str:
        """`name`, or the first `name_k` that no node has."""
        free, k = name, 0
        while free in self.nodes:
            k += 1
            free = f"{name}_{k}"
        return free

    def remove(self, names: Iterable[str]) -> None:
        """Drop nodes and their constants; whoever still reads them is the caller's concern."""
        for name in names:
            self.nodes.pop(name, None)
            self.constants.pop(name, None)

    def redirect(self, tensors: Mapping[str, str]) -> None:
        """Make every reader of a key read its value instead, public outputs included; control edges stay.

        Keys and values are tensors; a value that is itself a key is followed to the end.
        """
        final = ends({canonical(old): canonical(new) for old, new in tensors.items()})
        for node in self.nodes.values():
            for index, name in enumerate(node.input):
                if not name.startswith("^") and canonical(name) in final:
                    node.input[index] = short(final[canonical(name)])
        self.outputs = tuple(
            replace(spec, tensor=final.get(canonical(spec.tensor), spec.tensor)) for spec in self.outputs
        )

    def reachable(self, tensors: Iterable[str], stop: Iterable[str] = ()) -> set[str]:
        """Names of the nodes needed to compute `tensors`, control edges included, not looking behind `stop`."""
        stops, seen = set(stop), set()
        todo = [node_name(tensor) for tensor in tensors]
        while todo:
            name = todo.pop()
            if name in seen or name not in self.nodes:
                continue
            seen.add(name)
            if name not in stops:
                todo += [node_name(i) for i in self.nodes[name].input]
        return seen

    def downstream(self, names: Iterable[str]) -> set[str]:
        """The nodes `names`, and all that read them or wait for them, directly or not."""
        readers = self.consumers()
        todo, seen = list(names), set[str]()
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += [reader.name for reader, _ in readers[name]]
        return seen

    def prune(self) -> None:
        """Drop every node that no public output needs; public inputs stay, and nothing behind them does."""
        inputs = {node_name(spec.tensor) for spec in self.inputs}
        needed = self.reachable((spec.tensor for spec in self.outputs), stop=inputs) | inputs
        self.remove([name for name in self.nodes if name not in needed])

    def used_functions(self) -> list[FunctionDef]:
        """The functions of the library that nodes call, one through another; those of gradients are for training."""
        functions = {function.signature.name: function for function in self.library.function}
        todo = [name for node in self.nodes.values() for name in called_functions(node)] if functions else []
        used: set[str] = set()
        while todo:
            name = todo.pop()
            if name in functions and name not in used:
                used.add(name)
                todo += [called for node in functions[name].node_def for called in called_functions(node)]
        return [function for name, function in functions.items() if name in used]

    def topological_order(self) -> list[str]:
        """Node names so that inputs come before readers, loop back edges aside; file order where it is free.

        Raises:
            ModelError: a cycle that passes no NextIteration.
        """
        waiting: dict[str, int] = {}
        readers: dict[str, list[str]] = defaultdict(list)
        for name, node in self.nodes.items():
            sources = dict.fromkeys(map(node_name, node.input))
            forward = [s for s in sources if s in self.nodes and self.nodes[s].op not in LOOP_OPS]
            waiting[name] = len(forward)
            for source in forward:
                readers[source].append(name)
        ready = [name for name, count in waiting.items() if not count]
        order = []
        for name in ready:  # grows while it is walked
            order.append(name)
            for reader in readers[name]:
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready.append(reader)
        if len(order) < len(self.nodes):
            stuck = sorted(set(self.nodes) - set(order))
            raise ModelError(f"the graph has a cycle through {', '.join(map(repr, stuck[:5]))}")
        return order

    def problems(self) -> list[str]:
        """What makes this graph ill-formed, one sentence each; empty when it is sound."""
        found = []
        for name, node in self.nodes.items():
            if name != node.name:
                found.append(f"node {node.name!r} is filed under {name!r}")
            seen_control = False
            for tensor in node.input:
                if node_name(tensor) not in self.nodes:
                    found.append(f"node {name!r} reads {tensor!r}, which does not exist")
                if seen_control and not tensor.startswith("^"):
                    found.append(f"node {name!r} has the data input {tensor!r} after a control input")
                seen_control = tensor.startswith("^")
        for name, array in self.constants.items():
            node = self.nodes.get(name)
            if node is None or node.op != "Const":
                found.append(f"constant {name!r} has no Const node")
            elif attribute(node, "dtype").type != dtype_number(array.dtype):
                found.append(f"constant {name!r} is {array.dtype}, and its node says otherwise")
        for name, node in self.nodes.items():
            if node.op == "Const" and name not in self.constants and "value" not in node.attr:
                found.append(f"Const {name!r} has no value")
        for kind, specs in (("input", self.inputs), ("output", self.outputs)):
            found += [
                f"the {kind} {spec.name!r} is the tensor {spec.tensor!r}, which does not exist"
                for spec in specs
                if node_name(spec.tensor) not in self.nodes
            ]
        if not found:
            try:
                self.topological_order()
            except ModelError as error:
                found.append(str(error))
        return found

    def save(self, path: Path) -> None:
        """Write the graph to one memory-mappable file."""
        names = list(self.constants)
        header = {
            "constants": {
                n: [dtype_name(dtype_number(self.constants[n].dtype)), list(self.constants[n].shape)] for n in names
            },
            "inputs": [asdict(spec) for spec in self.inputs],
            "outputs": [asdict(spec) for spec in self.outputs],
        }
        tensors = [(n, region_bytes(self.constants[n]), True) for n in names]
        skeleton = self.to_graph_def(without=names).SerializeToString(deterministic=True)
        write_package(path, [*tensors, ("/skeleton", skeleton, False), ("/header", json.dumps(header).encode(), False)])

    @classmethod
    def load(cls, path: Path) -> "Graph":
        """Map a file that `save` wrote; weights are read from disk only when they are used."""
        regions = open_package(path)
        header = json.loads(bytes(regions["/header"]))
        graph_def = GraphDef.FromString(bytes(regions["/skeleton"]))
        graph = cls(library=graph_def.library, versions=graph_def.versions)
        graph.nodes = {node.name: node for node in graph_def.node}
        for name, (dtype, shape) in header["constants"].items():
            graph.constants[name] = map_array(regions[name], dtype_named(dtype), tuple(shape), name)
        graph.inputs, graph.outputs = (
            tuple(TensorSpec(**{**s, "shape": None if s["shape"] is None else tuple(s["shape"])}) for s in header[key])
            for key in ("inputs", "outputs")
        )
        return graph


def is_tensor(name: str) -> bool:
    """Whether `name` can name a graph's tensor, or a node to wait for: `a`, `a:1`, `^a`."""
    return _TENSOR.fullmatch(name) is not None


def _check_names(nodes: Iterable[NodeDef], tensor: re.Pattern[str], where: str = "") -> None:
    for node in nodes:
        if not _NAME.fullmatch(node.name):
            raise ModelError(f"a node{where} is named {node.name!r}, which no node can be; export the model again")
        for index, name in enumerate(node.input):
            if not tensor.fullmatch(name):
                raise ModelError(
                    f"node {node.name!r}{where}: its input {index} is {name!r}, which names no tensor; export the "
                    "model again"
                )


def _check_function_names(function: FunctionDef) -> None:
    where = f" of the function {function.signature.name!r}"
    _check_names(function.node_def, _INNER_TENSOR, where)
    for result, name in [*function.ret.items(), *function.control_ret.items()]:
        if name.startswith("^") or not _INNER_TENSOR.fullmatch(name):
            raise ModelError(f"the result {result!r}{where} is {name!r}, which names no tensor; export the model again")


def node_name(tensor: str) -> str:
    """`^a` → `a`, `a:1` → `a`."""
    return tensor.removeprefix("^").partition(":")[0]


def port(tensor: str) -> int:
    """`a:1` → 1, `a` → 0; -1 for the control input `^a`."""
    return -1 if tensor.startswith("^") else int(tensor.partition(":")[2] or 0)


def canonical(tensor: str) -> str:
    """The form with a port: `a` → `a:0`. Control inputs stay as they are."""
    return tensor if tensor.startswith("^") else f"{node_name(tensor)}:{port(tensor)}"


def short(tensor: str) -> str:
    """The form that node inputs use: `a:0` → `a`."""
    return tensor.removesuffix(":0")


def attribute(node: NodeDef, key: str) -> AttrValue:
    """The attribute `key`, or an empty one. (Reading `node.attr[key]` would add it to the node.)"""
    return node.attr[key] if key in node.attr else AttrValue()


def called_functions(node: NodeDef) -> Iterator[str]:
    """Names of the functions that `node` may call; its operator is one of them when it is no operator."""
    yield node.op
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (function.name for function in value.list.func)


def data_inputs(node: NodeDef) -> list[str]:
    """The node's inputs without control edges."""
    return [name for name in node.input if not name.startswith("^")]


def control_inputs(node: NodeDef) -> list[str]:
    """The node's control edges, `^` included."""
    return [name for name in node.input if name.startswith("^")]


def format_shape(shape: tuple[int, ...] | None) -> str:
    """`[?,28,28,1]`; `[...]` when the rank is unknown."""
    return "[...]" if shape is None else "[" + ",".join("?" if d < 0 else str(d) for d in shape) + "]"


def total_bytes(constants: Mapping[str, Array]) -> int:
    """Bytes of all constants together."""
    return sum(array.nbytes for array in constants.values())


def ends(steps: Mapping[str, str]) -> dict[str, str]:
    """Where each key leads at last, when a value that is itself a key is followed.

    Raises:
        ValueError: that goes round in a circle.
    """
    found: dict[str, str] = {}
    for place in steps:
        passed = dict[str, None]()
        while place in steps and place not in found:
            if place in passed:
                raise ValueError(f"the redirection of {place!r} goes round in a circle")
            passed[place] = None
            place = steps[place]
        found |= dict.fromkeys(passed, found.get(place, place))
    return found


def region_bytes(array: Array) -> memoryview:
    """The bytes of `array` in row-major order, without a copy where it is laid out so."""
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
