"""Searching the smallest file that holds all limits of an artifact, from the convertible graph to the file."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mobile_export import workers
from mobile_export.errors import ConversionError, TargetError
from mobile_export.executors import Crew
from mobile_export.formats import QUANTIZABLE, Layer, Request
from mobile_export.formats.format import calibrated_requests
from mobile_export.pipeline import MEASURED_WITH, calibrate, convert, layers
from mobile_export.planning.plan import request_for
from mobile_export.quantize.scheme import Scheme
from mobile_export.scheduling import Task
from mobile_export.search.bench import Job, write_file
from mobile_export.search.evaluate import Evaluator
from mobile_export.search.journal import Journal
from mobile_export.search.rounds import Budget, run_rounds
from mobile_export.search.strategy import FLOATS, Space, strategy
from mobile_export.search.trail import Trail, Trial
from mobile_export.search.wording import conclusion
from mobile_export.target import Artifact, Target

GROUPS = 32
"""Groups of layers whose sensitivity is measured, at most; a search of few candidates has fewer."""
LOOKUPS = frozenset({"GATHER", "EMBEDDING_LOOKUP"})
"""Layers that only choose rows of their weights."""
SHARE = 4
"""The share of its candidates that a search may spend on the groups of one precision is one in that many."""


@dataclass(frozen=True)
class Found:
    """How a search ended: its file lies where it was asked for.

    Attributes:
        chosen: that file, as it was tried: the smallest that holds all limits, or else the one that comes nearest.
        sentence: what was chosen, and why.
        trail: all that was tried.
        engine: what quantized the file; empty where nothing did.
    """

    chosen: Trial
    sentence: str
    trail: Trail
    engine: str

    @property
    def scheme(self) -> Scheme:
        """How the file's numbers are stored and computed."""
        return self.chosen.scheme

    @property
    def latency_ratio(self) -> float | None:
        """As the search measured it; None where it did not."""
        return next((r.value for r in self.chosen.outcome.readings if r.name == "latency_ratio"), None)


def find(
    folder: Path, job: Job, out: Path, *, crew: Crew, journal: Journal, watcher: workers.Watcher | None = None
) -> Found:
    """Search the smallest file that holds all of the artifact's limits, and write it to `out`.

    Args:
        folder: the build's work folder, with the optimized graph, the samples and the reference's answers.
        crew: tries the files; their latency is measured here.
        journal: of this search and no other.

    Raises:
        TargetError: there is nothing to choose from, or a metric that the crew does not have.
        ConversionError: the converter fails, or no precision can be written.
    """
    target, artifact = job.target, job.artifact
    code = target.data.evaluation.metric.code if target.data.evaluation else None
    if code is not None and crew.remote:
        raise TargetError(
            f"--executor: the metric {code.module}:{code.name} is your own code, which is not sent to a cluster; leave "
            "--executor out"
        )
    uniform = _uniform(target, artifact)
    ranges = QUANTIZABLE[artifact.format].choices.get("ranges", ("minmax",))
    requests = [request_for(artifact, out, job.about, Scheme(p, ranges=choice)) for p in uniform for choice in ranges]
    shared = folder / job.shared
    found = _converted(job, folder, shared, requests, watcher)
    place = crew.share(folder, [job.shared, *MEASURED_WITH])
    evaluator = Evaluator(crew, job, folder, place, journal, watcher, partial(objection, artifact, found))
    budget = Budget(artifact.search.seconds, artifact.search.candidates)
    trail = run_rounds(strategy(_space(artifact, uniform, found)), evaluator, budget)
    chosen = trail.best or trail.nearest
    if chosen is None:
        notes = [trial.outcome.note for trial in trail.trials if trial.outcome.note]
        why = notes[0] if notes else f"the search ended after {trail.ended}; give it more in search"
        raise ConversionError(f"artifact {artifact.name!r}: nothing could be tried: {why}")
    engine = _run(f"{target.name}: write {artifact.name}", watcher, write_file, folder, job, chosen.scheme, out)
    return Found(chosen, conclusion(trail, chosen, len(found), artifact.limits), trail, engine)


def _converted(
    job: Job, folder: Path, shared: Path, requests: list[Request], watcher: workers.Watcher | None
) -> tuple[Layer, ...]:
    """Leave in `shared` what all files of the search share; the layers of the model."""
    name, form = f"{job.target.name}: convert {job.artifact.name}", job.artifact.format
    converted = Task(name, convert, (form, folder, shared, requests))
    tasks = [converted, Task(f"{name}, its layers", layers, (form, shared), after=(converted,))]
    calibrated = calibrated_requests(QUANTIZABLE[form], requests)
    if calibrated:
        ranges = Task(f"{name}, its ranges", calibrate, (form, folder, shared, calibrated), after=(converted,))
        tasks.append(ranges)
    found: tuple[Layer, ...] = workers.run(tasks, 2, watcher)[1]
    return found


def _run(name: str, watcher: workers.Watcher | None, function: Callable[..., Any], *arguments: Any) -> Any:
    (result,) = workers.run([workers.Task(name, function, arguments)], 1, watcher)
    return result


def _uniform(target: Target, artifact: Artifact) -> tuple[str, ...]:
    """Precisions that a whole file may have."""
    unit = QUANTIZABLE[artifact.format]
    integer = artifact.compute == "integer" or artifact.allow_float_operators is False
    found = [p for p in unit.precisions if not integer or p in unit.calibrated]
    if target.data.calibration is None:
        found = [p for p in found if p not in unit.calibrated]
    if not found:
        raise TargetError(
            f"artifact {artifact.name!r}: files that compute in integers need calibration data; add [data] calibration"
        )
    return tuple(found)


def objection(artifact: Artifact, layers: tuple[Layer, ...], scheme: Scheme) -> str:
    """Of a mixture in which nothing computes in integers, where the target asks for that: lookups compute nothing."""
    computing = [scheme.of(layer.name) for layer in layers if layer.operator.upper() not in LOOKUPS]
    integers = QUANTIZABLE[artifact.format].calibrated
    if artifact.compute == "integer" and computing and not any(precision in integers for precision in computing):
        return "no layer would compute in integers"
    return ""


def _space(artifact: Artifact, uniform: tuple[str, ...], layers: tuple[Layer, ...]) -> Space:
    unit = QUANTIZABLE[artifact.format]
    exceptions = () if artifact.allow_float_operators is False else FLOATS
    levels = [p for p in unit.layer_precisions if p in uniform or p in exceptions]
    groups = max(2, min(GROUPS, artifact.search.candidates // SHARE))
    return Space(uniform, tuple(levels), layers, unit.calibrated, unit.choices, groups)
