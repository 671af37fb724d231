"""An ONNX model as a function of its structure alone: order, names, and no trace of how it came about.

tf2onnx numbers its tensors with a counter that outlives a conversion and orders them as Python's sets do, so that the
same graph gives other bytes each time. Here nodes are ordered by a walk from the outputs, names are TensorFlow's where
a tensor still is TensorFlow's, and everything else is numbered in that order.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from mobile_export.formats.onnx_loops import settle_positions
from mobile_export.quantize.onnx_graph import bodies, walk

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

GRAPH_NAME = "main"


def canonicalize(model: "ModelProto", public: Mapping[str, str], known: Collection[str]) -> None:
    """Give `model` its canonical order and names, in place; what no output needs is dropped.

    Args:
        model: any; its names need not be unique across bodies.
        public: tensor name → public name, for the graph's inputs and outputs.
        known: names of the TensorFlow graph's nodes, in its order; tensors called after them stay so.
    """
    for field in ("domain", "model_version", "doc_string", "metadata_props", "training_info"):
        model.ClearField(field)
    _strip(model.graph)
    _sort(model.graph)
    _settle(model.graph, {name: place for place, name in enumerate(known)})
    _sort(model.graph)
    model.graph.name = GRAPH_NAME
    _rename(model.graph, dict(public), _Names(model.graph, public.values(), known))
    _share_constants(model.graph, set(public.values()))
    _import_used_domains(model)


def _import_used_domains(model: "ModelProto") -> None:
    used = {"", *(_domain(node.domain) for node in walk(model.graph))}
    versions = sorted({_domain(o.domain): o.version for o in model.opset_import}.items())
    del model.opset_import[:]
    for domain, version in versions:
        if domain in used:
            model.opset_import.add(domain=domain, version=version)


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _strip(graph: "GraphProto") -> None:
    for field in ("doc_string", "metadata_props", "value_info"):
        graph.ClearField(field)
    for tensor in graph.initializer:
        tensor.ClearField("doc_string")
    for info in (*graph.input, *graph.output):
        _forget_symbols(info)
    for node in graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
        node.attribute.sort(key=lambda attribute: attribute.name)
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
        for body in bodies(node):
            _strip(body)


def _forget_symbols(info: "ValueInfoProto") -> None:
    """Drop the names of unknown sizes: tf2onnx counts them."""
    info.ClearField("doc_string")
    for dim in info.type.tensor_type.shape.dim:
        dim.ClearField("dim_param")


def _sort(graph: "GraphProto") -> list[str]:
    """Order the nodes by a walk from the outputs, bodies first; returns the outer tensors that `graph` reads."""
    reads = [[*node.input, *(name for body in bodies(node) for name in _sort(body))] for node in graph.node]
    producers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    order = _walk_order([info.name for info in graph.output], reads, producers)
    position = {tuple(graph.node[index].output): place for place, index in enumerate(order)}
    inner = {*_own_tensors(graph), ""}
    outer = [name for index in order for name in reads[index]] + [info.name for info in graph.output]
    graph.node.sort(key=lambda node: position.get(tuple(node.output), len(position)))
    del graph.node[len(order) :]
    return list(dict.fromkeys(name for name in outer if name not in inner))


def _settle(graph: "GraphProto", rank: Mapping[str, int]) -> None:
    """From the outside in: what a body returns, and so its order, depends on who reads it."""
    settle_positions(graph, rank)
    for node in graph.node:
        for body in bodies(node):
            _sort(body)
            _settle(body, rank)


def _walk_order(roots: list[str], reads: list[list[str]], producers: Mapping[str, int]) -> list[int]:
    """Node indices, each after those whose tensors it reads, in the order in which `roots` need them."""
    placed: dict[int, None] = {}
    opened: set[int] = set()
    todo = [producers[name] for name in reversed(roots) if name in producers]
    while todo:
        index = todo.pop()
        if index in opened:
            placed.setdefault(index)
            continue
        opened.add(index)
        todo.append(index)
        todo += [producers[name] for name in reversed(reads[index]) if producers.get(name, index) not in opened]
    return list(placed)


class _Names:
    """Hands out names, each once: TensorFlow's where there is one, `a` for its tensor `a:0`."""

    def __init__(self, graph: "GraphProto", reserved: Collection[str], known: Collection[str]) -> None:
        self._taken = set(reserved)
        self._known = known
        self._held = {_short(name) for node in walk(graph) for name in node.output if self._is_known(name)}
        self._counters: Counter[str] = Counter()

    def of_tensor(self, old: str, node: str, kind: str) -> str:
        """A name for tensor `old` of a node called `node`; `<kind>_<n>` when neither is TensorFlow's."""
        if self._is_known(old):
            return self._take(_short(old))
        if node in self._known and node not in self._held and node not in self._taken:
            return self._take(node)
        while True:
            name = f"{kind}_{self._counters[kind]}"
            self._counters[kind] += 1
            if name not in self._taken and name not in self._known:
                return self._take(name)

    def of_constant(self, old: str, reader: str, role: str) -> str:
        """A name for the constant `old`; `<reader>/<role>` when it is not TensorFlow's."""
        return self._take(_short(old) if self._is_known(old) else f"{reader}/{role}")

    def _is_known(self, tensor: str) -> bool:
        return tensor.partition(":")[0] in self._known

    def _take(self, name: str) -> str:
        free, k = name, 0
        while free in self._taken:
            k += 1
            free = f"{name}_{k}"
        self._taken.add(free)
        return free


