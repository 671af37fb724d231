"""Gathering the evidence: one walk over the data, and a few runs of the reference graph."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mobile_export.data_checks.evidence import Evidence, ModelInput, SampleSet, Scored, spaced
from mobile_export.data_checks.fits import norm_fits
from mobile_export.data_checks.retrials import retrials
from mobile_export.data_checks.traces import first_steps
from mobile_export.graphs.graph import Graph, TensorSpec, total_bytes
from mobile_export.graphs.tensors import Array
from mobile_export.metrics import Statistics, make_metric
from mobile_export.runner import run_batches
from mobile_export.samples import Samples, map_samples
from mobile_export.sampling import CALIBRATION, EVALUATION, outside, ready
from mobile_export.session import Session
from mobile_export.target import Preprocessing, Target

LOOKED_AT = 256
"""Samples of a set that are looked at."""
OF_LARGE = 32
"""The same, of a model that takes long."""
LARGE = 16 << 20
"""Bytes of weights from which on a model takes long."""
HELD = 64 << 20
"""Bytes of the samples of a set, or of the answers to them, that are held."""
HASHED = 256 << 20
"""Bytes of the samples of a set that are hashed."""
FEWEST = 8
"""Samples that are looked at however large they are."""

_NONE = np.empty(0)


def gather(
    graph: Graph, target: Target, folder: Path, statistics: Statistics | None, answers: Samples | None = None
) -> Evidence:
    """Look at the data of `target`.

    Args:
        graph: the reference graph.
        folder: has the stored samples.
        statistics: the metric's, of the reference's answers to all evaluation samples.
        answers: the reference's, to the first evaluation samples, or calibration samples where there are no others.
    """
    inputs = tuple(_model_input(target, spec) for spec in graph.inputs)
    recipes = target.model.preprocessing
    folded = {name: how for name, how in recipes.items() if name not in outside(target)}
    evaluation = target.data.evaluation
    labels, output = (evaluation.labels, evaluation.output) if evaluation is not None else (None, None)
    output = output or graph.outputs[0].name
    compared = CALIBRATION if evaluation is None else EVALUATION
    known = (answers or {}).get(output, _NONE)
    scored = None
    with Session(graph) as session:
        sets = {
            key: _sample_set(session, graph, folder / key, still, output, labels, known if key == compared else _NONE)
            for key, still in ((CALIBRATION, folded), (EVALUATION, recipes))
            if (folder / key).exists()
        }
        fits = tuple(norm_fits(session, graph, inputs, list(sets.values())))
        if evaluation is not None and statistics is not None:
            metric = make_metric(evaluation.metric)
            tried = tuple(retrials(session, metric, output, inputs, sets[EVALUATION], fits))
            scored = Scored(metric, evaluation.metric.name, evaluation.expected, evaluation.labels, statistics, tried)
    return Evidence(inputs, sets.get(CALIBRATION), sets.get(EVALUATION), fits, tuple(first_steps(graph)), scored)


def _model_input(target: Target, spec: TensorSpec) -> ModelInput:
    indices = {each.name: index for index, each in enumerate(target.model.inputs)}
    place = f"preprocessing of [[model.inputs]] {spec.name!r}"
    if spec.name in indices:
        place = f"model.inputs[{indices[spec.name]}].preprocessing"
    how = target.model.preprocessing.get(spec.name, Preprocessing())
    return ModelInput(spec.name, spec.dtype, place, how)


def _sample_set(
    session: Session,
    graph: Graph,
    folder: Path,
    still: Mapping[str, Preprocessing],
    output: str,
    labels: str | None,
    known: Array,
) -> SampleSet:
    """The samples in `folder`; `still` is what preprocessing they have not had yet, `known` the first answers."""
    stored = map_samples(folder)
    count = len(stored[graph.inputs[0].name])
    size = sum(stored[spec.name][0].size * np.dtype(np.float32).itemsize for spec in graph.inputs)
    most = OF_LARGE if total_bytes(graph.constants) > LARGE else LOOKED_AT
    rows = spaced(count, max(FEWEST, min(most, HELD // max(size, 1))))
    samples = ready(_rows(stored, rows), still, graph.inputs)
    answers = _answers(session, samples, output, known[rows[rows < len(known)]])
    return SampleSet(
        f"data.{folder.name}",
        count,
        {name: array[: len(answers)] for name, array in samples.items()},
        tuple(_digests(stored, still, graph, max(FEWEST, HASHED // max(size, 1)))),
        np.asarray(stored[labels][rows[: len(answers)]]) if labels in stored else None,
        answers,
    )


def _rows(stored: Samples, rows: Array) -> Samples:
    return {name: np.asarray(array[rows]) for name, array in stored.items()}


def _answers(session: Session, samples: Samples, output: str, first: Array) -> Array:
    """Of the reference at `output`: to all samples, or to the first where answers are large or differ in shape.

    Args:
        first: the answers to the first of them.
    """
    rest = {name: array[len(first) :] for name, array in samples.items()}
    kept = [first] if len(first) else []
    for batch in run_batches(session, rest) if len(first) < len(next(iter(samples.values()))) else ():
        answer = batch[output]
        if kept and (answer.shape[1:] != kept[0].shape[1:] or sum(each.nbytes for each in kept) > HELD):
            break
        kept.append(answer)
    return np.concatenate(kept)


def _digests(stored: Samples, still: Mapping[str, Preprocessing], graph: Graph, most: int) -> Iterator[bytes]:
    """Of each sample, at most `most`, as the reference takes it: the same image has one digest in both sets."""
    count = min(most, len(stored[graph.inputs[0].name]))
    for start in range(0, count, 64):
        batch = ready(_rows(stored, np.arange(start, min(start + 64, count))), still, graph.inputs)
        for row in range(len(batch[graph.inputs[0].name])):
            digest = hashlib.blake2b(digest_size=16)
            for array in batch.values():
                digest.update(np.ascontiguousarray(array[row]).view(np.uint8).data)
            yield digest.digest()
