"""What the reference answers, and what that says of the data."""

import json
from pathlib import Path

import numpy as np

from mobile_export.data.preprocess import Preprocessed
from mobile_export.data_checks import Finding, lint
from mobile_export.errors import CheckFailed
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Real
from mobile_export.metrics import Statistics, make_metric
from mobile_export.pipeline.drawing import Drawn, draw, is_run_on_devices, margins_of
from mobile_export.pipeline.scoring import scored_batches
from mobile_export.pipeline.work import ANSWERS, REFERENCE, SCORED
from mobile_export.runner import Runner, run_samples
from mobile_export.samples import Samples, load_samples, map_samples, save_samples
from mobile_export.sampling import EVALUATION, PARITY
from mobile_export.session import Session
from mobile_export.target import DeviceSettings, Evaluation, Target


def refer(target: Target, folder: Path) -> list[Finding]:
    """Run the reference graph on every sample; save its answers, what its score is made of, and what devices run.

    Returns:
        What is suspicious about the data, without what the target accepts.

    Raises:
        ModelError: the labels do not fit the model's answers.
        CheckFailed: calibration or evaluation with such data would mislead.
    """
    graph = Graph.load(folder / REFERENCE)
    evaluation = target.data.evaluation
    statistics: Statistics | None = None
    with Session(graph) as session:
        reference = Preprocessed(session, target.model.preprocessing)
        compared = load_samples(folder / PARITY)
        answers = run_samples(reference, compared)
        save_samples(folder / ANSWERS, answers)
        if evaluation is None:
            margins = [found for found in map(margins_of, answers.values()) if found is not None][:1]
            brought = compared
        else:
            statistics, margins = _score(evaluation, reference, folder)
            stored = map_samples(folder / EVALUATION)
            brought = {name: stored[name] for name in compared}
        if is_run_on_devices(target):
            _draw(target.device, reference, brought, np.concatenate(margins) if margins else None).save(folder)
    findings = lint(graph, target, folder, statistics, answers)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        names = json.dumps(sorted({finding.check for finding in errors}))
        accept = f"if that is known and right, accept it in [data]: accept = {names}"
        raise CheckFailed("\n".join([*map(str, errors), accept]))
    return findings


def _draw(asked: DeviceSettings, reference: Runner, samples: Samples, margins: Real | None) -> Drawn:
    """What devices run of `samples`, with what the reference answers."""
    rows, weights = draw(asked, len(next(iter(samples.values()))), margins)
    drawn = {name: np.array(array[rows]) for name, array in samples.items()}
    return Drawn(rows, weights, drawn, run_samples(reference, drawn))


def _score(evaluation: Evaluation, reference: Runner, folder: Path) -> tuple[Statistics, list[Real]]:
    """What the reference's score is made of, which is saved, and how sure it is of each sample, batch by batch."""
    metric = make_metric(evaluation.metric)
    kept, margins = [], []
    for answer, statistics in scored_batches(evaluation, metric, reference, folder):
        kept.append(statistics)
        margins.append(margins_of(answer))
    blind = metric.blind(map_samples(folder / EVALUATION)[evaluation.labels])
    known: Samples = {} if blind is None else {"blind": np.array(blind)}
    found = np.concatenate(kept)
    save_samples(folder / SCORED, {"statistics": found, **known})
    return found, [one for one in margins if one is not None]
