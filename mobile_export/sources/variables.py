"""From a graph's variables to their values in a checkpoint: the weights, or their exponential moving averages."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mobile_export.checkpoints.bundle import Bundle
from mobile_export.checkpoints.prefix import find_checkpoint, is_v2
from mobile_export.checkpoints.v1_checkpoint import V1Checkpoint
from mobile_export.checkpoints.weights import Weights
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, attribute, node_name
from mobile_export.graphs.ops import VARIABLES
from mobile_export.graphs.tensors import Array, read_shape
from mobile_export.network.answers import find_outputs
from mobile_export.sources.restore import Place, places
from mobile_export.target import Model

SHADOW = "/ExponentialMovingAverage"
"""What the name of a variable's moving average adds to its own."""

_PART = re.compile(r"(?P<whole>.+)/part_(?P<number>\d{1,9})", re.DOTALL)


def open_checkpoint(path: Path) -> Weights:
    """The checkpoint that `path` means, of either version; V2 where there are both.

    Raises:
        ModelError: there is none, there are several, or files are missing or damaged.
    """
    prefix = find_checkpoint(path)
    return Bundle.open(prefix) if is_v2(prefix) else V1Checkpoint.open(prefix)


@dataclass(frozen=True)
class Variables:
    """The variables of a graph in a checkpoint.

    Attributes:
        weights: the checkpoint.
        places: where a variable's value lies, where that is not under its own name.
    """

    weights: Weights
    places: Mapping[str, Place] = field(repr=False)

    @classmethod
    def of(cls, graph: Graph, weights: Weights, restore: str | None) -> "Variables":
        """As the operator `restore` of the graph's saver reads them.

        Without a saver (None), a variable has its own name in the checkpoint, or else the one under which any operator
        of the graph restores it, or is the part of another one that its name says.
        """
        found = places(graph, restore or "")
        if restore is None:
            others = {**_parts(graph, weights), **found}
            found = {name: place for name, place in others.items() if name not in weights.names}
        return cls(weights, found)

    def place(self, variable: str) -> Place:
        """Where the value of the variable node `variable` lies."""
        return self.places.get(variable, Place(variable))

    def read(self, variable: str) -> Array:
        """The trained value of the variable node `variable`.

        Raises:
            ModelError: the checkpoint does not have it.
        """
        place = self.place(variable)
        names = self.weights.names
        if place.key not in names and place.key + SHADOW in names:
            raise ModelError(
                f"{self.weights.files[0]}: has the moving average of {place.key!r} and not its weights; set "
                "moving_average = true in [model]"
            )
        return place.of(self.weights.read(place.key))

    def averaged(self, read: Collection[str]) -> tuple["Variables", str]:
        """These variables, with the moving average of each that has one; and a sentence on those of `read`.

        Args:
            read: the variables that count: those that the forward graph reads.

        Raises:
            ModelError: none of them has a moving average.
        """
        shadows = {variable: shadow for variable in read if (shadow := self._shadow(variable)) is not None}
        if not shadows:
            raise ModelError(
                f"{self.weights.files[0]}: no weight of the model has a moving average there (under its name and "
                f"{SHADOW}); take moving_average out of [model]"
            )
        rest = "; the rest has none, and is as trained" if len(shadows) < len(read) else ""
        note = f"{len(shadows)} of {len(read)} variables are their exponential moving averages{rest}"
        return replace(self, places={**self.places, **shadows}), note

    def _shadow(self, variable: str) -> Place | None:
        """Where the moving average lies: as a variable of its own, in the variable's stead, or beside it."""
        own = self.place(variable)
        beside = replace(own, key=own.key + SHADOW)
        candidates = [self.place(variable + SHADOW), *([own] if own.key.endswith(SHADOW) else []), beside]
        return next((place for place in candidates if place.key in self.weights.names), None)


def _parts(graph: Graph, weights: Weights) -> dict[str, Place]:
    """The variables `v/part_0`, `v/part_1`, … of which the checkpoint has the whole, `v`."""
    numbered: dict[str, dict[int, str]] = defaultdict(dict)
    for name, node in graph.nodes.items():
        found = _PART.fullmatch(name)
        if found is not None and node.op in VARIABLES and found["whole"] in weights.names:
            numbered[found["whole"]][int(found["number"])] = name
    lying: dict[str, Place] = {}
    for key, names in numbered.items():
        parts = [names[number] for number in sorted(names)]
        shapes = [read_shape(attribute(graph.nodes[part], "shape").shape) or () for part in parts]
        lying.update(zip(parts, _side_by_side(key, weights.read(key).shape, shapes), strict=False))
    return lying


def _side_by_side(key: str, whole: tuple[int, ...], shapes: Sequence[tuple[int, ...]]) -> Iterator[Place]:
    """Where parts of `shapes` lie that make `whole` along one axis; nothing if they do not."""
    for axis, size in enumerate(whole):
        others = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
        if others != {whole[:axis] + whole[axis + 1 :]} or sum(shape[axis] for shape in shapes) != size:
            continue
        start = 0
        for shape in shapes:
            extents = [f"{start},{shape[axis]}" if a == axis else "-" for a in range(len(whole))]
            yield Place(key, f"{' '.join(map(str, whole))} {':'.join(extents)}")
            start += shape[axis]
        return


def values(graph: Graph, variables: Variables, model: Model) -> tuple[Callable[[str], Array], tuple[str, ...]]:
    """What a target takes for the values of `variables`, and what people should know of it, a sentence each."""
    if not model.moving_average:
        return variables.read, ()
    averaged, note = variables.averaged(_served(graph, model))
    return averaged.read, (note,)


def _served(graph: Graph, model: Model) -> set[str]:
    """The variables that the public outputs need."""
    outputs: Iterable[str] = [output.tensor for output in model.outputs if output.tensor is not None]
    inputs = [node_name(named.tensor) for named in model.inputs if named.tensor is not None]
    needed = graph.reachable(outputs or find_outputs(graph), stop=inputs)
    return {name for name in needed if graph.nodes[name].op in VARIABLES}
