"""What a metric keeps of the evaluation samples, whoever answers to them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array
from mobile_export.metrics import Metric, Statistics
from mobile_export.runner import Runner, run_batches
from mobile_export.samples import map_samples
from mobile_export.sampling import EVALUATION
from mobile_export.target import Evaluation


def score_samples(evaluation: Evaluation, metric: Metric, runner: Runner, folder: Path) -> Statistics:
    """What the metric keeps of every evaluation sample; answers are dropped batch by batch.

    Raises:
        ModelError: the labels do not fit the answers.
    """
    return np.concatenate([kept for _, kept in scored_batches(evaluation, metric, runner, folder)])


def scored_batches(
    evaluation: Evaluation, metric: Metric, runner: Runner, folder: Path
) -> Iterator[tuple[Array, Statistics]]:
    """What the scored output answers to one batch of evaluation samples after the other, and what the metric keeps.

    Raises:
        ModelError: the labels do not fit the answers.
    """
    samples = map_samples(folder / EVALUATION)
    labels = samples[evaluation.labels]
    output = scored_output(evaluation, [edge.name for edge in runner.outputs])
    done = 0
    for answers in run_batches(runner, samples):
        answer = answers[output]
        wrong = metric.problem(labels, answer) if not done else None  # of the whole set, not of each batch
        if wrong:
            raise ModelError(f"{evaluation.source}: the labels in {evaluation.labels!r} {wrong}")
        yield answer, metric.statistics(answer, labels[done : done + len(answer)])
        done += len(answer)


def scored_output(evaluation: Evaluation, outputs: Sequence[str]) -> str:
    """The output that the metric looks at.

    Raises:
        ModelError: there is none of that name.
    """
    output = evaluation.output or outputs[0]
    if output not in outputs:
        raise ModelError(f"data.evaluation.output: the model has no output {output!r}; it has {', '.join(outputs)}")
    return output
