"""Which tensors are the model's inputs and outputs: as the target names them, or as the graph shows."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph import (
    Graph,
    TensorSpec,
    attribute,
    canonical,
    data_inputs,
    format_shape,
    node_name,
    port,
)
from mobile_export.names import identifiers, is_operators, telling_part
from mobile_export.ops import LAYERS, LOSSES, PLACEHOLDERS, READERS, RUNNABLE, SHAPE_OPS, VARIABLES
from mobile_export.protos import NodeDef
from mobile_export.session import Session
from mobile_export.tensors import dtype_name, read_shape
from mobile_export.transforms.drop_control_edges import OBSERVERS
from mobile_export.transforms.operators import output_dtype
from mobile_export.transforms.patterns import drop_unused_functions

_UPDATES = re.compile(
    r"(Assign|Scatter(Nd)?(Add|Sub|Update)|(Resource)?(Sparse)?Apply|Resource(Scatter|Apply)|.*Grad(V\d)?$)"
)
_OBSERVERS = re.compile(
    r"(Save|Restore|Merge(Summary|V2Checkpoints)|.*Summary|.*Queue|.*Reader|.*Dataset|.*Iterator|NoOp$|PrintV2|Assert|"
    r"VarIsInitialized|IsVariableInitialized|ShardedFilename|WriteFile)"
)
_UPDATE_SCOPE = re.compile(r"(^|/)(gradients(_\d+)?|save(_\d+)?|report_uninitialized_variables(_\d+)?)/")
_LOSS = re.compile(
    r"(^|/)[^/]*(loss|cross_entropy|accuracy|metrics?|mean_squared_error|absolute_difference)[^/]*(/|$)", re.I
)
_METRIC_OPS = frozenset({"ArgMax", "Cast", "Equal", "TopK", "TopKV2", "Round"})
_FLATTENING = frozenset({"Identity", "Reshape", "Squeeze"})
"""First steps of losses and metrics, and no answers where only those read them; flattening only if more is left."""

_LOSS_STEPS = frozenset("Abs Log Neg Square".split())
"""Steps of losses that need no labels, where only losses read them and nobody gave them a name."""

_REDUCTIONS = frozenset("All Any Max Mean Min Prod Sum".split())
_DIFFERENCES = frozenset({"Sub", "SquaredDifference"})
_CALLS = frozenset("Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf".split())
"""What they call may be layers."""

_TRAINING_SWITCH = re.compile(
    r"(^|[/_])(is_?train(ing)?|train(ing)?(_?(mode|phase|flag))?|phase(_?train)?|keras_learning_phase)(_\d+)?$", re.I
)
_TENSOR = re.compile(r"[^:^]+(:\d+)?")
_BOOL = 10  # TensorFlow's number

_ANSWERS = frozenset("ArgMax Cast LogSoftmax Sigmoid Softmax StridedSlice Tanh TopK TopKV2".split())
"""What makes probabilities or classes of a last layer's answers."""

LISTED, _MOST = 12, 64
"""Candidates that an error shows, and that are ranked."""


@dataclass(frozen=True)
class Candidate:
    """A tensor that may be an input or output.

    Attributes:
        tensor: `node:port`.
        why: what speaks for it, in a few words.
        likely: whether it is to be chosen, if nobody says otherwise.
    """

    tensor: str
    why: str
    likely: bool


def find_outputs(graph: Graph) -> list[str]:
    """Tensors that look like the model's answers: what nobody reads once training is taken away.

    From the end of the graph, these are peeled off until nothing more is: savers, summaries and assertions; updates
    (assignments, gradients) and what feeds them alone; what depends on no input or no variable; losses and metrics,
    which bring in a further placeholder, the labels, behind the last layer, or reduce a batch to one number; and their
    first steps (an ArgMax, say).
    """
    return _find_outputs(graph, _Cones(graph))


def _find_outputs(graph: Graph, cones: "_Cones") -> list[str]:
    readers = {name: {r.name for r, i in found if port(r.input[i]) >= 0} for name, found in graph.consumers().items()}
    updates = {node.name for node in graph.nodes.values() if _is_update(node)}
    peeled = updates | {n.name for n in graph.nodes.values() if _observes(n, readers)}
    while True:
        sinks = [name for name in graph.nodes if name not in peeled and readers.get(name, set()) <= peeled]
        feeding = {name for name in sinks if readers.get(name) and readers[name] <= updates}
        silent = {name for name in sinks if not cones.answers(name)}
        first_steps = {n for n in sinks if readers.get(n) and cones.is_first_step(graph.nodes[n], len(sinks) == 1)}
        if not feeding | silent | first_steps:
            return [f"{name}:0" for name in sinks]
        updates |= feeding
        peeled |= feeding | silent | first_steps


