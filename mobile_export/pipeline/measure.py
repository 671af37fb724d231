"""One written file: what it answers on its runtime, how long that takes, and what the checks say to it."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from mobile_export.checks import CHECKS, Evidence, Measurement, Scores, judge
from mobile_export.data.preprocess import Preprocessed, real
from mobile_export.deflate import deflated_size
from mobile_export.errors import NotRunnableError
from mobile_export.formats import FORMATS, QUANTIZABLE, Request
from mobile_export.kernels.files import kernel_classes, needed_by
from mobile_export.kernels.runtimes import INSTALLED, load_runtime
from mobile_export.metrics import make_metric
from mobile_export.pipeline.scoring import score_samples
from mobile_export.pipeline.work import ANSWERS, SCORED
from mobile_export.pipeline.write import write
from mobile_export.published.artifact_files import artifact_hash, artifact_size, files_of
from mobile_export.runner import Edge, Runner, run_samples
from mobile_export.samples import Samples, load_samples
from mobile_export.sampling import PARITY, outside, ready
from mobile_export.target import RUN_BY_KERNELS, Artifact, Target
from mobile_export.timing import latency_ratio

MOSTLY = 0.5
"""The share of weights from which on they are most of a file."""
GOLDEN_SAMPLES = 2
"""Samples recorded with their answers in golden.npz."""


@dataclass(frozen=True)
class Measured:
    """What `measure` found about one file.

    Attributes:
        sha256: of the file, or of the files of a folder; see `artifact_hash`.
        unchecked: why its answers could not be checked, where they could not.
        remark: what its precision makes people believe that is not so.
        kernels: for a file that TensorFlow runs, the classes of the kernels that it needs, by operator.
    """

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    sha256: str
    size: int
    zipped_size: int
    results: dict[str, list[Measurement]]
    golden: Samples
    unchecked: str | None = None
    remark: str = ""
    kernels: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every limit holds."""
        return all(m.passed for measurements in self.results.values() for m in measurements)


def measure(
    target: Target, artifact: Artifact, path: Path, frozen_size: int, folder: Path, latency: float | None = None
) -> Measured:
    """Run a written file in its runtime, and judge it.

    Args:
        latency: what `measure_latency` measured, alone on the machine; None where the target does not limit it.

    Raises:
        ConversionError: the runtime does not load it.
    """
    file = FORMATS[artifact.format].open(path)
    runner = Preprocessed(file, outside(target))
    parity = load_samples(folder / PARITY)
    first = {name: array[:GOLDEN_SAMPLES] for name, array in parity.items()}
    taken = ready(first, outside(target), map(real, file.inputs))
    golden = {f"inputs/{name}": array for name, array in taken.items()}
    golden |= {f"raw/{name}": array for name, array in first.items() if name in outside(target)}
    digest = artifact_hash(path)
    size, zipped_size = artifact_size(path), sum(map(deflated_size, files_of(path)))
    drawn = target.data.evaluation is None and target.data.calibration is None
    kernels, lacking = _kernels(artifact, path)
    unmeasured = Evidence(
        artifact.precision,
        reference={},
        answers={},
        scores=None,
        size=size,
        zipped_size=zipped_size,
        frozen_size=frozen_size,
        drawn=drawn,
        lacking_kernels=lacking,
        latency_ratio=latency,
    )
    try:
        answers = run_samples(runner, parity)
    except NotRunnableError as error:
        results = judge(unmeasured, artifact.limits, {"size": CHECKS["size"]})
        if not artifact.allow_unchecked:
            results["run"] = [_not_run(error, len(next(iter(parity.values()))))]
        return Measured(file.inputs, file.outputs, digest, size, zipped_size, results, golden, str(error))
    reference = load_samples(folder / ANSWERS)
    evidence = replace(unmeasured, reference=reference, answers=answers, scores=_scores(target, runner, folder))
    golden |= {f"answers/{artifact.name}/{name}": array[:GOLDEN_SAMPLES] for name, array in answers.items()}
    results = judge(evidence, artifact.limits)
    return Measured(
        file.inputs, file.outputs, digest, size, zipped_size, results, golden, None, _remark(artifact, path), kernels
    )


def measure_latency(target: Target, artifact: Artifact, path: Path, folder: Path) -> float:
    """Time of an answer of a written file, over that of the float32 file of its format.

    Both run by turns in one thread, so that what slows the machine down slows both. To be called when nothing else
    runs.
    """
    form = QUANTIZABLE[artifact.format]
    baseline = folder / f"float32{form.suffix}"
    if not baseline.exists():
        write(artifact.format, folder, [Request(artifact.name, baseline)])
    samples = load_samples(folder / PARITY)
    timed, other = (form.open(each, threads=1) for each in (path, baseline))
    return latency_ratio(timed, other, samples, outside(target))


def _kernels(artifact: Artifact, path: Path) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...] | None]:
    """What TensorFlow's build on the phone needs to run the file, and what it lacks of that, if the target names it."""
    if artifact.format not in RUN_BY_KERNELS:
        return {}, None
    needs = needed_by(path)
    if artifact.kernels is None:
        return kernel_classes(needs, INSTALLED), None
    runtime = load_runtime(artifact.kernels)
    lacks = tuple(str(lack) for need in needs for lack in runtime.lacks(need))
    return kernel_classes(needs, runtime), lacks


def _remark(artifact: Artifact, path: Path) -> str:
    """Of a file that stores most of its weights in float32, whatever it is called."""
    if artifact.format not in QUANTIZABLE or artifact.precision == "float32":
        return ""
    stored = QUANTIZABLE[artifact.format].stored(path)
    total = sum(stored.values())
    share = stored.get("float32", 0) / total if total else 1.0
    if share < MOSTLY:
        return ""
    return f"{share:.0%} of its weights are stored in float32, since nothing here can have them in {artifact.precision}"


def _not_run(error: NotRunnableError, samples: int) -> Measurement:
    note = f"{error}; test it in the app, and say allow_unchecked = true"
    return Measurement("run", 0, samples, at_least=True, note=note)


def _scores(target: Target, runner: Runner, folder: Path) -> Scores | None:
    evaluation = target.data.evaluation
    if evaluation is None:
        return None
    reference = load_samples(folder / SCORED)
    blind = float(reference["blind"]) if "blind" in reference else None
    metric = make_metric(evaluation.metric)
    artifact = score_samples(evaluation, metric, runner, folder)
    return Scores(evaluation.metric.name, metric, reference["statistics"], artifact, blind)
