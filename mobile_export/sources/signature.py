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
from mobile_export.ops import LAYERS, LOSSES, PLACEHOLDERS, RUNNABLE, SHAPE_OPS, VARIABLES
from mobile_export.protos import NodeDef
from mobile_export.session import Session
from mobile_export.sources.freeze import READERS
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

_REDUCTIONS = frozenset("All Any Max Mean Min Prod Sum".split())
_DIFFERENCES = frozenset({"Sub", "SquaredDifference"})
_CALLS = frozenset("Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf".split())
"""What they call may be layers."""

_TRAINING_SWITCH = re.compile(
    r"(^|[/_])(is_?train(ing)?|train(ing)?(_?(mode|phase|flag))?|phase(_?train)?|keras_learning_phase)(_\d+)?$", re.I
)
_TENSOR = re.compile(r"[^:^]+(:\d+)?")
_BOOL = 10  # TensorFlow's number

LISTED = 12
"""Candidates that an error shows."""


def find_outputs(graph: Graph) -> list[str]:
    """Tensors that look like the model's answers: what nobody reads once training is taken away.

    From the end of the graph, these are peeled off until nothing more is: savers, summaries and assertions; updates
    (assignments, gradients) and what feeds them alone; what depends on no input or no variable; losses and metrics,
    which bring in a further placeholder, the labels, behind the last layer, or reduce a batch to one number; and their
    first steps (an ArgMax, say).
    """
    cones = _Cones(graph)
    readers = {name: {r.name for r, i in found if port(r.input[i]) >= 0} for name, found in graph.consumers().items()}
    updates = {n.name for n in graph.nodes.values() if _UPDATES.match(n.op) or _UPDATE_SCOPE.search(n.name)}
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
        variable: whether on trained values.
        loss: whether on a batch as a whole alone, or on what its name calls a loss or a metric.
        compared: whether on a difference between an input and what layers made of it, as in an autoencoder's loss.
    """

    placeholders: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    variable: bool = False
    loss: bool = False
    compared: bool = False


class _Cones:
    """The cone of each node."""

    def __init__(self, graph: Graph) -> None:
        self._constants = graph.constants
        self._cones: dict[str, _Cone] = {}
        self._sources = {n.name for n in graph.nodes.values() if _is_source(n) or graph.is_input(n.name)}
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
            variable=node.op in VARIABLES or any(cone.variable for cone in read),
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

    def answers(self, name: str) -> bool:
        """Whether `name` computes something for each sample from inputs and weights, and from nothing else."""
        cone = self._cones[name]
        return bool(cone.features) and cone.features == cone.placeholders and not cone.loss

    def is_first_step(self, node: NodeDef, alone: bool) -> bool:
        """A metric's ArgMax, or a loss's flattening or difference that nobody gave a name."""
        unnamed = node.name.rpartition("/")[2].lower().startswith(node.op.lower())
        flattens = node.op in _FLATTENING and not alone
        return node.op in _METRIC_OPS or (unnamed and (flattens or self._cones[node.name].compared))


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
    names: list[str] = []
    for tensor in tensors:
        *scopes, last = node_name(tensor).split("/")
        if scopes and last.startswith(graph.nodes[node_name(tensor)].op):
            last = scopes[-1]
        name = re.sub(r"\W", "_", last)
        name = f"_{name}" if name[:1].isdigit() else name or "tensor"
        names.append(name if name not in names else f"{name}_{len(names)}")
    return names


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
