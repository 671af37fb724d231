"""What each node of a trained graph depends on: placeholders, weights, labels."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mobile_export.graphs.graph import LOOP_OPS, Graph, attribute, canonical, data_inputs, node_name
from mobile_export.graphs.ops import CONVOLUTIONS, LAYERS, LOSSES, PLACEHOLDERS, SHAPE_OPS, VARIABLES
from mobile_export.graphs.protos import NodeDef

_UPDATES = re.compile(
    r"(Assign|Scatter(Nd)?(Add|Sub|Update)|(Resource)?(Sparse)?Apply|Resource(Scatter|Apply)|.*Grad(V\d)?$)"
)
_UPDATE_SCOPE = re.compile(
    r"(^|/)(gradients|save|report_uninitialized_variables|Adadelta|Adagrad|Adam|Adamax|Nadam|RMSprop|SGD)(_\d+)?/"
)
_LOSS = re.compile(
    r"(?<!g)loss(?!less)|cross_entropy|accuracy|(?<!sym)metric|zero_fraction|mean_squared_error|absolute_difference",
    re.I,
)

_REDUCTIONS = frozenset("All Any Max Mean Min Prod Sum".split())
_DIFFERENCES = frozenset({"Sub", "SquaredDifference"})
_CALLS = frozenset(
    "Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile While".split()
)
"""What they call may be layers."""

_SIZES = SHAPE_OPS | {"TensorArraySizeV3"}
_COUNTED = re.compile(r"NonMaxSuppression(V\d)?|Unique(V2)?|Where")
"""Whose results are as many as values make them."""

_HANDS_ON = frozenset("Cast Enter Identity ReadVariableOp".split())
"""What stands between a variable and a layer."""

_TURNS = 8
"""Rounds in which loops may hand on what they depend on; each lets it come one loop variable further."""

_BOOL = 10  # TensorFlow's number
_TRAINING_SWITCH = re.compile(
    r"(^|[/_])(is_?train(ing)?|train(ing)?(_?(mode|phase|flag))?|phase(_?train)?|keras_learning_phase)(_\d+)?$", re.I
)


def is_update(node: NodeDef) -> bool:
    """Whether `node` changes what is trained, or computes how: assignments, gradients, savers."""
    return bool(_UPDATES.match(node.op) or _UPDATE_SCOPE.search(node.name))


def training_switches(graph: Graph) -> list[str]:
    """Boolean placeholders named as training switches: `is_training`, `phase_train`, `keras_learning_phase`, …"""
    return [
        name
        for name, node in graph.nodes.items()
        if node.op in ("Placeholder", "PlaceholderV2")
        and attribute(node, "dtype").type == _BOOL
        and _TRAINING_SWITCH.search(name)
    ]


@dataclass(frozen=True)
class Cone:
    """What a node depends on.

    Attributes:
        placeholders: by data. A shape depends on none: it is no answer, and its values are no data.
        features: those placeholders that reach a layer's weights.
        variable: whether on trained values; in a frozen graph, constants are taken for that.
        loss: whether on a batch as a whole alone, or on what its name calls a loss or a metric.
        compared: whether on a difference between an input and what layers made of it, as in an autoencoder's loss.
        counted: whether on results that are as many as values make them; the shape of those is data.
    """

    placeholders: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    variable: bool = False
    loss: bool = False
    compared: bool = False
    counted: bool = False


class Cones:
    """The cone of each node.

    What goes round in a loop of TensorFlow 1 takes its cone along, so that what comes out has that of all its turns.

    Attributes:
        trained: names of the nodes that hold trained values.
        loops: for each node within a loop of TensorFlow 1 the name of the outermost one.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        order = graph.topological_order()
        self.loops = _loops(graph, order)
        self._sources = {n.name for n in graph.nodes.values() if _is_source(n) or graph.is_input(n.name)}
        self._sources -= {name for name in training_switches(graph) if not graph.is_input(name)}
        variables = {n.name for n in graph.nodes.values() if n.op in VARIABLES}
        self.trained = variables or {n for n, a in graph.constants.items() if a.dtype.kind == "f" and a.size > 1}
        self._weights = self._layer_weights()
        self._layer_scopes = {scope for name in self._weights for scope in _loss_scopes(name)}
        self._cones: dict[str, Cone] = {}
        for _ in range(_TURNS if any(node.op in LOOP_OPS for node in graph.nodes.values()) else 1):
            before = dict(self._cones)
            for name in order:
                self._cones[name] = self._cone(graph.nodes[name])
            if self._cones == before:
                break

    def __getitem__(self, name: str) -> Cone:
        return self._cones[name]

    def _cone(self, node: NodeDef) -> Cone:
        read = [self._read(i) for i in data_inputs(node) if node_name(i) in self._cones]
        counted = bool(_COUNTED.fullmatch(node.op)) or any(cone.counted for cone in read)
        if node.op in LOSSES or node.name in self._sources or (node.op in _SIZES and not counted):
            read = []
        data = [cone for cone in read if cone.placeholders]
        placeholders = frozenset[str]().union(*(cone.placeholders for cone in data))
        features = frozenset[str]().union(*(cone.features for cone in data))
        is_layer = node.op in LAYERS | _CALLS and any(cone.variable and not cone.placeholders for cone in read)
        differs = node.op in _DIFFERENCES and len({bool(cone.features) for cone in data}) > 1
        return Cone(
            placeholders,
            features | placeholders if is_layer else features,
            variable=node.name in self.trained or any(cone.variable for cone in read),
            loss=self._starts_a_loss(node) or (bool(data) and all(cone.loss for cone in data)),
            compared=differs or (bool(data) and not is_layer and all(cone.compared for cone in data)),
            counted=counted,
        )

    def _starts_a_loss(self, node: NodeDef) -> bool:
        """By its name, or since it reduces the first dimension, too; axes that are computed are usually all of them.

        A scope that has layers is no loss's, whatever its name; within a loop, the first dimension is not the batch.
        """
        if any(scope not in self._layer_scopes for scope in _loss_scopes(node.name)):
            return True
        if node.op not in _REDUCTIONS or node.name in self.loops:
            return False
        axes = self._graph.constants.get(node_name(node.input[1]))
        return axes is None or 0 in axes

    def _read(self, tensor: str) -> Cone:
        """The cone of `tensor`; each output of an input pipeline is a placeholder of its own."""
        name = node_name(tensor)
        return Cone(frozenset({canonical(tensor)})) if name in self._sources else self._cones[name]

    def _layer_weights(self) -> dict[str, str]:
        """Convolutions and products by name, and the trained values that each reads straight."""
        found = {}
        for node in self._graph.nodes.values():
            weights = self._graph.producer(node.input[1]) if node.op in CONVOLUTIONS and len(node.input) > 1 else None
            for _ in _HANDS_ON:
                if weights is not None and weights.op in _HANDS_ON and weights.input:
                    weights = self._graph.producer(weights.input[0])
            if weights is not None and weights.name in self.trained:
                found[node.name] = weights.name
        return found

    def sources_of(self, name: str) -> frozenset[str]:
        """The tensors from which the data of `name` comes."""
        return self._read(f"{name}:0").placeholders

    def answers(self, name: str) -> bool:
        """Whether `name` computes something for each sample from inputs and weights, and from nothing else."""
        cone = self._cones[name]
        return bool(cone.features) and cone.features == cone.placeholders and not cone.loss

    def last_layers(self) -> list[str]:
        """Layers behind which no other is; gradients and updates are none."""
        layers = [
            name
            for name, cone in self._cones.items()
            if cone.features and self._graph.nodes[name].op in LAYERS and not _UPDATE_SCOPE.search(name)
        ]
        before = self._graph.reachable(i for name in layers for i in data_inputs(self._graph.nodes[name]))
        return [name for name in layers if name not in before]

    def judged(self) -> list[str]:
        """What layers made, and other layers take beside samples: a generator's answers before its discriminator.

            Conv2D(Placeholder, w), Conv2D(made, w)  =>  made, where w took no part in it

        So it is with what a loss looks at through a network of its own.
        """
        readers: dict[str, list[str]] = defaultdict(list)
        for name, weights in self._weights.items():
            if not is_update(self._graph.nodes[name]) and self._cones[name].features:
                readers[weights].append(node_name(self._graph.nodes[name].input[0]))
        found = [
            name
            for weights, data in readers.items()
            if any(not self._cones[name].features for name in data)
            for name in data
            if self._cones[name].features and weights not in self._graph.reachable([name])
        ]
        return [name for name in dict.fromkeys(found) if self.answers(name)]


def _is_source(node: NodeDef) -> bool:
    return node.op in PLACEHOLDERS or "Iterator" in node.op or "Dequeue" in node.op


def _loss_scopes(name: str) -> Iterator[str]:
    """Those scopes of a node, and its own name, that a loss or metric would have."""
    if _LOSS.search(name):
        parts = name.split("/")
        yield from ("/".join(parts[: i + 1]) for i, part in enumerate(parts) if _LOSS.search(part))


def _loops(graph: Graph, order: Iterable[str]) -> dict[str, str]:
    """For each node from an Enter to before its Exit the name of the outermost loop that it is in."""
    inside: dict[str, tuple[str, int]] = {}  # and how deep
    members = {}
    for name in order:
        node = graph.nodes[name]
        around = [inside[node_name(i)] for i in node.input if node_name(i) in inside]
        loop, depth = max(around, key=lambda found: found[1], default=("", 0))
        if node.op in ("Enter", "RefEnter"):
            loop = loop if depth else attribute(node, "frame_name").s.decode("utf-8", "replace")
            depth += 1
        if depth and node.op in ("Exit", "RefExit"):
            depth -= 1
        if depth:
            inside[name], members[name] = (loop, depth), loop
    return members
