"""How long files of any format take to answer, side by side.

A computer is never equally fast for long: it grows warm, and others work on it. So files are timed in one process, in
rounds in which each has its turn, in another order each time: whatever slows the machine down slows all of them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from pathlib import Path
from statistics import median

import numpy as np

from mobile_export.data.preprocess import Recipes
from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats import FORMATS
from mobile_export.published.artifact_files import artifact_size
from mobile_export.runner import Runner
from mobile_export.samples import Samples, load_samples
from mobile_export.timing.feeds import feeds
from mobile_export.timing.result import File, Timing, Turns
from mobile_export.tools import import_tool

WARM_UP = 3
"""Rounds before the clock counts: first answers allocate and pack weights."""
SETTLE = 0.002
"""Seconds for which a file answers at the start of its turn, at least once, before the answer that is timed: the file
before it has left its own data in the processor's caches, and its threads spin for a while, waiting for more work."""
SECONDS = 1.0
"""How long all turns of a file take, about."""
LEAST, MOST = 11, 501
"""Rounds that are timed, however long or short they are."""
PATIENCE = 120.0
"""Seconds after which no other round begins, however few there were; those before the clock counts included."""
IN_MEMORY = 4
"""Bytes of memory that a byte of a file may take: read, unpacked to float32, and packed for the kernels."""
SHARE = 0.5
"""Of the machine's memory, what all files that are open at once may take."""

_NORMAL_95 = 1.96
"""Standard deviations of a normal distribution, to either side, that hold 95 % of it."""

Answer = Callable[[], object]
"""Answers one batch."""


def time_by_turns(
    files: Mapping[str, File],
    samples: Path,
    recipes: Recipes,
    threads: int,
    room: float | None = None,
    seconds: float = SECONDS,
) -> Turns:
    """Time all files by turns. To be called in a worker: TensorFlow keeps to the threads that a process asks for first.

    Files that do not fit into memory at once are timed in groups. The smallest is in each of them, and by its times
    those of the others are brought to the speed that the machine had for the first group.

    Args:
        samples: an .npz of raw samples, such as `sampling.PARITY` of a work folder; a batch of them is fed.
        recipes: preprocessing that happens outside of the files (`sampling.outside`); it is not timed.
        room: bytes of memory that open files may take; default: half of the machine's.
        seconds: about how long all turns of a file take.
    """
    drawn = load_samples(samples)
    found = Turns()
    anchor: dict[str, Answer] = {}
    needed = {name: IN_MEMORY * artifact_size(file.path) for name, file in files.items()}
    for group in _groups(needed, SHARE * _memory() if room is None else room):
        answers = dict(anchor)
        for name in group:
            try:
                answers[name] = _opened(files[name], drawn, recipes, threads)
            except (ConversionError, ModelError) as error:
                found.untimed[name] = str(error)
        times = by_turns(answers, seconds)
        pace = next((found.timings[name].median / median(times[name]) for name in anchor), 1.0)
        found.timings.update({name: _timing(times[name], threads, pace) for name in answers if name not in anchor})
        anchor = anchor or dict(list(answers.items())[:1])
    return Turns({name: found.timings[name] for name in files if name in found.timings}, found.untimed)


def answer_once(file: File, samples: Path, recipes: Recipes, threads: int) -> None:
    """Open a file and have it answer: whoever makes a worker abort does it here, and takes no others along.

    Raises:
        ConversionError, ModelError: it does not run.
    """
    _opened(file, load_samples(samples), recipes, threads)


def latency_ratio(
    runner: Runner, baseline: Runner, samples: Samples, recipes: Recipes, seconds: float = SECONDS
) -> float:
    """Median time of an answer of `runner` over that of `baseline`; about so many seconds are given to each."""
    compared = {"mine": runner, "other": baseline}
    times = by_turns({name: _answer(one, samples, recipes) for name, one in compared.items()}, seconds)
    ratio: float = median(times["mine"]) / median(times["other"])
    return ratio


def by_turns(
    answers: Mapping[str, Answer], seconds: float = SECONDS, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of every timed answer, by name. Each round has its own order, which is the same at every call.

    Args:
        seconds: about how long all turns of one take.
    """
    names, order = list(answers), np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in names}
    if not names:
        return times
    deadline = clock() + PATIENCE
    for _ in range(WARM_UP):
        if clock() < deadline:
            for answer in answers.values():
                answer()
    began, rounds = clock(), 0
    while rounds == 0 or (
        rounds < MOST and (now := clock()) < deadline and (rounds < LEAST or now - began < seconds * len(names))
    ):
        for index in order.permutation(len(names)):
            times[names[index]].append(_turn(answers[names[index]], clock))
        rounds += 1
    return times


def _turn(answer: Answer, clock: Callable[[], float]) -> float:
    """Seconds of one answer, once those before it have made the machine this file's own."""
    began = clock()
    answer()
    while (started := clock()) - began < SETTLE:
        answer()
    answer()
    return clock() - started


def _opened(file: File, samples: Samples, recipes: Recipes, threads: int) -> Answer:
    """A file that has answered once."""
    answer = _answer(FORMATS[file.format].open(file.path, threads=threads), samples, recipes)
    answer()
    return answer


def _answer(runner: Runner, samples: Samples, recipes: Recipes) -> Answer:
    fed = feeds(runner.inputs, samples, recipes)
    return lambda: runner(fed)


def _timing(times: Sequence[float], threads: int, pace: float) -> Timing:
    middle, late = (pace * float(np.quantile(times, share)) for share in (0.5, 0.9))
    low, high = median_interval(times)
    return Timing(threads=threads, median=middle, interval=(pace * low, pace * high), p90=late, answers=len(times))


def median_interval(times: Sequence[float]) -> tuple[float, float]:
    """An interval that holds the true median in 95 of 100 cases, however times are distributed.

    Each time is below the median or not, as a coin falls; so the order statistics that many away from the middle
    bound it. Fewer than six times cannot say that much: then it is all that was seen.
    """
    ordered = sorted(times)
    below = max(0, int(len(ordered) / 2 - _NORMAL_95 * sqrt(len(ordered)) / 2) - 1)
    return ordered[below], ordered[-1 - below]


def _groups(needed: Mapping[str, float], room: float) -> list[list[str]]:
    """The names in groups that need no more than `room` together with the smallest of all, the smallest first."""
    names = sorted(needed, key=lambda name: needed[name])
    groups: list[list[str]] = []
    taken = 0.0
    for name in names:
        if not groups or taken + needed[name] > room:
            taken = needed[names[0]] if groups else 0.0
            groups.append([])
        groups[-1].append(name)
        taken += needed[name]
    return groups


def _memory() -> int:
    """Bytes that the machine has."""
    return int(import_tool("psutil").virtual_memory().total)
