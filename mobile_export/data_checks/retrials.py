"""How the reference scores when samples are read in another way."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from mobile_export.data_checks.evidence import ModelInput, NormFit, Retrial, SampleSet
from mobile_export.data_checks.fits import FITTING
from mobile_export.data_checks.readings import REVERSED, Reading, possible_readings
from mobile_export.data_checks.relation import CERTAIN
from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array
from mobile_export.metrics import Metric, Statistics
from mobile_export.metrics.interval import estimate_drop
from mobile_export.metrics.metric import best, score_of
from mobile_export.runner import run_batches
from mobile_export.samples import Samples
from mobile_export.session import Session

_ROUNDS = (16, 32, 128)
"""Samples after which readings that are no better are given up; the last round is over all of them."""
_NO_BETTER = 0.95
"""Confidence that they are no better with which they are."""


def retrials(
    session: Session,
    metric: Metric,
    output: str,
    inputs: Sequence[ModelInput],
    data: SampleSet,
    fits: Sequence[NormFit],
) -> Iterator[Retrial]:
    """Readings that may be better than `data` as it is; none where its score leaves no room for a better one."""
    if data.labels is None:
        return
    given = metric.statistics(data.answers, data.labels)
    if not _leaves_room(metric, given):
        return
    fitting = {fit.input.name for fit in fits if fit.key == data.key and fit.distance <= FITTING}
    for each in inputs:
        for reading in possible_readings(data.samples[each.name]):
            # what batch norms find to be as in training is not scaled otherwise; they hardly see the order of channels
            if each.name in fitting and reading != REVERSED:
                continue
            read = {**data.samples, each.name: reading.apply(data.samples[each.name])}
            scores = _raced(session, metric, output, read, data.labels, given)
            if scores is not None:
                yield _retrial(metric, each, reading, given, scores)


def _leaves_room(metric: Metric, given: Statistics) -> bool:
    """Whether answers to the same samples could be better beyond doubt; yes, where that cannot be known."""
    if not metric.is_mean or not math.isfinite(best(metric)):
        return True
    return estimate_drop(metric, given, np.full_like(given, best(metric))).certainty(0.0) >= CERTAIN


def _raced(
    session: Session, metric: Metric, output: str, samples: Samples, labels: Array, given: Statistics
) -> Statistics | None:
    """The statistics of answers to `samples`; None where they turn out to be no better than `given`."""
    kept: list[Statistics] = []
    done = 0
    for stop in (*(stop for stop in _ROUNDS if stop < len(given)), len(given)):
        try:
            for batch in run_batches(session, {name: array[done:stop] for name, array in samples.items()}):
                answers = batch[output]
                kept.append(metric.statistics(answers, labels[done : done + len(answers)]))
                done += len(answers)
        except ModelError:  # they were certainly not meant so
            return None
        if estimate_drop(metric, np.concatenate(kept), given[:done]).certainty(0.0) >= _NO_BETTER:
            return None
    return np.concatenate(kept)


def _retrial(metric: Metric, each: ModelInput, reading: Reading, given: Statistics, read: Statistics) -> Retrial:
    certainty = estimate_drop(metric, given, read).certainty(0.0)
    return Retrial(each, reading, score_of(metric, given), score_of(metric, read), certainty, len(given))
