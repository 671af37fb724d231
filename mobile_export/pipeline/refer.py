"""What the reference answers, and what that says of the data."""

import json
from pathlib import Path

import numpy as np

from mobile_export.data.preprocess import Preprocessed
from mobile_export.data_checks import Finding, lint
from mobile_export.errors import CheckFailed
from mobile_export.graphs.graph import Graph
from mobile_export.metrics import Statistics, make_metric
from mobile_export.pipeline.scoring import score_samples
from mobile_export.pipeline.work import ANSWERS, REFERENCE, SCORED
from mobile_export.runner import run_samples
from mobile_export.samples import Samples, load_samples, map_samples, save_samples
from mobile_export.sampling import EVALUATION, PARITY
from mobile_export.session import Session
from mobile_export.target import Target


def refer(target: Target, folder: Path) -> list[Finding]:
    """Run the reference graph on every sample; save its answers, and what its score is made of.

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
        answers = run_samples(reference, load_samples(folder / PARITY))
        save_samples(folder / ANSWERS, answers)
        if evaluation is not None:
            metric = make_metric(evaluation.metric)
            statistics = score_samples(evaluation, metric, reference, folder)
            blind = metric.blind(map_samples(folder / EVALUATION)[evaluation.labels])
            known: Samples = {} if blind is None else {"blind": np.array(blind)}
            save_samples(folder / SCORED, {"statistics": statistics, **known})
    findings = lint(graph, target, folder, statistics, answers)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        names = json.dumps(sorted({finding.check for finding in errors}))
        accept = f"if that is known and right, accept it in [data]: accept = {names}"
        raise CheckFailed("\n".join([*map(str, errors), accept]))
    return findings
