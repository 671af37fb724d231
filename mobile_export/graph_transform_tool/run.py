"""A list of transforms, run one after another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mobile_export.errors import ConversionError, ExportError, ModelError, TargetError, nearest
from mobile_export.graph_transform_tool.transform import Parameters
from mobile_export.graph_transform_tool.transforms import GRAPH_TRANSFORMS
from mobile_export.graphs.graph import Graph, TensorSpec, canonical, is_tensor, node_name
from mobile_export.transform_string import Call

IGNORE_ERRORS = "ignore_errors"
"""What every transform takes: whether the graph goes on unchanged when it cannot do its work."""


@dataclass(frozen=True)
class Transformed:
    """What came out.

    Attributes:
        graph: the graph.
        notes: what was passed over, a sentence each.
    """

    graph: Graph
    notes: tuple[str, ...]


def transform(graph: Graph, inputs: Sequence[str], outputs: Sequence[str], calls: Sequence[Call]) -> Transformed:
    """Run `calls` on `graph`, whose `inputs` and `outputs` (nodes or tensors) stay as they are.

    Raises:
        TargetError: a transform or the value of a parameter is not known, or an input or output can be no tensor.
        ModelError: the graph has no such output, or a transform cannot work on it.
        ConversionError: what a transform left is no graph.
    """
    for call in calls:
        check_call(call)
    for kind, names in (("inputs", inputs), ("outputs", outputs)):
        wrong = [name for name in names if not is_tensor(name)]
        if wrong:
            raise TargetError(f"{kind}: {wrong[0]!r} names no tensor; write NODE, or NODE:NUMBER for a later one of it")
    missing = [name for name in outputs if node_name(name) not in graph.nodes]
    if missing:
        raise ModelError(f"the graph has no output {missing[0]!r}{nearest(node_name(missing[0]), graph.nodes)}")
    graph = replace(graph, inputs=_specs(inputs, graph), outputs=_specs(outputs, graph))
    notes: list[str] = []
    for call in calls:
        notes += [f"{call.name}: has no parameter {name!r}; ignored" for name in unknown_parameters(call)]
        before, graph = graph, run_call(call, graph, notes.append)
        if graph is not before and graph.same_as(before):
            notes.append(f"{call.name}: changed nothing")
    return Transformed(graph, tuple(notes))


def check_call(call: Call) -> None:
    """Refuse what is no transform.

    Raises:
        TargetError: there is none of that name, or `ignore_errors` is neither true nor false.
    """
    if call.name not in GRAPH_TRANSFORMS:
        raise TargetError(f"there is no transform {call.name!r}{nearest(call.name, GRAPH_TRANSFORMS)}")
    Parameters(call.name, call.values).boolean(IGNORE_ERRORS, False)


def run_call(call: Call, graph: Graph, note: Callable[[str], object]) -> Graph:
    """What one transform makes of `graph`; where its errors are ignored, they go to `note`, and the graph stays.

    Raises:
        ExportError: it cannot do its work, or left no graph.
    """
    parameters = Parameters(call.name, call.values)
    try:
        after = GRAPH_TRANSFORMS[call.name].rewrite(graph, parameters)
        _check(call.name, graph, after)
    except ExportError as error:
        if not parameters.boolean(IGNORE_ERRORS, False):
            raise
        note(f"{call.name}: not done, and its errors are ignored: {error}")
        return graph
    return after


def unknown_parameters(call: Call) -> list[str]:
    """What `call` gives that its transform does not know."""
    known = {*GRAPH_TRANSFORMS[call.name].parameters, IGNORE_ERRORS}
    return [name for name in call.values if name not in known]


def _specs(names: Sequence[str], graph: Graph) -> tuple[TensorSpec, ...]:
    """Inputs or outputs as graphs hold them; the tool passes over inputs that are not there."""
    return tuple(TensorSpec(name, canonical(name), "", None) for name in names if node_name(name) in graph.nodes)


def _check(name: str, before: Graph, after: Graph) -> None:
    """Hold what a transform left to what every graph must be."""
    problems = after.problems()
    moved = [old.name for old, new in zip(before.outputs, after.outputs, strict=True) if old != new]
    if not GRAPH_TRANSFORMS[name].renames:
        problems += [f"the output {output!r} is no longer there" for output in moved]
    if problems:
        raise ConversionError(f"transform {name!r} broke the graph: {'; '.join(problems[:5])}")
