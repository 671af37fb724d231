"""Evidence made by hand, and small trained networks to gather it with."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.data_checks import DATA_CHECKS, Evidence, Finding, lint
from mobile_export.data_checks.evidence import ModelInput, SampleSet, Scored
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.metrics import METRICS, make_metric
from mobile_export.runner import run_samples
from mobile_export.samples import Samples, store_samples
from mobile_export.sampling import outside, ready
from mobile_export.session import Session, import_tensorflow
from mobile_export.target import Calibration, Data, Evaluation, Input, Model, Preprocessing, Target

DIGITS = Path(__file__).parents[2] / "examples/digits"


def found(check: str, evidence: Evidence) -> list[str]:
    """The severities of what a check finds."""
    return [issue.severity for issue in DATA_CHECKS[check](evidence)]


def sample_set(name: str, arrays: np.ndarray | Samples, labels: Any = None, answers: Any = None) -> SampleSet:
    """A set whose one input is `x`, unless `arrays` names them."""
    samples = arrays if isinstance(arrays, dict) else {"x": arrays}
    count = len(next(iter(samples.values())))
    digests = tuple(
        hashlib.blake2b(b"".join(array[row].tobytes() for array in samples.values())).digest() for row in range(count)
    )
    given = np.zeros((count, 1), np.float32) if answers is None else np.asarray(answers)
    return SampleSet(f"data.{name}", count, samples, digests, None if labels is None else np.asarray(labels), given)


def evidence(calibration: Any = None, evaluation: Any = None, **more: Any) -> Evidence:
    """Arrays or sets; the inputs are those of whichever there is."""
    sets = {
        name: sample_set(name, given) if isinstance(given, np.ndarray | dict) else given
        for name, given in (("calibration", calibration), ("evaluation", evaluation))
        if given is not None
    }
    first = next(iter(sets.values()))
    inputs = tuple(
        ModelInput(name, array.dtype.name, f"model.inputs[{index}].preprocessing", Preprocessing())
        for index, (name, array) in enumerate(first.samples.items())
    )
    return Evidence(inputs, **sets, **more)


def answered(answers: Any, labels: Any, metric: str = "top1", expected: float | None = None) -> Evidence:
    """Evaluation data of random samples with these answers and labels."""
    data = sample_set("evaluation", np.zeros((len(labels), 4), np.float32), labels, answers)
    made = METRICS[metric]()
    statistics = made.statistics(data.answers, data.labels)
    return evidence(evaluation=data, scored=Scored(made, metric, expected, "label", statistics))


def one_hot(classes: Any, count: int = 10) -> np.ndarray:
    """Answers that are sure of these classes."""
    return np.eye(count, dtype=np.float32)[np.asarray(classes)]


def pictures(count: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth images of 16 by 16 between 0 and 1, each of a colour of its own."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((count, 4, 4, channels)) * 0.4 + rng.random((count, 1, 1, channels)) * 0.6
    return coarse.repeat(4, axis=1).repeat(4, axis=2).astype(np.float32)


def digits(name: str) -> Samples:
    """A file of the example."""
    with np.load(DIGITS / f"{name}.npz") as archive:
        return dict(archive)


def trained_digits(fused: bool = True, bytes_inside: bool = False) -> Graph:
    """Random filters, a batch norm with the statistics of training images, and weights fitted to their features.

    Args:
        fused: whether the batch norm is one operator.
        bytes_inside: whether the graph takes 0 to 255 and divides by 255 itself.
    """
    tf = import_tensorflow().compat.v1
    training = digits("training")
    images, labels = training["image"][:1500].astype(np.float32) / 255, training["label"][:1500]
    rng = np.random.default_rng(0)
    filters = rng.normal(size=(5, 5, 1, 12)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        seen = session.run(tf.nn.conv2d(images, filters, 2, "SAME"))
    mean, variance = seen.mean((0, 1, 2)), seen.var((0, 1, 2))

    def features(pixels: Any) -> Any:
        h = tf.nn.conv2d(pixels, filters, 2, "SAME")
        gamma, beta = np.ones(12, np.float32), np.zeros(12, np.float32)
        if fused:
            h = tf.nn.fused_batch_norm(h, gamma, beta, mean, variance, is_training=False)[0]
        else:
            h = tf.nn.batch_normalization(h, mean, variance, beta, gamma, 1e-3)
        return tf.reshape(tf.nn.avg_pool2d(tf.nn.relu(h), 2, 2, "VALID"), [-1, 588])

    with tf.Graph().as_default(), tf.Session() as session:
        known = session.run(features(tf.constant(images)))
    known = np.hstack([known, np.ones((len(known), 1), np.float32)])
    weights = np.linalg.solve(known.T @ known + 10 * np.eye(known.shape[1]), known.T @ one_hot(labels))
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, [None, 28, 28, 1], name="image")
        pixels = image * np.float32(1 / 255) if bytes_inside else image
        scores = tf.matmul(features(pixels), weights[:-1].astype(np.float32)) + weights[-1].astype(np.float32)
        return as_graph(graph, {"image": image}, tf.nn.softmax(scores * 10.0))


def colour_judge() -> Graph:
    """Says which of three channels is the brightest; it has no batch norm."""
    tf = import_tensorflow().compat.v1
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(tf.float32, [None, 16, 16, 3], name="image")
        return as_graph(graph, {"image": image}, tf.nn.softmax(tf.reduce_mean(image, [1, 2]) * 20.0))


def as_graph(graph: Any, inputs: dict[str, Any], output: Any) -> Graph:
    """What was built, with public names; the output is called `scores`."""
    specs = [
        TensorSpec(name, tensor.name, tensor.dtype.name, tuple(-1 if d is None else d for d in tensor.shape))
        for name, tensor in [*inputs.items(), ("scores", output)]
    ]
    return Graph.from_graph_def(graph.as_graph_def(), specs[:-1], specs[-1:])


def linted(
    folder: Path,
    graph: Graph,
    calibration: np.ndarray | None = None,
    evaluation: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    preprocessing: Preprocessing | None = None,
    expected: float | None = None,
    accept: tuple[str, ...] = (),
) -> list[Finding]:
    """What is found in raw data for the input `image`, stored as a build stores it."""
    target = Target.model_construct(
        model=Model.model_construct(inputs=(Input(name="image", preprocessing=preprocessing),)),
        data=Data(
            calibration=None if calibration is None else Calibration(source=folder / "calibration.npz"),
            evaluation=None if labels is None else Evaluation(source=folder / "evaluation.npz", expected=expected),
            accept=accept,
        ),
    )
    statistics = None
    if calibration is not None:
        taken = ready({"image": calibration}, outside(target), graph.inputs)
        store_samples(folder / "calibration", len(calibration), [taken])
    if evaluation is not None and labels is not None and target.data.evaluation is not None:
        store_samples(folder / "evaluation", len(labels), [{"image": evaluation, "label": labels}])
        with Session(graph) as session:
            taken = ready({"image": evaluation}, target.model.preprocessing, graph.inputs)
            answers = run_samples(session, taken)["scores"]
        statistics = make_metric(target.data.evaluation.metric).statistics(answers, labels)
    return lint(graph, target, folder, statistics)


def said(findings: list[Finding]) -> set[tuple[str, str]]:
    """Names of checks and severities."""
    return {(finding.check, finding.severity) for finding in findings}
