"""Which layer of a quantized file is which of the float file.

Quantizers keep the names of the tensors that operators write, put conversions between them, and write one operator as
several. So what lies between two tensors that both files know is a layer, whatever it consists of.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from mobile_export.quantize.scheme import INTEGERS, integer_precision
from mobile_export.watching.network import Network, Node, Quantization

INPUT = "input"
"""What stands for the operator of an input of the model."""
_SHOWN = 3
"""Operators of a layer that are named."""


@dataclass(frozen=True)
class Pair:
    """A tensor that both files compute, and what computes it.

    Attributes:
        name: of the tensor in the float file.
        tensor: the same value in the quantized file, as its operator writes it.
        operator: kinds of the float file's operators; `input` for an input.
        precision: how the quantized file computes it.
        storage: how its integers stand for it, where it is stored in integers for whatever reads it.
        stored: element type in which it is kept.
        reads: names of the layers whose values it reads.
        weights: the constant with most values in the float file, and its counterpart; None where there is none.
        bias: the same for a smaller one.
        settable: what a target's `layers` calls the layer with weights that decides how this tensor is computed: the
            one that writes it, or the nearest before it, or behind it where there is none; None in a network without.
        readers: what `layers` calls those that read it, across operators without weights.
    """

    name: str
    tensor: str
    operator: str
    precision: str
    storage: Quantization | None
    stored: str
    reads: tuple[str, ...] = ()
    weights: tuple[str, str] | None = None
    bias: tuple[str, str] | None = None
    settable: str | None = None
    readers: tuple[str, ...] = ()


def align(reference: Network, file: Network) -> list[Pair]:
    """The tensors that both have, in the order in which they compute."""
    plain, other = _Wiring(reference), _Wiring(file)
    tensors = dict(_common(plain, other))
    names = {tensor: name for name, tensor in tensors.items()}
    ends = {plain.origin(name): name for name in tensors}
    pairs: dict[str, Pair] = {}
    for name, tensor in tensors.items():
        computed, region = plain.region(plain.origin(name), ends), other.region(tensor, names)
        pair = _pair(name, tensor, plain, other, computed, region)
        pairs[name] = _settable(_with_what_it_follows(pair, pairs), plain)
    return list(pairs.values())


class _Wiring:
    """Who writes what in a network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.writer = {name: node for node in network.nodes for name in node.outputs}

    def origin(self, name: str) -> str:
        """The tensor that `name` is a conversion of, or itself."""
        passed = set()  # a damaged file may turn in a circle
        while (writer := self.writer.get(name)) is not None and writer.converts and name not in passed:
            passed.add(name)
            name = writer.inputs[0]
        return name

    def region(self, name: str, ends: Mapping[str, str]) -> "_Region":
        """What computes `name` of the tensors `ends`, which have names of layers, and of constants."""
        nodes: list[Node] = []
        reads: dict[str, None] = {}
        todo = [self.writer[name]] if name in self.writer else []
        seen = set(map(id, todo))
        for node in todo:  # grows while it is walked
            nodes.append(node)
            for origin in map(self.origin, filter(None, node.inputs)):
                writer = self.writer.get(origin)
                if origin in ends:
                    reads[ends[origin]] = None
                elif writer is not None and id(writer) not in seen:
                    seen.add(id(writer))
                    todo.append(writer)
        return _Region(tuple(nodes), tuple(reads), frozenset(ends))

    @cached_property
    def layer_before(self) -> dict[str, str]:
        """Of each tensor: the layer with weights that writes it, or that is the fewest operators before it."""
        found: dict[str, tuple[int, str]] = {}
        for node in self.network.nodes:
            reached = [found[name] for name in node.inputs if name in found]
            layer = self._layer(node)
            if layer is not None:
                reached = [(0, layer)]
            if reached:
                operators, nearest = min(reached, key=lambda each: each[0])
                found |= dict.fromkeys(node.outputs, (operators + 1, nearest))
        return {name: layer for name, (_, layer) in found.items()}

    @cached_property
    def layers_behind(self) -> dict[str, list[str]]:
        """Of each tensor: the layers with weights that read it, across operators without, in order."""
        found: dict[str, dict[str, None]] = {}
        for node in reversed(self.network.nodes):
            layer = self._layer(node)
            behind = [layer] if layer is not None else [each for name in node.outputs for each in found.get(name, ())]
            for name in node.inputs:
                found.setdefault(name, {}).update(dict.fromkeys(behind))
        return {name: list(reversed(layers)) for name, layers in found.items()}

    def _layer(self, node: Node) -> str | None:
        """What a target's `layers` calls it, if it has weights."""
        return next((name for name in node.outputs[:1] if name in self.network.layers), None)

    def size(self, name: str) -> int:
        """How many values a constant has."""
        value = self.network.constant(name)
        return 0 if value is None else value.size

    def read_type(self, name: str) -> str:
        """The element type in which an operator takes `name`."""
        writer = self.writer.get(name)
        if self.network.folds_conversions and writer is not None and writer.kind.startswith("Dequantize"):
            name = writer.inputs[0]
        return self.network.types.get(name, "")

    @cached_property
    def storages(self) -> dict[str, Quantization]:
        """The first quantization of each tensor, by the tensor that its conversions start from."""
        found: dict[str, Quantization] = {}
        for name in (*self.network.inputs.values(), *self.writer):
            if name in self.network.quantized:
                found.setdefault(self.origin(name), self.network.quantized[name])
        return found


