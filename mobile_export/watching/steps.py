"""The steps in which a runtime computes a file, as far as what they write can be watched."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from mobile_export.watching.network import Network, Node

_REAL = ("float16", "float32", "float64")
_WHOLE = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))


@dataclass(frozen=True)
class Step:
    """One operator, or several that are computed as one.

    Attributes:
        tensor: what it writes.
        name: what people know this by: the tensor before it is converted to the type in which it is kept, or after it
            is converted back, whichever has been left the shorter name.
        operator: its kind, as the format calls it; joined by + where there are several.
        reads: what other steps have written, of what it reads.
        quantizes: whether it quantizes what it reads as it runs, to compute in integers.
    """

    tensor: str
    name: str
    operator: str
    reads: tuple[str, ...]
    quantizes: bool = False


def steps(network: Network) -> list[Step]:
    """All of them, in the order in which they compute."""
    writers = {name: (place, node) for place, node in enumerate(network.nodes) for name in node.outputs if name}
    watched = _watched(network)
    found = [_step(network, name, writers, watched) for name in writers if name in watched]
    real = {node.inputs[0]: node.outputs[0] for node in network.nodes if node.converts}
    again = {tensor: name for tensor, name in real.items() if name in network.fused}
    return [replace(step, name=min(step.name, again.get(step.tensor, step.name), key=len)) for step in found]


def _watched(network: Network) -> Collection[str]:
    """What steps write: values of samples.

    Not what is made of constants alone: fed, it would be no constant, and other kernels would take it. Nor sizes and
    places, for the same reason, nor what they shape, since LiteRT does not give out what has no size before it runs;
    unless they are what the file answers.
    """
    read = {name for node in network.nodes for name in node.inputs}
    constant: set[str] = set()
    sizes: set[str] = set()
    found = []
    for node in network.nodes:
        if node.inputs and all(not name or name in constant or network.is_constant(name) for name in node.inputs):
            constant |= set(node.outputs)
            continue
        shaped = not sizes.isdisjoint(node.inputs)
        for name in filter(None, node.outputs):
            dtype = network.types.get(name, "")
            if dtype in _WHOLE and name not in network.quantized:
                sizes.add(name)
            if dtype in (*_REAL, *_WHOLE) and (name not in read or not (shaped or name in sizes)):
                found.append(name)
    return dict.fromkeys(name for name in found if name not in network.fused)


def _step(network: Network, tensor: str, writers: Mapping[str, tuple[int, Node]], watched: Collection[str]) -> Step:
    todo = {tensor: None}
    nodes: dict[int, Node] = {}
    reads: dict[str, None] = {}
    while todo:
        place, node = writers[todo.popitem()[0]]
        nodes[place] = node
        reads |= dict.fromkeys(name for name in node.inputs if name in watched)
        todo |= dict.fromkeys(
            n for n in node.inputs if n in writers and n not in watched and writers[n][0] not in nodes
        )
    ordered = [nodes[place] for place in sorted(nodes)]
    computing = [node for node in ordered if not node.converts] or ordered
    name = tensor if tensor in computing[-1].outputs else computing[-1].outputs[0]
    kinds = "+".join(dict.fromkeys(node.kind for node in computing))
    return Step(tensor, name, kinds, tuple(reads), any(_quantizes(network, node) for node in computing))


def _quantizes(network: Network, node: Node) -> bool:
    """Whether an operator has real values multiplied with integers that stand for real values."""
    if node.kind == "DynamicQuantizeLinear":
        return True
    real = [name for name in (*node.inputs, *node.outputs) if network.types.get(name) in _REAL]
    return len(real) > 1 and any(network.is_constant(name) for name in node.inputs if name in network.quantized)
