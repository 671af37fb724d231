"""How long a file takes to answer, against another one."""

import time
from collections.abc import Mapping
from statistics import median

from mobile_export.graphs.tensors import Array
from mobile_export.runner import Runner, batches
from mobile_export.samples import Samples

WARM_UP = 3
"""Answers before the clock counts: the first ones allocate and pack weights."""
SECONDS = 1.0
"""How long is measured, about."""
LEAST, MOST = 11, 501
"""Answers of each that are timed."""


def latency_ratio(runner: Runner, baseline: Runner, samples: Samples) -> float:
    """Median time of an answer of `runner` over that of `baseline`, by turns so that a slow moment slows both."""
    feeds = [(one, _first(one, samples)) for one in (runner, baseline)]
    for _ in range(WARM_UP):
        first = sum(_seconds(one, feed) for one, feed in feeds)
    turns = int(min(MOST, max(LEAST, SECONDS / max(first, 1e-9))))
    times = [[_seconds(one, feed) for one, feed in feeds] for _ in range(turns)]
    mine, others = zip(*times, strict=True)
    ratio: float = median(mine) / median(others)
    return ratio


def _first(runner: Runner, samples: Samples) -> dict[str, Array]:
    """One batch, as `runner` takes it; one sample where the batch is dynamic."""
    _, _, batch = next(batches(runner.inputs, samples, most=1))
    return {edge.name: edge.quantize(batch[edge.name]) for edge in runner.inputs}


def _seconds(runner: Runner, feeds: Mapping[str, Array]) -> float:
    started = time.perf_counter()
    runner(feeds)
    return time.perf_counter() - started
