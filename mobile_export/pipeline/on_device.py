"""One written file on one device: what it answers there, against what it answers here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mobile_export.checks import Evidence, Measurement, device, moved
from mobile_export.checks.device import magnitudes
from mobile_export.checks.parity import parity
from mobile_export.data.preprocess import Preprocessed, real
from mobile_export.devices import Device, device_named
from mobile_export.errors import ConversionError, ModelError, NotRunnableError
from mobile_export.formats import FORMATS
from mobile_export.graphs.tensors import Array
from mobile_export.metrics import make_metric
from mobile_export.metrics.metric import sign
from mobile_export.pipeline.drawing import Drawn, load_drawn
from mobile_export.pipeline.scoring import scored_output
from mobile_export.pipeline.work import SCORED
from mobile_export.runner import run_samples
from mobile_export.samples import Samples, load_samples, map_samples
from mobile_export.sampling import EVALUATION, outside, ready
from mobile_export.target import Artifact, Target
from mobile_export.watching.differing import Differences, Differing, differing

Numbers = dict[str, float]
"""What the checks measure, by name, of the samples that a device ran."""


@dataclass(frozen=True)
class Ran:
    """What `run_on` found about one file on one device.

    Attributes:
        device: its name.
        runtime: what ran the file there, for people.
        samples: how many were run.
        results: what was measured there, by check.
        here, there: what parity and accuracy are on these samples.
        operators: those at fault, where answers differ by more than is allowed.
        skipped: why nothing was run there, where nothing was.
    """

    device: str
    runtime: str
    samples: int = 0
    results: dict[str, list[Measurement]] = field(default_factory=dict)
    here: Numbers = field(default_factory=dict)
    there: Numbers = field(default_factory=dict)
    operators: tuple[Differing, ...] = ()
    skipped: str = ""

    def judged(self, here: Mapping[str, Sequence[Measurement]]) -> dict[str, list[Measurement]]:
        """By check, what was measured there and what was measured `here` on all samples, moved to what it is there."""
        carried = {check: moved(measurements, self.here, self.there) for check, measurements in here.items()}
        return self.results | {check: measurements for check, measurements in carried.items() if measurements}


def run_on(target: Target, artifact: Artifact, path: Path, device_name: str, folder: Path) -> Ran:
    """Run a written file on a device and here, on the same samples in the same batches, and compare.

    Where the batch is dynamic, samples are run one by one, as an app does: LiteRT's CompiledModel does not run every
    file whose inputs are resized.

    Args:
        artifact: of a precision that was found, where it was searched for.
        folder: the work folder; the reference has run.

    Raises:
        ConversionError: the file does not load there, or its runtime died.
    """
    where = device_named(device_name)
    ran = Ran(device_name, where.runtime(artifact.format))
    drawn = load_drawn(folder)
    file = FORMATS[artifact.format].open(path)
    try:
        here = run_samples(Preprocessed(file, outside(target)), drawn.samples, most=1)
    except NotRunnableError as error:  # `measure` says what that means
        return replace(ran, skipped=str(error))
    try:
        with where.open(artifact.format, path) as runner:
            there = run_samples(Preprocessed(runner, outside(target)), drawn.samples, most=1)
    except NotRunnableError as error:
        note = f"{error}; leave {device_name} out of its runs_on"
        failed = Measurement("run", 0, len(drawn.rows), at_least=True, note=note)
        return replace(ran, results={"run": [failed]}, skipped=str(error))
    except ConversionError as error:
        raise ConversionError(f"artifact {artifact.name!r} on {device_name}: {error}") from error
    (found,) = device({artifact.precision, *artifact.layers.values()}, here, there, artifact.limits)
    operators: tuple[Differing, ...] = ()
    if not found.passed:
        taken = ready(drawn.samples, outside(target), map(real, file.inputs))
        worst = worst_first(here, there)
        feeds = {name: array[worst] for name, array in taken.items()}
        found, operators = _at_fault(found, artifact, path, where, feeds)
    numbers = [_numbers(target, artifact, answers, drawn, folder) for answers in (here, there)]
    return replace(
        ran,
        samples=len(drawn.rows),
        results={"device": [found]},
        here=numbers[0],
        there=numbers[1],
        operators=operators,
    )


def _at_fault(
    missed: Measurement, artifact: Artifact, path: Path, device: Device, feeds: Samples
) -> tuple[Measurement, tuple[Differing, ...]]:
    """The operators that make the difference, and the measurement with what else is to be said of it.

    Args:
        feeds: samples as the file takes them, in real values; the first of them are looked into.
    """
    try:
        found = differing(artifact.format, path, device, feeds)
    except (ConversionError, ModelError) as error:  # parts of a file may not run where the whole file does
        found = Differences(note=f"its operators cannot be run one by one: {error}")
    said = found.note or ("" if found.operators else "every operator agrees within rounding; the limit is below that")
    note = "; ".join(filter(None, (missed.note, said)))
    return replace(missed, note=note), found.operators


def worst_first(here: Samples, there: Samples) -> Array:
    """The places of samples, those first whose answers differ most, as `checks.device` measures it."""
    apart = np.zeros(len(next(iter(here.values()))))
    for name, answer in here.items():
        other = there.get(name)
        if (
            other is not None
            and answer.size
            and answer.shape == other.shape
            and {answer.dtype.kind, other.dtype.kind} <= set("fiub")
        ):
            expected = answer.astype(np.float64)
            with np.errstate(invalid="ignore"):  # of what is infinite on both sides
                furthest = (np.abs(other - expected) / magnitudes(expected)).reshape(len(apart), -1).max(axis=1)
            apart = np.maximum(apart, np.nan_to_num(furthest, nan=np.inf))
    return np.argsort(-apart, kind="stable")


def _numbers(target: Target, artifact: Artifact, answers: Samples, drawn: Drawn, folder: Path) -> Numbers:
    """What parity and accuracy are on these samples, by the names of their limits."""
    evidence = Evidence(artifact.precision, drawn.answers, answers, scores=None, size=0, zipped_size=0, frozen_size=0)
    return {one.name: one.value for one in parity(evidence, artifact.limits)} | _scores(target, answers, drawn, folder)


def _scores(target: Target, answers: Samples, drawn: Drawn, folder: Path) -> Numbers:
    """The score, as far as these samples tell that of all, and how much worse it is than the reference's."""
    evaluation = target.data.evaluation
    if evaluation is None:
        return {}
    metric = make_metric(evaluation.metric)
    labels = map_samples(folder / EVALUATION)[evaluation.labels][drawn.rows]
    kept = metric.statistics(answers[scored_output(evaluation, list(answers))], labels)
    expected = load_samples(folder / SCORED)["statistics"][drawn.rows]
    score, reference = (float(metric.score(one, drawn.weights[None])[0]) for one in (kept, expected))
    return {"accuracy": score, "accuracy_drop": sign(metric) * (reference - score)}
