"""Which tensors are the model's inputs and outputs: as the target names them, or as the graph shows."""

import difflib
import re
from collections.abc import Iterable, Sequence

from mobile_export.errors import ModelError
from mobile_export.graph import (
    Graph,
    TensorSpec,
    attribute,
    canonical,
    data_inputs,
    format_shape,
    node_name,
)
from mobile_export.ops import ASSERTIONS, LOSSES, PLACEHOLDERS, VARIABLES
from mobile_export.session import Session

# Sinks of a training graph that are no outputs, by operator and by the scope that TensorFlow's own training code uses.
_BOOKKEEPING = re.compile(
    r"(Assign|Scatter(Nd)?(Add|Sub|Update)|(Sparse|Resource)?(Sparse)?Apply|Resource|Save|Restore|Merge(Summary|V2Checkpoints)|"
    r".*Summary|.*Queue|.*Reader|.*Dataset|.*Iterator|NoOp$|Print|Assert|VarIsInitialized|IsVariableInitialized|"
    r"ShardedFilename|Timestamp|WriteFile)"
)
_TRAINING_SCOPE = re.compile(r"(^|/)(gradients(_\d+)?|save(_\d+)?|report_uninitialized_variables(_\d+)?)/")

_TRAINING_SWITCH = re.compile(
    r"(^|[/_])(is_?train(ing)?|train(ing)?(_?(mode|phase|flag))?|phase(_?train)?|keras_learning_phase)(_\d+)?$", re.I
)
_BOOL = 10  # TensorFlow's number

LISTED = 12
"""Candidates that an error shows."""


def find_outputs(graph: Graph) -> list[str]:
    """Tensors that look like the model's answers: what is left unread once training is taken away.

    Bookkeeping (assignments, gradients, savers, summaries, queues, assertions) is peeled off from the end, then losses
    and metrics (scalars, and what compares with labels), until a sink is left that the forward network computes.
    """
    alive = {name for name, node in graph.nodes.items() if not _is_bookkeeping(node.op, name)}
    readers = graph.consumers()
    while True:
        sinks = [name for name in graph.nodes if name in alive and not any(r.name in alive for r, _ in readers[name])]
        dropped = {name for name in sinks if not _can_answer(graph, name)}
        if not dropped:
            break
        alive -= dropped
    return [f"{name}:0" for name in _without_metrics(graph, sinks)]


def _is_bookkeeping(op: str, name: str) -> bool:
    return bool(_BOOKKEEPING.match(op)) or op in ASSERTIONS or bool(_TRAINING_SCOPE.search(name))


def _can_answer(graph: Graph, name: str) -> bool:
    node = graph.nodes[name]
    if node.op in VARIABLES | PLACEHOLDERS | LOSSES | {"Const", "ReadVariableOp"} or not data_inputs(node):
        return False
    return any(graph.nodes[n].op in PLACEHOLDERS or "Iterator" in graph.nodes[n].op for n in graph.reachable([name]))


def _without_metrics(graph: Graph, sinks: Sequence[str]) -> list[str]:
    """Of several sinks, those that read the fewest placeholders: losses and metrics read labels besides."""
    read = {name: _placeholders(graph, [name]) for name in sinks}
    return [name for name in sinks if not any(read[other] < read[name] for other in sinks)]


def _placeholders(graph: Graph, tensors: Iterable[str]) -> set[str]:
    return {name for name in graph.reachable(tensors) if graph.nodes[name].op in PLACEHOLDERS}


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
    if node_name(tensor) in graph.nodes:
        return canonical(tensor)
    near = difflib.get_close_matches(node_name(tensor), graph.nodes, n=3, cutoff=0.5)
    hint = f"; the nearest names are {', '.join(repr(n + ':0') for n in near)}" if near else ""
    raise ModelError(f"{key}: the model has no tensor {tensor!r}{hint}")


def describe(graph: Graph, tensors: Sequence[str], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """Specs of `tensors` under public `names`, dtypes and shapes as TensorFlow infers them."""
    part = Graph(graph.nodes, graph.constants, library=graph.library, versions=graph.versions)
    with Session(part) as session:
        return tuple(
            TensorSpec(name, canonical(tensor), session.dtype(tensor), session.shape(tensor))
            for name, tensor in zip(names, tensors, strict=True)
        )


def public_name(tensor: str) -> str:
    """A public name from a tensor's: its last part, as an identifier."""
    name = re.sub(r"\W", "_", node_name(tensor).rpartition("/")[2]) or "tensor"
    return f"_{name}" if name[0].isdigit() else name


def ambiguous(graph: Graph, kind: str, specs: Sequence[TensorSpec]) -> ModelError:
    """The error for several (or no) candidates, with the lines to paste into the target."""
    if not specs:
        return ModelError(
            f"no {kind} was found in the model; name it in the target:\n{_paste(kind, 'NAME', 'NODE:0')}"
        )
    listed = "\n".join(f"  {spec.tensor}  {spec.dtype}{format_shape(spec.shape)}" for spec in specs[:LISTED])
    more = f"\n  and {len(specs) - LISTED} more" if len(specs) > LISTED else ""
    lines = "\n".join(_paste(kind, spec.name, spec.tensor) for spec in specs[:LISTED])
    return ModelError(
        f"the model has {len(specs)} candidates for its {kind}s:\n{listed}{more}\n"
        f"keep those that the app needs of these lines in the target:\n{lines}"
    )


def _paste(kind: str, name: str, tensor: str) -> str:
    return f'[[model.{kind}s]]\nname = "{name}"\ntensor = "{tensor}"'