def _is_update(node: NodeDef) -> bool:
    return bool(_UPDATES.match(node.op) or _UPDATE_SCOPE.search(node.name))


def _observes(node: NodeDef, readers: Mapping[str, set[str]]) -> bool:
    """Whether `node` only watches; one that passes on what it sees is part of the network where somebody reads that."""
    return bool(_OBSERVERS.match(node.op)) or (node.op in OBSERVERS and not readers.get(node.name))


def _is_source(node: NodeDef) -> bool:
    return node.op in PLACEHOLDERS or "Iterator" in node.op or "Dequeue" in node.op


@dataclass(frozen=True)
class _Cone:
    """What a node depends on.

    Attributes:
        placeholders: by data. A shape depends on none: it is no answer, and its values are no data.
        features: those placeholders that reach a layer's weights.
        variable: whether on trained values; in a frozen graph, constants are taken for that.
        loss: whether on a batch as a whole alone, or on what its name calls a loss or a metric.
        compared: whether on a difference between an input and what layers made of it, as in an autoencoder's loss.
    """

    placeholders: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    variable: bool = False
    loss: bool = False
    compared: bool = False


class _Cones:
    """The cone of each node.

    Attributes:
        trained: names of the nodes that hold trained values.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants = graph.constants
        self._cones: dict[str, _Cone] = {}
        self._sources = {n.name for n in graph.nodes.values() if _is_source(n) or graph.is_input(n.name)}
        variables = {n.name for n in graph.nodes.values() if n.op in VARIABLES}
        self.trained = variables or {n for n, a in graph.constants.items() if a.dtype.kind == "f" and a.size > 1}
        for name in graph.topological_order():
            self._cones[name] = self._cone(graph.nodes[name])

    def _cone(self, node: NodeDef) -> _Cone:
        read = [self._read(i) for i in data_inputs(node) if node_name(i) in self._cones]
        if node.op in SHAPE_OPS | LOSSES or node.name in self._sources:
            read = []
        data = [cone for cone in read if cone.placeholders]
        placeholders = frozenset[str]().union(*(cone.placeholders for cone in data))
        features = frozenset[str]().union(*(cone.features for cone in data))
        is_layer = node.op in LAYERS | _CALLS and any(cone.variable and not cone.placeholders for cone in read)
        differs = node.op in _DIFFERENCES and len({bool(cone.features) for cone in data}) > 1
        return _Cone(
            placeholders,
            features | placeholders if is_layer else features,
            variable=node.name in self.trained or any(cone.variable for cone in read),
            loss=self._starts_a_loss(node) or (bool(data) and all(cone.loss for cone in data)),
            compared=differs or (bool(data) and not is_layer and all(cone.compared for cone in data)),
        )

    def _starts_a_loss(self, node: NodeDef) -> bool:
        """By its name, or since it reduces the first dimension, too; axes that are computed are usually all of them."""
        if _LOSS.search(node.name):
            return True
        axes = self._constants.get(node_name(node.input[1])) if node.op in _REDUCTIONS else np.empty(0)
        return axes is None or 0 in axes

    def _read(self, tensor: str) -> _Cone:
        """The cone of `tensor`; each output of an input pipeline is a placeholder of its own."""
        name = node_name(tensor)
        return _Cone(frozenset({canonical(tensor)})) if name in self._sources else self._cones[name]

    def sources_of(self, name: str) -> frozenset[str]:
        """The tensors from which the data of `name` comes."""
        return self._read(f"{name}:0").placeholders

    def last_layers(self) -> list[str]:
        """Layers behind which no other is; gradients and updates are none."""
        layers = [
            name
            for name, cone in self._cones.items()
            if cone.features and self._graph.nodes[name].op in LAYERS and not _UPDATE_SCOPE.search(name)
        ]
        before = self._graph.reachable(i for name in layers for i in data_inputs(self._graph.nodes[name]))
        return [name for name in layers if name not in before]

    def answers(self, name: str) -> bool:
        """Whether `name` computes something for each sample from inputs and weights, and from nothing else."""
        cone = self._cones[name]
        return bool(cone.features) and cone.features == cone.placeholders and not cone.loss

    def is_first_step(self, node: NodeDef, alone: bool) -> bool:
        """A metric's ArgMax, or a loss's flattening or difference that nobody gave a name."""
        unnamed = is_operators(node.name.rpartition("/")[2], node.op)
        steps = (node.op in _FLATTENING and not alone) or node.op in _LOSS_STEPS or self._cones[node.name].compared
        return node.op in _METRIC_OPS or (unnamed and steps)


def rank_outputs(graph: Graph) -> list[Candidate]:
    """Tensors that may be the model's answers, the likeliest first.

    What `find_outputs` finds comes first; it is likely where it hangs on most of the network. Then follow the last
    layers before it (logits, say). Where nothing is found, last layers that a loss or a metric reads are all there is;
    in a graph without layers, what depends on an input.
    """
    cones, consumers = _Cones(graph), graph.consumers()
    ends = [node_name(tensor) for tensor in _find_outputs(graph, cones)][:_MOST]
    depths = {name: len(graph.reachable([name]) & cones.trained) for name in ends}
    deep = [name for name in ends if 2 * depths[name] >= max(depths.values())]
    found = [
        Candidate(f"{name}:0", f"{_position(graph, name)}; {_read_by(consumers[name])}", name in deep)
        for name in [*deep, *(name for name in ends if name not in deep)]
    ]
    for name in ends:
        layer, steps = _last_layer(graph, name)
        if layer not in ends and set(steps) & _ANSWERS:
            found.append(Candidate(f"{layer}:0", f"{name!r} before its {' and '.join(steps)}", False))
    if not found:
        found = [Candidate(f"{name}:0", "last layer; only training reads it", True) for name in cones.last_layers()]
    if not found:
        plain = [name for name, node in graph.nodes.items() if not _is_update(node) and not _OBSERVERS.match(node.op)]
        unread = [name for name in plain if not consumers[name] and cones.sources_of(name)]
        found = [
            Candidate(f"{name}:0", "no layer, but an input reaches it and nothing reads it", True) for name in unread
        ]
    return found[:_MOST]


def _last_layer(graph: Graph, name: str) -> tuple[str, list[str]]:
    """The first node, going back from `name`, that does more than to end a network; and the operators behind it."""
    steps: list[str] = []
    while graph.nodes[name].op in _ANSWERS | _FLATTENING and len(steps) < _MOST:
        before = data_inputs(graph.nodes[name])[:1]
        if not before or node_name(before[0]) not in graph.nodes:
            break
        steps.insert(0, graph.nodes[name].op)
        name = node_name(before[0])
    return name, [op for op in dict.fromkeys(steps) if op not in _FLATTENING]


def _position(graph: Graph, name: str) -> str:
    layer, steps = _last_layer(graph, name)
    if steps:
        return f"{' and '.join(steps)} behind the last layer"
    return "last layer" if graph.nodes[layer].op in LAYERS else f"{graph.nodes[layer].op} at the end"


def _read_by(readers: Sequence[tuple[NodeDef, int]]) -> str:
    read = any(port(node.input[index]) >= 0 for node, index in readers)
    return "only training and metrics read it" if read else "nothing reads it"


def rank_inputs(graph: Graph) -> list[Candidate]:
    """Where the data of the graph's outputs may come in, the likeliest first.

    Placeholders are likely; default values that may be fed, and what an input pipeline brings, where there are none.
    Single numbers that have a default (a dropout rate, say) are for training.
    """
    cones, switches = _Cones(graph), training_switches(graph)
    read = sorted({tensor for spec in graph.outputs for tensor in cones.sources_of(node_name(spec.tensor))})
    free = [tensor for tensor in read if node_name(tensor) not in switches]
    kinds = {tensor: graph.nodes[node_name(tensor)].op for tensor in free}
    fed = [tensor for tensor in free if kinds[tensor] in ("Placeholder", "PlaceholderV2")]
    found = [Candidate(tensor, "placeholder that the outputs need", True) for tensor in fed]
    for tensor in (tensor for tensor in free if tensor not in fed):
        if kinds[tensor] != "PlaceholderWithDefault":
            found.append(Candidate(tensor, f"what the input pipeline ({kinds[tensor]}) brings", not fed))
        elif declared(graph, "x", tensor).shape != ():
            found.append(Candidate(tensor, "has a default value that may be fed", not fed))
    return sorted(found, key=lambda candidate: not candidate.likely)[:_MOST]


def find_inputs(graph: Graph) -> list[str]:
    """Placeholders that the graph's outputs need; one with a default value is no input unless the target says so."""
    needed = graph.reachable(spec.tensor for spec in graph.outputs)
    return [
        f"{name}:0"
        for name, node in graph.nodes.items()
        if name in needed and node.op in ("Placeholder", "PlaceholderV2")
    ]


