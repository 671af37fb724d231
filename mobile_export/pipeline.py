"""The stages of a build, as they run in workers: each reads what the one before left in the work folder.

Where the target declares preprocessing, samples are kept as they came, and are preprocessed batch by batch on their way
into what does not do it itself.

prepare    source → forward graph → optimized graph, samples
refer      what the forward graph answers to the samples
write      the files of one format
measure    one file: what it answers, and what the checks say to that
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from mobile_export.advice import naming_cuts
from mobile_export.artifact_files import artifact_size, files_of
from mobile_export.checks import CHECKS, Evidence, Measurement, Scores, judge
from mobile_export.cuts import DRAWS, unportable
from mobile_export.data.preprocess import Preprocessed, Recipes, real
from mobile_export.data_checks import Finding, lint
from mobile_export.deflate import deflated_size
from mobile_export.errors import CheckFailed, ConversionError, ModelError, NotRunnableError
from mobile_export.formats import FORMATS, QUANTIZABLE, Layer, Request
from mobile_export.graph import Graph, TensorSpec, format_shape, node_name, total_bytes
from mobile_export.graph_transform_tool.run import run_call
from mobile_export.graph_transform_tool.transforms import GRAPH_TRANSFORMS
from mobile_export.kernels.attributes import without_newer_defaults
from mobile_export.kernels.files import kernel_classes, needed_by
from mobile_export.kernels.runtimes import INSTALLED, load_runtime
from mobile_export.latency import latency_ratio
from mobile_export.metrics import Statistics, make_metric
from mobile_export.network.forward import find_inputs, forward_graph
from mobile_export.ops import RANDOM, RUNNABLE
from mobile_export.runner import Edge, Runner, run_batches, run_samples
from mobile_export.safety import refuse_unlisted
from mobile_export.samples import Samples, load_samples, map_samples, save_samples
from mobile_export.sampling import CALIBRATION, EVALUATION, PARITY, gather, outside, ready
from mobile_export.session import Session
from mobile_export.sources import source_of
from mobile_export.target import RUN_BY_KERNELS, Artifact, Evaluation, Target
from mobile_export.transform_string import Call
from mobile_export.transforms import (
    DEFAULT,
    INFERENCE,
    Applied,
    Transform,
    apply,
    named,
    relative_difference,
)
from mobile_export.transforms.element_shapes import fix_element_shapes
from mobile_export.transforms.fix_shapes import fix_shapes
from mobile_export.transforms.fold_preprocessing import fold_preprocessing

VERIFIED_SAMPLES = 4
"""Samples that are run after every transform."""
GOLDEN_SAMPLES = 2
"""Samples recorded with their answers in golden.npz."""

FOLDED_TOLERANCE = 1e-4
"""How far answers may move, over their largest magnitude, when preprocessing moves into the graph."""

_REFERENCE, OPTIMIZED = "reference.graph", "optimized.graph"
_ANSWERS, _STATISTICS = "parity_answers.npz", "reference_statistics.npz"
MEASURED_WITH = (PARITY, _ANSWERS, _STATISTICS, EVALUATION)
"""What `measure` reads in the work folder, besides the file."""


@dataclass(frozen=True)
class Prepared:
    """What `prepare` found.

    Attributes:
        form: name of the source.
        notes: what people should know of how the model was read, a sentence each.
        inputs, outputs: as the files will have them.
        transforms: what each did.
        parameters: number of weights in the optimized graph.
        frozen_size: bytes of the optimized, frozen float32 graph.
    """

    form: str
    notes: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    transforms: tuple[Applied, ...]
    parameters: int
    frozen_size: int


@dataclass(frozen=True)
class Measured:
    """What `measure` found about one file.

    Attributes:
        unchecked: why its answers could not be checked, where they could not.
        kernels: for a file that TensorFlow runs, the classes of the kernels that it needs, by operator.
    """

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    size: int
    zipped_size: int
    results: dict[str, list[Measurement]]
    golden: Samples
    unchecked: str | None = None
    kernels: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every limit holds."""
        return all(m.passed for measurements in self.results.values() for m in measurements)


