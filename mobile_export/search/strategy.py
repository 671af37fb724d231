"""Which files to try, in rounds: each round's results decide on the next. Pure: it sees numbers, and no files.

uniform      each precision throughout, from the smallest file on
choices      other ways to find ranges and scales, of a precision whose answers are not good enough
sensitivity  what each group of layers costs when it alone is quantized
bisection    how few of the worst groups have to be more precise
refinement   which of these can be given back, group by group and then layer by layer

A step is a generator that yields proposals and is sent their trials; rounds depend on results alone, never on how many
workers there are, so the same measurements lead to the same file.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeVar

from mobile_export.formats.format import Layer
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.trail import Proposal, Trial, rank, shortfall, smallest

Round = list[Proposal]
T = TypeVar("T")
Steps = Generator[Round, list[Trial], T]

FLOATS = ("float16", "float32")
"""Precisions that hold no integers."""

DYNAMIC = "dynamic"
"""What stores as many bytes as weights of 8 bits that are computed in float, and answers worse: no help to a layer."""

GAIN = 1.0
"""dB that another way to find ranges or scales has to gain to be kept for what follows."""
NEARER = 0.2
"""Or by how much less it has to miss a limit, as a fraction of what is missed."""

ABREAST = 2
"""Precisions that are tried at once: one more than needed may be, and a second worker is not idle."""

ALIKE = 1.05
"""Ratio up to which files are of one size: their weights have the same number of bits."""

Group = tuple[str, ...]
"""Names of neighbouring layers that have one precision."""


@dataclass(frozen=True)
class Space:
    """What there is to choose from.

    Attributes:
        uniform: precisions that a whole file may have.
        levels: precisions that a layer may have, from the fewest bytes of weights to the most.
        layers: in the order in which they compute.
        calibrated: precisions that depend on the ranges of activations.
        choices: values of `Scheme.ranges` and `Scheme.weights` by field, the default first.
        groups: the most whose sensitivity is measured.
    """

    uniform: tuple[str, ...]
    levels: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    calibrated: Collection[str] = ()
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    groups: int = 32

    def above(self, precision: str) -> tuple[str, ...]:
        """What layers may have in a file of `precision` to answer better, from the fewest bytes to the most.

        A file that computes in float gains nothing by layers that compute in integers.
        """
        later = self.levels[self.levels.index(precision) + 1 :] if precision in self.levels else ()
        useful = [level for level in later if level != DYNAMIC]
        return tuple(level for level in useful if precision in self.calibrated or level not in self.calibrated)


def strategy(space: Space) -> Steps[None]:
    """The whole search."""
    uniform = yield from _uniform(space)
    known = {trial.scheme.precision: trial for trial in uniform}
    best = smallest(uniform)
    repaired: list[Trial] = []
    for base in (trial for trial in uniform if trial.outcome.repairable and trial.scheme.precision not in FLOATS):
        if (best is None or base.size < best.size) and not any(_alike(space, base, other) for other in repaired):
            found = yield from _repair(space, base, known)
            repaired += [base] if found is not None else []
            best = smallest([best, found])
    if best is not None and best.scheme.per_channel and not best.scheme.precisions.issubset(FLOATS):
        yield [Proposal(replace(best.scheme, per_channel=False), "choices")]  # fewer scales


def _uniform(space: Space) -> Steps[list[Trial]]:
    """Every precision throughout of which there is a file, the smallest first, until one passes."""
    sizes = yield [Proposal(Scheme(precision), "uniform", "size") for precision in space.uniform]
    ascending = sorted((trial for trial in sizes if trial.outcome.size is not None), key=rank)
    tried: list[Trial] = []
    while ascending and smallest(tried) is None:
        tried += yield [Proposal(trial.scheme, "uniform") for trial in ascending[:ABREAST]]
        ascending = ascending[ABREAST:]
    return tried


def _alike(space: Space, base: Trial, other: Trial) -> bool:
    """Whether the repair of `other` has tried what that of `base` would: both compute alike, in files of one size."""
    first, second = other.scheme.precision, base.scheme.precision
    if base.size > ALIKE * other.size or (first in space.calibrated) != (second in space.calibrated):
        return False
    return second == DYNAMIC or second in space.above(first)


def _repair(space: Space, base: Trial, known: Mapping[str, Trial]) -> Steps[Trial | None]:
    """The smallest file that is like `base` and passes: with other choices, or with layers that are more precise."""
    base = yield from _best_choices(space, base)
    levels = space.above(base.scheme.precision)
    if base.passed or not levels or len(space.layers) < 2:
        return base
    ranked = yield from _by_damage(base, grouped(space.layers, space.groups))
    able = [level for level in levels if level not in known or not known[level].outcome.unfaithful]
    found = smallest((yield from together([_fewest(base, ranked, level) for level in able[:-1]])))
    if found is None:  # the last level is the largest
        found = smallest((yield from together([_fewest(base, ranked, level) for level in able[-1:]])))
    return (yield from _refined(space, base, found, ranked)) if found is not None else None


def _best_choices(space: Space, base: Trial) -> Steps[Trial]:
    """`base` with what suits the model better: one that passes, or else the one that comes nearest to that."""
    others = {
        name: [value for value in values if value != getattr(base.scheme, name)]
        for name, values in space.choices.items()
        if name != "ranges" or base.scheme.precision in space.calibrated
    }
    tried = yield [_choosing(base, {name: value}) for name, values in others.items() for value in values]
    gaining = sorted((t for t in tried if _gains(t, base)), key=_nearness)
    helping = {name: value for t in gaining for name in others if (value := _differs(t, base, name)) is not None}
    if smallest(tried) is None and len(helping) > 1:
        tried += yield [_choosing(base, helping)]
    return smallest(tried) or max((t for t in tried if _gains(t, base)), key=_nearness, default=base)


def _choosing(base: Trial, values: Mapping[str, str]) -> Proposal:
    return Proposal(replace(base.scheme, **values), "choices")  # type: ignore[arg-type]  # fields that hold text


def _gains(trial: Trial, base: Trial) -> bool:
    """Whether answers are cleaner, or what is missed is missed by less; by more than chance would have it."""
    cleaner = trial.outcome.quality > base.outcome.quality + GAIN
    return trial.outcome.verdict == "missed" and (
        cleaner or shortfall(trial.outcome) < (1 - NEARER) * shortfall(base.outcome)
    )


def _nearness(trial: Trial) -> tuple[float, float]:
    return -shortfall(trial.outcome), trial.outcome.quality


def _differs(trial: Trial, base: Trial, name: str) -> str | None:
    """The value of the field `name` where it is not that of `base`."""
    value: str = getattr(trial.scheme, name)
    return value if value != getattr(base.scheme, name) else None


def grouped(layers: Sequence[Layer], most: int) -> list[Group]:
    """Names of all layers, neighbours together, in at most `most` groups of about the same number."""
    count = min(most, len(layers))
    bounds = [len(layers) * index // count for index in range(count + 1)]
    return [tuple(layer.name for layer in layers[a:b]) for a, b in pairwise(bounds)]


def _by_damage(base: Trial, groups: Sequence[Group]) -> Steps[list[Group]]:
    """Groups by the noise that each adds when it alone is quantized, the worst first.

    Alone, and not left out alone: where two neighbours share an activation with outliers, sparing one of them shows
    nothing.
    """
    precision = base.scheme.precision
    only = [
        _with_layers(replace(base.scheme, precision="float32"), dict.fromkeys(group, precision)) for group in groups
    ]
    trials = yield [Proposal(scheme, "sensitivity", "probe") for scheme in only]
    order = sorted(range(len(groups)), key=lambda index: (trials[index].outcome.quality, index))
    return [groups[index] for index in order]


def _fewest(base: Trial, ranked: Sequence[Group], level: str) -> Steps[Trial | None]:
    """The file in which as few as possible of the worst groups have precision `level`; not all, that is no mixture."""
    low, high, found = 0, len(ranked), None
    while high - low > 1:
        middle = (low + high) // 2
        kept = {name: level for group in ranked[:middle] for name in group}
        (trial,) = yield [Proposal(_with_layers(base.scheme, kept), "bisection")]
        if trial.outcome.verdict in ("passed", "larger"):  # larger than one that passes: with fewer, if at all
            high, found = middle, trial if trial.passed else found
        else:
            low = middle
    return found


def _refined(space: Space, base: Trial, best: Trial, ranked: Sequence[Group]) -> Steps[Trial]:
    """`best` without what it does not need: groups are given back, and then single layers of those that are left."""
    rungs = (base.scheme.precision, *space.above(base.scheme.precision))
    singles = [(name,) for group in ranked if len(group) > 1 for name in group]
    for groups in (ranked, singles):
        for index, rung in enumerate(rungs[:-1]):
            above = [
                group for group in reversed(groups) if {best.scheme.of(name) for name in group} <= {*rungs[index + 1 :]}
            ]
            best = yield from _lowered(best, above, rung)
    return best


def _lowered(best: Trial, groups: Sequence[Group], rung: str) -> Steps[Trial]:
    """`best` with as many of `groups` as possible at `rung`: each is tried alone, then those that pass together.

    Together they may be too much; then as many as bisection finds, those that save most first.
    """
    tried = yield [_moved(best, [group], rung) for group in groups]
    passing = sorted((pair for pair in zip(tried, groups, strict=True) if pair[0].passed), key=lambda p: rank(p[0]))
    helping = [group for _, group in passing]
    low, high, middle = 1, len(helping) + 1, len(helping)
    while high - low > 1:
        (trial,) = yield [_moved(best, helping[:middle], rung)]
        tried.append(trial)
        low, high = (middle, high) if trial.passed else (low, middle)
        middle = (low + high) // 2
    return smallest([best, *tried]) or best


def _moved(trial: Trial, groups: Sequence[Group], rung: str) -> Proposal:
    return Proposal(_with_layers(trial.scheme, {name: rung for group in groups for name in group}), "refinement")


def _with_layers(scheme: Scheme, layers: Mapping[str, str]) -> Scheme:
    """`scheme` with other precisions of some layers."""
    mixed = Scheme.mixed(scheme.precision, {**dict(scheme.layers), **layers})
    return replace(scheme, layers=mixed.layers)


def together(steps: Sequence[Steps[T]]) -> Steps[list[T | None]]:
    """Several steps side by side: a round holds what all of them ask for."""
    active = dict(enumerate(steps))
    results: list[T | None] = [None] * len(steps)
    answers: dict[int, list[Trial]] = {}
    while active:
        asked: dict[int, Round] = {}
        for index, step in list(active.items()):
            try:
                asked[index] = step.send(answers[index]) if index in answers else next(step)
            except StopIteration as ended:
                results[index] = ended.value
                del active[index]
        if asked:
            trials = iter((yield [proposal for proposals in asked.values() for proposal in proposals]))
            answers = {index: [next(trials) for _ in proposals] for index, proposals in asked.items()}
    return results