def training_switches(graph: Graph) -> list[str]:
    """Boolean placeholders named as training switches: `is_training`, `phase_train`, `keras_learning_phase`, …"""
    return [
        name
        for name, node in graph.nodes.items()
        if node.op in ("Placeholder", "PlaceholderV2")
        and attribute(node, "dtype").type == _BOOL
        and _TRAINING_SWITCH.search(name)
    ]


def check_tensor(graph: Graph, tensor: str, key: str) -> str:
    """`tensor` with its port, when the graph has it.

    Raises:
        ModelError: it has not; names the nearest ones.
    """
    if not _TENSOR.fullmatch(tensor):
        raise ModelError(f"{key}: {tensor!r} names no tensor; write NODE:0")
    if node_name(tensor) not in graph.nodes:
        near = difflib.get_close_matches(node_name(tensor), graph.nodes, n=3, cutoff=0.5)
        hint = f"; the nearest names are {', '.join(repr(n + ':0') for n in near)}" if near else ""
        raise ModelError(f"{key}: the model has no tensor {tensor!r}{hint}")
    if _dtype(graph, tensor) is None:
        raise ModelError(f"{key}: {node_name(tensor)!r} has no output {port(tensor)}")
    return canonical(tensor)


def _dtype(graph: Graph, tensor: str) -> int | None:
    functions = {function.signature.name: function for function in graph.library.function}
    return output_dtype(graph.nodes[node_name(tensor)], port(tensor), functions)


