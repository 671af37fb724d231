"""Values that the graph's first step has room for."""

from collections.abc import Iterator

import numpy as np

from mobile_export.data_checks.evidence import Evidence, Issue, SampleSet
from mobile_export.data_checks.traces import Factor, Range
from mobile_export.graphs.tensors import real_rows

LOST, MANY_LOST = 0.01, 0.25
"""Share of values beyond a range that is suspicious, and that is wrong."""
USED, HARDLY_USED = 0.25, 1 / 16
"""Share of a range that sound data uses at least, and below which it was meant for other values."""


def ranges(evidence: Evidence) -> Iterator[Issue]:
    """Fake quantizations and clips at an input lose what lies beyond; a graph that divides by 255 takes bytes."""
    for step in evidence.steps:
        for data in evidence.sets:
            yield from _beyond(data, step) if isinstance(step, Range) else _twice(evidence, data, step)


def _beyond(data: SampleSet, step: Range) -> Iterator[Issue]:
    values = real_rows(data.samples[step.input])
    low, high = float(values.min()), float(values.max())
    what = (
        f"{data.key}: {step.input!r} lies between {low:.4g} and {high:.4g}, and node {step.node!r} is made for "
        f"{step.low:.4g} to {step.high:.4g}"
    )
    width = step.high - step.low
    slack = 0.01 * width
    lost = float(((values < step.low - slack) | (values > step.high + slack)).mean())
    if lost > LOST:
        yield Issue(
            "error" if lost > MANY_LOST else "warning",
            f"{what}: {lost:.0%} of the values are cut off; normalize the samples as in training",
        )
    elif step.measured and high - low < USED * width:
        yield Issue(
            "error" if high - low < HARDLY_USED * width else "warning",
            f"{what}, of which it uses {(high - low) / width:.1%}; normalize the samples as in training, once",
        )


def _twice(evidence: Evidence, data: SampleSet, step: Factor) -> Iterator[Issue]:
    """Only a factor that makes ones of bytes or larger numbers tells what the input is for."""
    spread = float(np.ptp(real_rows(data.samples[step.input])))
    if step.value < 1 / 64 and 0 < spread * step.value < 1 / 32:
        place = evidence.input(step.input).place
        yield Issue(
            "error",
            f"{data.key}: {step.input!r} is normalized twice: node {step.node!r} multiplies it by {step.value:.4g}, "
            f"and its values spread over {spread:.4g} only; store the samples × {1 / step.value:.4g}, or remove scale "
            f"from {place}",
        )
