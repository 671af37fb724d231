"""A model's inputs and outputs: where they may be, and what is known of each."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec, attribute, canonical, format_shape, node_name, port
from mobile_export.graphs.names import identifiers, telling_part
from mobile_export.graphs.ops import PLACEHOLDERS, READERS, RUNNABLE, VARIABLES
from mobile_export.graphs.tensors import dtype_name, read_shape
from mobile_export.network.cones import Cones
from mobile_export.session import Session
from mobile_export.transforms.operators import output_dtype
from mobile_export.transforms.patterns import drop_unused_functions

_TENSOR = re.compile(r"[^:^]+(:\d+)?")

LISTED, MOST = 12, 64
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


def rank_inputs(graph: Graph) -> list[Candidate]:
    """Where the data of the graph's outputs may come in, the likeliest first.

    Placeholders are likely; default values that may be fed, and what an input pipeline brings, where there are none.
    Single numbers that have a default (a dropout rate, say) are for training.
    """
    cones = Cones(graph)
    free = sorted({tensor for spec in graph.outputs for tensor in cones.sources_of(node_name(spec.tensor))})
    kinds = {tensor: graph.nodes[node_name(tensor)].op for tensor in free}
    fed = [tensor for tensor in free if kinds[tensor] in ("Placeholder", "PlaceholderV2")]
    found = [Candidate(tensor, "placeholder that the outputs need", True) for tensor in fed]
    for tensor in (tensor for tensor in free if tensor not in fed):
        if kinds[tensor] != "PlaceholderWithDefault":
            found.append(
                Candidate(_renamed(graph, tensor), f"what the input pipeline ({kinds[tensor]}) brings", not fed)
            )
        elif declared(graph, "x", tensor).shape != ():
            found.append(Candidate(tensor, "has a default value that may be fed", not fed))
    return sorted(found, key=lambda candidate: not candidate.likely)[:MOST]


def _renamed(graph: Graph, tensor: str) -> str:
    """The last of the names that Identities have given what a pipeline brings, if nobody reads it under another."""
    consumers = graph.consumers()
    for _ in graph.nodes:
        readers = [node for node, index in consumers[node_name(tensor)] if canonical(node.input[index]) == tensor]
        if len(readers) != 1 or readers[0].op != "Identity":
            break
        tensor = f"{readers[0].name}:0"
    return tensor


def find_inputs(graph: Graph) -> list[str]:
    """Placeholders that the graph's outputs need; one with a default value is no input unless the target says so."""
    needed = graph.reachable(spec.tensor for spec in graph.outputs)
    return [
        f"{name}:0"
        for name, node in graph.nodes.items()
        if name in needed and node.op in ("Placeholder", "PlaceholderV2")
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