def prepare(target: Target, folder: Path) -> Prepared:
    """Load the model, make it an inference graph, optimize it, and save both with the samples.

    Raises:
        ExportError: the model or the data is not what the target says, or a transform broke its promise.
    """
    form, source = source_of(target.model)
    trained = source.read(target.model)
    graph = forward_graph(trained, target.model)
    served, _ = apply(graph, named(INFERENCE), None)
    graph = graph if graph.inputs else find_inputs(graph, served)
    served = replace(served, inputs=graph.inputs)
    with naming_cuts(served, trained.tables):
        _refuse_unusable(graph, served)
        _refuse_random(served)
    samples = gather(target, served, folder)
    raw = {name: array[:VERIFIED_SAMPLES] for name, array in samples.items()}
    probe = ready(raw, target.model.preprocessing, graph.inputs)
    reference, inferring = apply(graph, named(INFERENCE), probe)
    _check_labels(target, reference)
    reference.save(folder / _REFERENCE)
    said: list[str] = []
    optimized, rewritten = apply(reference, _steps(target, reference, said.append), probe)
    folded = {name: how for name, how in target.model.preprocessing.items() if how.fold}
    if folded:
        optimized, done = _fold(optimized, folded, ready(raw, outside(target), graph.inputs), probe)
        rewritten = [*rewritten, done]
    optimized.save(folder / OPTIMIZED)
    frozen_size = optimized.to_graph_def(without=optimized.constants).ByteSize() + total_bytes(optimized.constants)
    parameters = sum(array.size for array in optimized.constants.values() if array.dtype.kind == "f")
    transforms = (*inferring, *rewritten)
    return Prepared(
        form,
        (*trained.notes, *_dropped(graph, served), *said),
        optimized.inputs,
        optimized.outputs,
        transforms,
        parameters,
        frozen_size,
    )


def _steps(target: Target, graph: Graph, note: Callable[[str], object]) -> list[tuple[str, Transform]]:
    shapes = {spec.name: spec.shape for spec in target.model.inputs if spec.shape is not None}
    changed = any(spec.shape != shapes.get(spec.name, spec.shape) for spec in graph.inputs)
    fix = [
        ("fix_shapes", Transform(lambda g: fix_shapes(g, shapes), tolerance=1e-4)),
        ("fix_element_shapes", Transform(fix_element_shapes)),
    ]
    listed = [step for call in target.transforms.passes.calls for step in _listed(call, note)]
    return [*(fix if changed else ()), *listed]


def _listed(call: Call, note: Callable[[str], object]) -> list[tuple[str, Transform]]:
    """What a target lists: one of our transforms, or one of the Graph Transform Tool's; or the default of ours."""
    if call.name == "default":
        return named([name for name in DEFAULT if name not in INFERENCE])  # those have run already
    if call.name in GRAPH_TRANSFORMS:
        return [(call.name, Transform(partial(run_call, call, note=note), GRAPH_TRANSFORMS[call.name].tolerance))]
    return named([call.name])


def _fold(graph: Graph, recipes: Recipes, raw: Samples, probe: Samples) -> tuple[Graph, Applied]:
    """`graph` with preprocessing inside: it must answer to `raw` samples as it did to `probe`, the ready ones."""
    step = Transform(lambda g: fold_preprocessing(g, recipes), FOLDED_TOLERANCE)
    folded, (done,) = apply(graph, [("fold_preprocessing", step)], None)
    with Session(graph) as before, Session(folded) as after:
        expected, answers = run_samples(before, probe), run_samples(after, raw)
    difference = max(relative_difference(expected[name], answers[name]) for name in expected)
    if not difference <= FOLDED_TOLERANCE:
        raise ConversionError(
            f"model.inputs.preprocessing.fold: with preprocessing inside, the graph's answers move by {difference:.3g} "
            f"of their magnitude, more than {FOLDED_TOLERANCE:.3g}; leave fold out, and preprocess in the app"
        )
    return folded, replace(done, difference=difference)


def _refuse_unusable(graph: Graph, served: Graph) -> None:
    """Placeholders that nobody would feed, and edges that no file can have."""
    fed = {node_name(spec.tensor) for spec in graph.inputs}
    unfed = [
        name for name, node in served.nodes.items() if node.op in ("Placeholder", "PlaceholderV2") and name not in fed
    ]
    if unfed:
        raise ModelError(
            f"the outputs need the placeholder {unfed[0]!r}, which is no input; name it in [[model.inputs]], "
            "or give it a value in [[model.constants]]"
        )
    for kind, spec in [*(("input", s) for s in graph.inputs), *(("output", s) for s in graph.outputs)]:
        if spec.dtype in ("string", "resource", "variant"):
            node = node_name(spec.tensor)
            if node not in served.reachable(output.tensor for output in graph.outputs):
                raise ModelError(f"{kind} {spec.name!r} is {spec.dtype}, and no output needs it; leave it out")
            raise ModelError(f"{kind} {spec.name!r} is {spec.dtype}, which no format here holds", nodes=[node])
        if 0 in (spec.shape or ()):
            shape = format_shape(spec.shape)
            raise ModelError(f"{kind} {spec.name!r} is {spec.dtype}{shape}, which holds nothing; leave it out")