def _short(tensor: str) -> str:
    return tensor.removesuffix(":0")


def _rename(graph: "GraphProto", scope: dict[str, str], names: _Names) -> None:
    """Rename every tensor of a sorted graph; `scope` comes with the names that are settled, and gets the others."""
    constants = {tensor.name for tensor in graph.initializer}
    for info in graph.input:
        if info.name not in scope:
            scope[info.name] = names.of_tensor(info.name, "", "input")
    for node in graph.node:
        _rename_node(node, scope, constants, names)
    _order_initializers(graph, scope)
    for info in (*graph.input, *graph.output):
        info.name = scope[info.name]


def _rename_node(node: "NodeProto", scope: dict[str, str], constants: Collection[str], names: _Names) -> None:
    for index, name in enumerate(node.output):
        if name:
            scope[name] = scope[name] if name in scope else names.of_tensor(name, node.name, node.op_type)
            node.output[index] = scope[name]
    node.name = next(name for name in node.output if name)
    captured = [name for body in bodies(node) for name in _sort(body)]
    for index, name in enumerate((*node.input, *captured)):
        if name in constants and name not in scope:
            scope[name] = names.of_constant(name, node.name, _role(node, index))
        if index < len(node.input):
            node.input[index] = scope.get(name, name)
    for place, body in enumerate(bodies(node)):
        body.name = f"{node.name}/body_{place}"
        own = _own_tensors(body)
        _rename(body, {old: new for old, new in scope.items() if old not in own}, names)


def _own_tensors(graph: "GraphProto") -> set[str]:
    """The tensors that `graph` defines, bodies apart."""
    results = (name for node in graph.node for name in node.output)
    return {*results, *(info.name for info in graph.input), *(tensor.name for tensor in graph.initializer)}


def _role(node: "NodeProto", index: int) -> str:
    """What the operator's definition calls its input number `index`: the `W` and `B` of a Conv."""
    import onnx

    if index >= len(node.input) or not onnx.defs.has(node.op_type, domain=node.domain):
        return f"constant_{index}"
    formal = onnx.defs.get_schema(node.op_type, domain=node.domain).inputs
    return formal[index].name if index < len(formal) else f"{formal[-1].name}_{index}"


def _order_initializers(graph: "GraphProto", scope: Mapping[str, str]) -> None:
    """Rename initializers and drop unused ones; `scope` has the others in the order of their first use."""
    place = {name: index for index, name in enumerate(scope)}
    graph.initializer.sort(key=lambda tensor: place.get(tensor.name, len(place)))
    del graph.initializer[sum(tensor.name in place for tensor in graph.initializer) :]
    for tensor in graph.initializer:
        tensor.name = scope[tensor.name]


def _share_constants(graph: "GraphProto", public: Collection[str]) -> None:
    """Let equal initializers be one, those apart that are outputs. Names must be unique, bodies included."""
    groups = Counter((tensor.data_type, tuple(tensor.dims)) for tensor in graph.initializer)
    first: dict[tuple[object, ...], str] = {}
    instead: dict[str, str] = {}
    for tensor in graph.initializer:
        kind = (tensor.data_type, tuple(tensor.dims))
        if groups[kind] > 1 and tensor.HasField("raw_data") and tensor.name not in public:
            key = (*kind, hashlib.sha256(tensor.raw_data).digest())
            instead[tensor.name] = first.setdefault(key, tensor.name)
    for node in walk(graph):
        for index, name in enumerate(node.input):
            node.input[index] = instead.get(name, name)
    for index in reversed(range(len(graph.initializer))):
        if instead.get(name := graph.initializer[index].name, name) != name:
            del graph.initializer[index]
