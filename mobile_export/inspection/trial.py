"""Trying what can be made of a model, by making it: every format written, loaded and compared, as a build does it.

Nothing here stops at the first refusal: each is a finding.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mobile_export import workers
from mobile_export.errors import ConversionError, ExportError
from mobile_export.formats import FORMATS, Request
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.inspection import census
from mobile_export.inspection.findings import Ready, Verdict
from mobile_export.pipeline import OPTIMIZED, measure, prepare, refer, write
from mobile_export.planning.plan import request_for
from mobile_export.target import Artifact, Model, Target

Shape = tuple[int, ...] | None


def make_ready(model: Model, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], folder: Path) -> Ready:
    """Prepare `model` in a worker, as a build would: with batches of 1, or as it was saved where it does not take that.

    Other sizes that are not known stay dynamic.

    Args:
        model: names all of its inputs and outputs.
        inputs, outputs: as they were saved.
        folder: where `try_formats` finds what it needs.

    Raises:
        ExportError: nothing can be made of the model; says why, of the first way that was tried.
    """
    refusals: list[ExportError] = []
    for shapes in _shapes(inputs, outputs):
        named = zip(model.inputs, shapes, strict=True)
        shaped = model.model_copy(update={"inputs": tuple(i.model_copy(update={"shape": s}) for i, s in named)})
        target = _target(shaped, [])
        try:
            prepared = prepare(target, folder)
            refer(target, folder)
        except ExportError as error:
            refusals.append(error)
            continue
        network = census.network(Graph.load(folder / OPTIMIZED))
        return Ready(shaped, prepared.inputs, prepared.outputs, network, prepared.frozen_size)
    raise refusals[0]


def _shapes(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> list[tuple[Shape, ...]]:
    """The shapes to try the inputs with, the best first."""
    rows = {spec.shape[0] if spec.shape else -1 for spec in outputs}
    single = tuple(_single(spec.shape, rows) for spec in inputs)
    return list(dict.fromkeys([single, tuple(spec.shape for spec in inputs)]))


def _single(shape: Shape, rows: Iterable[int]) -> Shape:
    """`shape` for a batch of 1; the first size is a batch where it is not known, or outputs have as many rows."""
    if not shape or (shape[0] > 0 and {-1, shape[0]}.isdisjoint(rows)):
        return shape
    return (1, *shape[1:])


def try_formats(
    ready: Ready,
    folder: Path,
    precisions: Mapping[str, Sequence[str]],
    jobs: int,
    watcher: workers.Watcher | None = None,
) -> list[Verdict]:
    """Write and measure every format, one beside the other; their refusals are verdicts, too.

    Args:
        folder: as `make_ready` left it; files are written there.
        precisions: of each format, those that are tried.
    """
    tasks = [
        workers.Task(f"try {name}", try_format, (ready, name, wanted, folder)) for name, wanted in precisions.items()
    ]
    try:
        found = workers.run(tasks, jobs, watcher)
    except ConversionError:  # a worker died, and took the others along
        found = [_try_alone(task, watcher) for task in tasks]
    return [verdict for verdicts in found for verdict in verdicts]


def _try_alone(task: workers.Task, watcher: workers.Watcher | None) -> list[Verdict]:
    try:
        (found,) = workers.run([task], 1, watcher)
    except ConversionError as error:
        _, name, wanted, _ = task.arguments
        return [Verdict(name, precision, "refused", reason=str(error)) for precision in wanted]
    verdicts: list[Verdict] = found
    return verdicts


def try_format(ready: Ready, name: str, precisions: Sequence[str], folder: Path) -> list[Verdict]:
    """Write and measure the files of one format; in a worker."""
    artifacts = [Artifact(name=f"{name}_{precision}", format=name, precision=precision) for precision in precisions]
    paths = {artifact.name: folder / f"{artifact.name}{FORMATS[name].suffix}" for artifact in artifacts}
    refused = _write(name, folder, [request_for(artifact, paths[artifact.name]) for artifact in artifacts])
    return [
        Verdict(name, artifact.precision, "refused", reason=refused[artifact.name])
        if artifact.name in refused
        else _measure(ready, artifact, paths[artifact.name], folder)
        for artifact in artifacts
    ]


def _write(name: str, folder: Path, requests: Sequence[Request]) -> dict[str, str]:
    """Write all files, or else each by itself; returns why some were not written, by artifact."""
    try:
        write(name, folder, requests)
    except ExportError as error:
        if len(requests) == 1:
            return {requests[0].artifact: str(error)}
        return {key: why for request in requests for key, why in _write(name, folder, [request]).items()}
    return {}


def _measure(ready: Ready, artifact: Artifact, path: Path, folder: Path) -> Verdict:
    try:
        found = measure(_target(ready.model, [artifact]), artifact, path, ready.frozen_size, folder)
    except ExportError as error:
        return Verdict(artifact.format, artifact.precision, "refused", reason=str(error))
    if found.unchecked is not None:
        return Verdict(artifact.format, artifact.precision, "unchecked", found.size, found.unchecked)
    missed = [m for measurements in found.results.values() for m in measurements if not m.passed]
    reason = "; ".join(f"{m.name} is {m.value:.3g}, and {m.asked} is asked{m.note and f' ({m.note})'}" for m in missed)
    return Verdict(artifact.format, artifact.precision, "differs" if missed else "ok", found.size, reason)


def _target(model: Model, artifacts: Sequence[Artifact]) -> Target:
    return Target(name="trial", model=model, artifacts=tuple(artifacts))