def _dropped(graph: Graph, served: Graph) -> list[str]:
    """What to say of dropout that was live in the graph as it was saved."""
    live = [name for name, node in graph.nodes.items() if node.op in RANDOM and name not in served.nodes]
    if not live:
        return []
    more = f" and {len(live) - 1} more" if len(live) > 1 else ""
    return [f"dropout was live in the graph (node {live[0]!r}{more}) and is taken out; files are compared without it"]


def _refuse_random(served: Graph) -> None:
    random = [obstacle for obstacle in unportable(served) if obstacle.reason == DRAWS]
    if random:
        raise ModelError(
            f"{random[0]} and is no dropout, so that the model never answers the same twice; export it in inference "
            "mode, or let the app bring the numbers",
            nodes=[obstacle.node for obstacle in random],
        )


def _check_labels(target: Target, graph: Graph) -> None:
    """A file of labels must name every class, and no more."""
    for output, spec in zip(target.model.outputs, graph.outputs, strict=False):
        if output.labels is None or not spec.shape or spec.shape[-1] < 0:
            continue
        names = output.labels.read_text(encoding="utf-8", errors="replace").splitlines()
        if len(names) != spec.shape[-1]:
            raise ModelError(
                f"{output.labels}: has {len(names)} lines and output {spec.name!r} has {spec.shape[-1]} classes; "
                "write one name a line, in the order of training"
            )


def refer(target: Target, folder: Path) -> list[Finding]:
    """Run the reference graph on every sample; save its answers, and the statistics that its score is made of.

    Returns:
        What is suspicious about the data, without what the target accepts.

    Raises:
        ModelError: the labels do not fit the model's answers.
        CheckFailed: calibration or evaluation with such data would mislead.
    """
    graph = Graph.load(folder / _REFERENCE)
    evaluation = target.data.evaluation
    with Session(graph) as session:
        reference = Preprocessed(session, target.model.preprocessing)
        save_samples(folder / _ANSWERS, run_samples(reference, load_samples(folder / PARITY)))
        statistics = _statistics(evaluation, reference, folder) if evaluation is not None else None
    if statistics is not None:
        save_samples(folder / _STATISTICS, {"statistics": statistics})
    findings = lint(graph, target, folder, statistics)
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    if errors:
        names = json.dumps(sorted({finding.check for finding in findings if finding.severity == "error"}))
        raise CheckFailed("\n".join([*errors, f"if that is known and right, accept it in [data]: accept = {names}"]))
    return findings


def _statistics(evaluation: Evaluation, runner: Runner, folder: Path) -> Statistics:
    """What the metric keeps of every evaluation sample; answers are dropped batch by batch.

    Raises:
        ModelError: the labels do not fit the answers.
    """
    metric = make_metric(evaluation.metric)
    samples = map_samples(folder / EVALUATION)
    labels = samples[evaluation.labels]
    output = _scored_output(evaluation, [edge.name for edge in runner.outputs])
    kept: list[Statistics] = []
    done = 0
    for answers in run_batches(runner, samples):
        answer = answers[output]
        wrong = metric.problem(labels, answer) if not done else None
        if wrong:
            raise ModelError(f"{evaluation.source}: the labels in {evaluation.labels!r} {wrong}")
        kept.append(metric.statistics(answer, labels[done : done + len(answer)]))
        done += len(answer)
    return np.concatenate(kept)


def _scored_output(evaluation: Evaluation, outputs: Sequence[str]) -> str:
    output = evaluation.output or outputs[0]
    if output not in outputs:
        raise ModelError(f"data.evaluation.output: the model has no output {output!r}; it has {', '.join(outputs)}")
    return output