def declared(graph: Graph, name: str, tensor: str) -> TensorSpec:
    """The spec of `tensor` as its own node has it; an empty dtype and no shape where that does not say."""
    node, dtype = graph.nodes[node_name(tensor)], _dtype(graph, tensor)
    shapes = [*attribute(node, "output_shapes").list.shape, *attribute(node, "_output_shapes").list.shape]
    shape = read_shape(shapes[port(tensor)]) if port(tensor) < len(shapes) else None
    if node.op in PLACEHOLDERS and "shape" in node.attr:
        shape = read_shape(node.attr["shape"].shape)
    return TensorSpec(name, canonical(tensor), dtype_name(dtype) if dtype else "", shape)


def describe(graph: Graph, tensors: Sequence[str], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Specs of `tensors` under public `names`, dtypes and shapes as TensorFlow infers them; nothing is run."""
    part = Graph(graph.nodes, graph.constants, library=graph.library, versions=graph.versions)
    with Session(part, allowed=RUNNABLE | VARIABLES | READERS) as session:
        return tuple(
            TensorSpec(name, canonical(tensor), session.dtype(tensor), session.shape(tensor))
            for name, tensor in zip(names, tensors, strict=True)
        )


def input_spec(graph: Graph, name: str, tensor: str) -> TensorSpec:
    """The spec of a tensor that becomes an input: as TensorFlow infers it from what computes it, or as declared."""
    spec = declared(graph, name, tensor)
    if graph.nodes[node_name(tensor)].op in PLACEHOLDERS:
        return spec
    part = graph.copy()
    part.inputs, part.outputs = (), (spec,)
    part.prune()
    drop_unused_functions(part)
    try:
        return describe(part, [tensor], [name])[0]
    except ModelError:
        return spec


def public_names(graph: Graph, tensors: Sequence[str]) -> list[str]:
    """A different public name for each tensor: the last part of its own that is not just its operator's."""
    return identifiers(telling_part(graph.nodes[node_name(tensor)]) for tensor in tensors)


def ambiguous(kind: str, specs: Sequence[TensorSpec]) -> ModelError:
    """The error for several (or no) candidates, with the lines to paste into the target."""
    if not specs:
        return ModelError(f"no {kind} was found in the model; name it in the target:\n{_paste(kind, 'NAME', 'NODE:0')}")
    listed = "\n".join(f"  {spec.tensor}  {spec.dtype}{format_shape(spec.shape)}" for spec in specs[:LISTED])
    more = f"\n  and {len(specs) - LISTED} more" if len(specs) > LISTED else ""
    lines = "\n".join(_paste(kind, spec.name, spec.tensor) for spec in specs[:LISTED])
    return ModelError(
        f"the model has {len(specs)} candidates for its {kind}s:\n{listed}{more}\n"
        f"keep those that the app needs of these lines in the target:\n{lines}"
    )


def _paste(kind: str, name: str, tensor: str) -> str:
    return f'[[model.{kind}s]]\nname = "{name}"\ntensor = "{tensor}"'