@dataclass(frozen=True)
class _Region:
    """Operators between tensors that both files know."""

    nodes: tuple[Node, ...]
    reads: tuple[str, ...]
    ends: frozenset[str]


def _common(plain: _Wiring, other: _Wiring) -> Iterator[tuple[str, str]]:
    """Name of each float tensor that both compute → its tensor in the other file, each once."""
    taken = set()
    inputs = {tensor: other.network.inputs.get(public, "") for public, tensor in plain.network.inputs.items()}
    written = {name: name for node in plain.network.nodes if not node.converts for name in node.outputs}
    for name, counterpart in (inputs | written).items():
        tensor = other.origin(counterpart)
        computed = tensor in other.writer or tensor in other.network.inputs.values()
        real = plain.network.types.get(name) == "float32" and bool(other.network.types.get(tensor))
        if computed and real and tensor not in taken:
            taken.add(tensor)
            yield name, tensor


def _pair(name: str, tensor: str, plain: _Wiring, other: _Wiring, computed: _Region, region: _Region) -> Pair:
    storage = other.storages.get(tensor)
    stored = storage.dtype if storage is not None else other.network.types[tensor]
    if not region.nodes:
        return Pair(name, tensor, INPUT, stored, storage, stored)
    constants = dict(_constants(plain, other, computed, region))
    weights, bias = ([*sorted(constants.items(), key=lambda pair: -plain.size(pair[0])), None, None])[:2]
    precision = _precision(region, other, None if weights is None else weights[1])
    return Pair(name, tensor, _kinds(computed.nodes), precision, storage, stored, region.reads, weights, bias)


def _with_what_it_follows(pair: Pair, before: Mapping[str, Pair]) -> Pair:
    """An operator without weights between integer operators is one of them, though it reads what is not yet rounded."""
    follows = {before[name].precision for name in pair.reads if name in before}
    joined = integer_precision(pair.stored)
    if pair.weights is None and pair.precision == "float32" and joined in follows:
        return replace(pair, precision=joined)
    return pair


def _settable(pair: Pair, plain: _Wiring) -> Pair:
    """With what a target's `layers` may say about it; the names are those of the float file."""
    behind = plain.layers_behind.get(pair.name, [])
    nearest = plain.layer_before.get(pair.name) or next(iter(behind), None)
    return replace(pair, settable=nearest, readers=tuple(behind))


def _kinds(nodes: Iterable[Node]) -> str:
    """In the order in which they compute."""
    kinds = list(dict.fromkeys(node.kind for node in reversed(list(nodes))))
    return "+".join(kinds if len(kinds) <= _SHOWN else [*kinds[: _SHOWN - 1], "…", kinds[-1]])


def _constants(plain: _Wiring, other: _Wiring, computed: _Region, region: _Region) -> Iterator[tuple[str, str]]:
    """Float constants with their counterparts: those at the same place of an operator of the same kind."""
    counterparts = list(_places(other, region))
    for place, name in _places(plain, computed):
        found = next((index for index, (where, _) in enumerate(counterparts) if where == place), None)
        if found is not None and plain.network.types.get(name) == "float32":
            yield name, counterparts.pop(found)[1]


def _places(wiring: _Wiring, region: _Region) -> Iterator[tuple[tuple[str, int], str]]:
    """The constants that operators read, each with the operator's kind and which of its inputs it is."""
    for node in region.nodes:
        for place, name in enumerate(node.inputs):
            origin = wiring.origin(name)
            if name and wiring.network.is_constant(origin):
                yield (node.kind.removesuffix("Integer"), place), origin


def _precision(region: _Region, other: _Wiring, weights: str | None) -> str:
    """How `region` computes, in the words of a target."""
    kinds = {node.kind for node in region.nodes}
    taken = [name for node in region.nodes for name in node.inputs if name]
    read = {other.read_type(name) for name in taken if other.origin(name) in region.ends}
    held = other.network.types.get(weights or "", "")
    if any(kind.endswith("Integer") for kind in kinds):
        return "dynamic"
    integers = set(map(integer_precision, read)) & INTEGERS.keys()
    if integers:
        return next(precision for precision in reversed(INTEGERS) if precision in integers)
    if held in ("int2", "int4", "uint4", "int8", "uint8"):
        hybrid = weights in taken and held in ("int8", "uint8")
        return "dynamic" if hybrid else f"weight_{held.removeprefix('u')}"
    return "float16" if "float16" in read | {held} else "float32"