def write(format_name: str, folder: Path, requests: Sequence[Request], kernels: Path | None = None) -> None:
    """Write files of one format.

    Args:
        kernels: lists the kernels of the phone's TensorFlow, where the target names it.

    Raises:
        ConversionError: the converter failed.
    """
    graph = _convertible(folder)
    if kernels is not None:
        graph = without_newer_defaults(graph, load_runtime(kernels))
    with naming_cuts(graph):
        FORMATS[format_name].write(graph, requests, _calibration(folder))


def convert(format_name: str, folder: Path, shared: Path, requests: Sequence[Request]) -> tuple[Layer, ...]:
    """Leave in `shared` what all candidates of a search share; the layers of the model.

    Raises:
        ConversionError: the converter failed.
    """
    graph = _convertible(folder)
    with naming_cuts(graph):
        searched = QUANTIZABLE[format_name]
        shared.mkdir(exist_ok=True)
        searched.convert(graph, shared, requests, _calibration(folder))
    return searched.layers(shared)


def _convertible(folder: Path) -> Graph:
    graph = Graph.load(folder / OPTIMIZED)
    refuse_unlisted(graph, RUNNABLE)  # converters run parts of it
    return graph


def _calibration(folder: Path) -> Samples | None:
    return map_samples(folder / CALIBRATION) if (folder / CALIBRATION).exists() else None


def measure(
    target: Target, artifact: Artifact, path: Path, frozen_size: int, folder: Path, latency_ratio: float | None = None
) -> Measured:
    """Run a written file in its runtime, and judge it.

    Args:
        latency_ratio: what `time` measured, alone on the machine; None where the target does not limit it.

    Raises:
        ConversionError: the runtime does not load it.
    """
    file = FORMATS[artifact.format].open(path)
    runner = Preprocessed(file, outside(target))
    parity = load_samples(folder / PARITY)
    first = {name: array[:GOLDEN_SAMPLES] for name, array in parity.items()}
    taken = ready(first, outside(target), map(real, file.inputs))
    golden = {f"inputs/{name}": array for name, array in taken.items()}
    size, zipped_size = artifact_size(path), sum(map(deflated_size, files_of(path)))
    drawn = target.data.evaluation is None and target.data.calibration is None
    kernels, lacking = _kernels(artifact, path)
    unmeasured = Evidence(
        artifact.precision, {}, {}, None, size, zipped_size, frozen_size, drawn, lacking, latency_ratio
    )
    try:
        answers = run_samples(runner, parity)
    except NotRunnableError as error:
        results = judge(unmeasured, artifact.limits, {"size": CHECKS["size"]})
        if not artifact.allow_unchecked:
            results["run"] = [_not_run(error, len(next(iter(parity.values()))))]
        return Measured(file.inputs, file.outputs, size, zipped_size, results, golden, str(error))
    reference = load_samples(folder / _ANSWERS)
    evidence = replace(unmeasured, reference=reference, answers=answers, scores=_scores(target, runner, folder))
    golden |= {f"answers/{artifact.name}/{name}": array[:GOLDEN_SAMPLES] for name, array in answers.items()}
    results = judge(evidence, artifact.limits)
    return Measured(file.inputs, file.outputs, size, zipped_size, results, golden, kernels=kernels)


def time(target: Target, artifact: Artifact, path: Path, folder: Path) -> float:
    """Time of an answer of a written file, over that of the float32 file of its format.

    Both run by turns in one thread, so that what slows the machine down slows both. To be called when nothing else
    runs.
    """
    form = QUANTIZABLE[artifact.format]
    baseline = folder / f"float32{form.suffix}"
    if not baseline.exists():
        write(artifact.format, folder, [Request(artifact.name, baseline)])
    samples = load_samples(folder / PARITY)
    timed, other = (Preprocessed(form.open(each, threads=1), outside(target)) for each in (path, baseline))
    return latency_ratio(timed, other, samples)


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


def _not_run(error: NotRunnableError, samples: int) -> Measurement:
    note = f"{error}; test it in the app, and say allow_unchecked = true"
    return Measurement("run", 0, samples, at_least=True, note=note)


def _scores(target: Target, runner: Runner, folder: Path) -> Scores | None:
    evaluation = target.data.evaluation
    if evaluation is None:
        return None
    reference = load_samples(folder / _STATISTICS)["statistics"]
    metric = make_metric(evaluation.metric)
    blind = metric.blind(map_samples(folder / EVALUATION)[evaluation.labels])
    return Scores(evaluation.metric.name, metric, reference, _statistics(evaluation, runner, folder), blind)
