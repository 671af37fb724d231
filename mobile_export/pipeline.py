"""The stages of a build, as they run in workers: each reads what the one before left in the work folder.

prepare    source → forward graph → optimized graph, samples
refer      what the forward graph answers to the samples
write      the files of one format
measure    one file: what it answers, and what the checks say to that
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mobile_export.checks import Evidence, Measurement, Scores, judge
from mobile_export.checks.size import deflated_size
from mobile_export.data import read_samples
from mobile_export.data.conform import conform
from mobile_export.errors import ModelError
from mobile_export.formats import FORMATS, Request
from mobile_export.graph import Graph, TensorSpec, format_shape, node_name, total_bytes
from mobile_export.metrics import METRICS
from mobile_export.ops import RANDOM
from mobile_export.runner import Edge, Runner, run_samples
from mobile_export.samples import Samples, load_samples, save_samples
from mobile_export.session import Session
from mobile_export.sources import source_of
from mobile_export.sources.forward import find_inputs, forward_graph
from mobile_export.target import Artifact, Evaluation, Target
from mobile_export.transforms import DEFAULT, INFERENCE, Applied, Transform, apply, named
from mobile_export.transforms.fix_shapes import fix_shapes

PROBES = 16
"""Random samples where the target brings no data."""
PARITY_SAMPLES = 128
"""Data samples on which answers are compared value by value."""
VERIFIED_SAMPLES = 4
"""Of these, those that are run after every transform."""
GOLDEN_SAMPLES = 2
"""Samples recorded with their answers in golden.npz."""

_REFERENCE, _OPTIMIZED = "reference.graph", "optimized.graph"


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
    """What `measure` found about one file."""

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    size: int
    zipped_size: int
    results: dict[str, list[Measurement]]
    golden: Samples

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
    _refuse_unusable(graph, served)
    samples = _save_samples(target, graph, folder)
    probe = {name: array[:VERIFIED_SAMPLES] for name, array in samples.items()}
    reference, inferring = apply(graph, named(INFERENCE), probe)
    _refuse_random(reference)
    _check_labels(target, reference)
    reference.save(folder / _REFERENCE)
    optimized, rewritten = apply(reference, _steps(target, reference), probe)
    optimized.save(folder / _OPTIMIZED)
    frozen_size = optimized.to_graph_def(without=optimized.constants).ByteSize() + total_bytes(optimized.constants)
    parameters = sum(array.size for array in optimized.constants.values() if array.dtype.kind == "f")
    transforms = (*inferring, *rewritten)
    return Prepared(form, trained.notes, optimized.inputs, optimized.outputs, transforms, parameters, frozen_size)


def _steps(target: Target, graph: Graph) -> list[tuple[str, Transform]]:
    shapes = {spec.name: spec.shape for spec in target.model.inputs if spec.shape is not None}
    optimizing = [name for name in DEFAULT if name not in INFERENCE]  # those have run already
    passes = optimizing if target.transforms.passes == "default" else target.transforms.passes
    changed = any(spec.shape != shapes.get(spec.name, spec.shape) for spec in graph.inputs)
    fix = [("fix_shapes", Transform(lambda g: fix_shapes(g, shapes), tolerance=1e-4))] if changed else []
    return [*fix, *named(passes)]


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
        if spec.dtype in ("string", "resource", "variant") or 0 in (spec.shape or ()):
            raise ModelError(
                f"{kind} {spec.name!r} is {spec.dtype}{format_shape(spec.shape)}, which is not supported; "
                "name a tensor of numbers beside it, such as the features or scores"
            )


def _refuse_random(graph: Graph) -> None:
    random = [node for node in graph.nodes.values() if node.op in RANDOM]
    if random:
        raise ModelError(
            f"the forward graph draws random numbers (node {random[0].name!r}, {random[0].op}) that are no dropout, so "
            "it never answers the same twice; export the model in inference mode, or name outputs before that node"
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


def _save_samples(target: Target, graph: Graph, folder: Path) -> Samples:
    """Read and check all data; save it by role. Returns the samples on which answers are compared."""
    shapes = {spec.name: spec.shape for spec in target.model.inputs if spec.shape is not None}
    inputs = [replace(spec, shape=shapes.get(spec.name, spec.shape)) for spec in graph.inputs]
    names = [spec.name for spec in inputs]
    calibration, evaluation = target.data.calibration, target.data.evaluation
    parity: Samples | None = None
    if calibration is not None:
        drawn = read_samples(calibration.source, names, calibration.samples, calibration.seed)
        conform(calibration.source, drawn, inputs)
        save_samples(folder / "calibration.npz", drawn)
        parity = drawn
    if evaluation is not None:
        drawn = read_samples(evaluation.source, [*names, evaluation.labels], evaluation.samples, evaluation.seed)
        conform(evaluation.source, drawn, inputs)
        save_samples(folder / "evaluation.npz", drawn)
        parity = {name: drawn[name] for name in names}
    parity = {name: array[:PARITY_SAMPLES] for name, array in (parity or _random_samples(inputs)).items()}
    save_samples(folder / "parity.npz", parity)
    return parity


def _random_samples(inputs: Sequence[TensorSpec]) -> Samples:
    """Seeded samples for a model without data: uniform in [0, 1), integers 0 or 1, dynamic sizes 1."""
    rng = np.random.default_rng(0)
    samples: Samples = {}
    for spec in inputs:
        if spec.shape is None:
            raise ModelError(
                f"input {spec.name!r} ({spec.dtype}) cannot be probed with random values: "
                "give it a shape in the target, or bring evaluation data"
            )
        shape = (PROBES, *(max(size, 1) for size in spec.shape[1:]))
        samples[spec.name] = (
            rng.random(shape).astype(spec.dtype)
            if spec.dtype.startswith(("float", "bfloat"))
            else rng.integers(0, 2, shape).astype(spec.dtype)
        )
    return samples


def refer(target: Target, folder: Path) -> None:
    """Run the reference graph on every sample and save its answers.

    Raises:
        ModelError: the labels do not fit the model's answers.
    """
    evaluation = target.data.evaluation
    with Session(Graph.load(folder / _REFERENCE)) as session:
        parity = run_samples(session, load_samples(folder / "parity.npz"))
        if evaluation is not None:
            samples = load_samples(folder / "evaluation.npz")
            answers = run_samples(session, samples)
    if evaluation is not None:
        output = _scored_output(evaluation, tuple(answers))
        wrong = METRICS[evaluation.metric].check_labels(samples[evaluation.labels], answers[output])
        if wrong:
            raise ModelError(f"{evaluation.source}: the labels in {evaluation.labels!r} {wrong}")
        scores = METRICS[evaluation.metric].per_sample(answers[output], samples[evaluation.labels])
        save_samples(folder / "evaluation_scores.npz", {"scores": scores})
    unfinished = folder / "parity_answers.part"  # whoever finds the final name finds all of it, and the scores
    save_samples(unfinished, parity)
    unfinished.replace(folder / "parity_answers.npz")


def _scored_output(evaluation: Evaluation, outputs: Sequence[str]) -> str:
    output = evaluation.output or outputs[0]
    if output not in outputs:
        raise ModelError(f"data.evaluation.output: the model has no output {output!r}; it has {', '.join(outputs)}")
    return output


def write(format_name: str, folder: Path, requests: Sequence[Request]) -> None:
    """Write the files of one format.

    Raises:
        ConversionError: the converter failed.
    """
    calibration = folder / "calibration.npz"
    FORMATS[format_name].write(
        Graph.load(folder / _OPTIMIZED), requests, load_samples(calibration) if calibration.exists() else None
    )


def measure(target: Target, artifact: Artifact, path: Path, frozen_size: int, folder: Path) -> Measured:
    """Run a written file in its runtime, and judge it.

    Raises:
        ConversionError: the runtime does not load it.
    """
    runner = FORMATS[artifact.format].open(path)
    parity = load_samples(folder / "parity.npz")
    answers = run_samples(runner, parity)
    size, zipped_size = path.stat().st_size, deflated_size(path)
    evidence = Evidence(
        precision=artifact.precision,
        reference=load_samples(folder / "parity_answers.npz"),
        answers=answers,
        scores=_scores(target, runner, folder),
        size=size,
        zipped_size=zipped_size,
        frozen_size=frozen_size,
    )
    golden = {f"inputs/{name}": array[:GOLDEN_SAMPLES] for name, array in parity.items()}
    golden |= {f"answers/{artifact.name}/{name}": array[:GOLDEN_SAMPLES] for name, array in answers.items()}
    return Measured(runner.inputs, runner.outputs, size, zipped_size, judge(evidence, artifact.limits), golden)


def _scores(target: Target, runner: Runner, folder: Path) -> Scores | None:
    evaluation = target.data.evaluation
    if evaluation is None:
        return None
    samples = load_samples(folder / "evaluation.npz")
    answers = run_samples(runner, samples)
    output = _scored_output(evaluation, tuple(answers))
    scores = METRICS[evaluation.metric].per_sample(answers[output], samples[evaluation.labels])
    return Scores(evaluation.metric, load_samples(folder / "evaluation_scores.npz")["scores"], scores)
