"""Rewrites of a Graph, one a file, and the runner that proves each of them after it ran."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mobile_export import machine
from mobile_export.errors import ConversionError, ModelError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.ops import RANDOM
from mobile_export.graphs.tensors import Array
from mobile_export.runner import run_samples
from mobile_export.samples import Samples
from mobile_export.session import PROBE_SECONDS, Session, import_tensorflow
from mobile_export.transforms.drop_control_edges import drop_control_edges
from mobile_export.transforms.drop_unread_results import drop_unread_results
from mobile_export.transforms.fold_affine import fold_affine
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.lower_case import lower_case
from mobile_export.transforms.merge_duplicates import merge_duplicates
from mobile_export.transforms.propagate_constants import propagate_constants
from mobile_export.transforms.remove_dropout import remove_dropout
from mobile_export.transforms.remove_identities import remove_identities
from mobile_export.transforms.resolve_switches import resolve_switches
from mobile_export.transforms.sort import sort
from mobile_export.transforms.strip import strip


@dataclass(frozen=True)
class Transform:
    """A rewrite and what it promises.

    Attributes:
        rewrite: a pure function; it may leave unreachable nodes to `strip`.
        tolerance: how far an output may move, as a fraction of the largest magnitude among that output's reference
            values; 0 promises the same bits.
    """

    rewrite: Callable[[Graph], Graph]
    tolerance: float = 0.0


TRANSFORMS: dict[str, Transform] = {
    "strip": Transform(strip),
    "lower_case": Transform(lower_case),
    "inline_functions": Transform(inline_functions),
    "resolve_switches": Transform(resolve_switches),
    "drop_control_edges": Transform(drop_control_edges),
    "drop_unread_results": Transform(drop_unread_results),
    "remove_dropout": Transform(remove_dropout),
    "remove_identities": Transform(remove_identities),
    "propagate_constants": Transform(propagate_constants),
    "fold_affine": Transform(fold_affine, tolerance=1e-4),
    "merge_duplicates": Transform(merge_duplicates),
    "sort": Transform(sort),
}
"""By the name that `[transforms] passes` uses."""

DEFAULT = tuple(TRANSFORMS)
"""All of them, in the order in which they help each other."""

INFERENCE = (
    "strip",
    "lower_case",
    "inline_functions",
    "resolve_switches",
    "drop_control_edges",
    "drop_unread_results",
    "remove_dropout",
)
"""What turns a training graph into the network that is served; everything is compared with its answers."""


@dataclass(frozen=True)
class Applied:
    """What one transform did: node counts, and how far outputs moved (None where they could not be compared)."""

    name: str
    nodes_before: int
    nodes_after: int
    difference: float | None


def apply(graph: Graph, steps: Sequence[tuple[str, Transform]], probe: Samples | None) -> tuple[Graph, list[Applied]]:
    """Run `steps` on `graph`, and hold the result of each to its promise.

    The graphs between them answer to the probe in threads, as many as this process has, while the steps go on.

    Args:
        graph: well-formed.
        steps: names (for messages) and transforms, in order.
        probe: samples to run before and after; None checks the structure alone.

    Raises:
        ConversionError: a transform broke the graph, its inputs or outputs, or moved an output too far; the first that
            did, whatever others do to its graph.
    """
    if probe is not None:
        import_tensorflow()  # which is not for threads
    with ThreadPoolExecutor(machine.threads()) as pool:
        answers = pool.submit(_answers, graph, probe)
        applied: list[_Step] = []
        try:
            try:
                for name, transform in steps:
                    before, graph = graph, transform.rewrite(graph)
                    _check_structure(name, before, graph)
                    old = answers
                    answers = old if graph.same_as(before) else pool.submit(_answers, graph, probe, name)
                    counts = len(before.nodes), len(graph.nodes)
                    applied.append(_Step(name, transform.tolerance, counts, old, answers))
            finally:
                log = [step.proved() for step in applied]
            answers.result()  # a graph that does not run is refused, steps or none
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return graph, log


@dataclass(frozen=True)
class _Step:
    """A transform that has run: its node counts before and after, and answers that may be still to come."""

    name: str
    tolerance: float
    counts: tuple[int, int]
    before: "Future[Samples | None]"
    after: "Future[Samples | None]"

    def proved(self) -> Applied:
        """What it did; raises ConversionError where that is not what it promises."""
        before, after = self.before.result(), self.after.result()
        difference = 0.0 if self.after is self.before else _difference(before, after)
        if difference is not None and not difference <= self.tolerance:
            raise ConversionError(
                f"transform {self.name!r} moved the outputs by {difference:.3g} of their magnitude, more than the "
                f"{self.tolerance:.3g} it promises: leave it out of [transforms] passes, and report it"
            )
        return Applied(self.name, *self.counts, difference)


def named(names: Sequence[str]) -> list[tuple[str, Transform]]:
    """The steps of `apply` for transform names."""
    return [(name, TRANSFORMS[name]) for name in names]


def _answers(graph: Graph, probe: Samples | None, step: str | None = None) -> Samples | None:
    """Outputs for `probe`; None without a probe, or when random operators make every run different."""
    if probe is None or any(node.op in RANDOM for node in graph.nodes.values()):
        return None
    try:
        with Session(graph, seconds=PROBE_SECONDS) as session:
            return run_samples(session, probe)
    except ModelError as error:
        if step is None:
            raise
        raise ConversionError(f"after transform {step!r}, {error}") from error


def _difference(before: Samples | None, after: Samples | None) -> float | None:
    if before is None or after is None:
        return None
    return max(relative_difference(before[name], after[name]) for name in before)


def relative_difference(reference: Array, other: Array) -> float:
    """Largest |reference - other| over the largest |reference|; inf where shape, dtype or finiteness differ."""
    if reference.shape != other.shape or reference.dtype != other.dtype:
        return float("inf")
    if reference.dtype.kind not in "fiu":
        return 0.0 if np.array_equal(reference, other) else float("inf")
    first, second = reference.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(first)
    same_others = np.array_equal(first[~finite], second[~finite], equal_nan=True)
    if not (same_others and np.isfinite(second[finite]).all()):
        return float("inf")
    worst = float(np.abs(first[finite] - second[finite]).max(initial=0.0))
    return worst / max(float(np.abs(first[finite]).max(initial=0.0)), float(np.finfo(np.float32).tiny))


def _check_structure(name: str, before: Graph, after: Graph) -> None:
    problems = after.problems()
    for kind, old, new in (("input", before.inputs, after.inputs), ("output", before.outputs, after.outputs)):
        if [(s.name, s.dtype) for s in old] != [(s.name, s.dtype) for s in new]:
            problems.append(f"the {kind}s changed from {', '.join(map(str, old))} to {', '.join(map(str, new))}")
    if problems:
        raise ConversionError(f"transform {name!r} broke the graph: {'; '.join(problems[:5])}")
