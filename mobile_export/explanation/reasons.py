"""Why a layer errs, where what was measured tells it.

Each rule looks at one thing that goes wrong in quantization, and speaks only where this explains most of an error that
matters: a sound layer has no reason.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mobile_export.explanation.alignment import Pair
from mobile_export.explanation.statistics import OUTLIER, Tally, outlier
from mobile_export.explanation.weights import Weights
from mobile_export.watching.network import Quantization

POOR = 20.0
"""dB below which a layer's error is looked into; plain int8 reaches 30 to 40."""
COARSE = 30.0
"""dB of weights that may be felt in what is computed with them; int8 keeps above 40, int4 about 20."""
FEW = 16
"""Steps that are too few for the values of a channel or a sample; 4 of 8 bits."""
MANY = 3
"""Samples of which one may be said to differ from the others."""
GATHERED = 10.0
"""dB below which errors that are small in each layer have gathered to one that matters; the gate's limit for int8."""
MOST = 6.0
"""dB by which a layer is worse than what it makes itself, where most of its error comes from before."""
MOVES = 3
"""Steps by which values move that rounding leaves `POOR`."""
STILL = 0.1
"""Share of the squares of values that moves between samples, below which most of them stand still."""
HALF = 0.5


@dataclass(frozen=True)
class Reason:
    """Why a layer errs.

    Attributes:
        kind: for programs.
        text: for people, one sentence.
        layer: the other layer that it names; empty where it names none.
        settable: what a target's `layers` calls those that it advises to give another precision.
    """

    kind: str
    text: str
    layer: str = ""
    settable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What is known of a layer.

    Attributes:
        weights: how its weights are stored; None where it has none, or they cannot be compared.
    """

    layer: Pair
    seen: Tally
    weights: Weights | None = None


def reasons(layers: Mapping[str, Facts]) -> dict[str, tuple[Reason, ...]]:
    """Why each of the `layers` errs, most telling first; nothing where it does not, or no rule explains it.

    Args:
        layers: all of a file, by name, in the order in which they compute.
    """
    found = _Diagnosis(layers)
    return {name: found.reasons(facts) for name, facts in layers.items()}


class _Diagnosis:
    """All layers of a file, and which of them err."""

    def __init__(self, layers: Mapping[str, Facts]) -> None:
        self._layers = layers
        self._readers: dict[str, list[str]] = {name: [] for name in layers}
        for name, facts in layers.items():
            for read in self._before(facts):
                self._readers[read.layer.name].append(name)
        self._errs = dict(self._erring())

    def _erring(self) -> Iterator[tuple[str, bool]]:
        """Whether an error is made in each layer that matters.

        It does to most of its values; or to channels that another one drowns, where something after it is poor.
        """
        harmed: set[str] = set()
        for name, facts in reversed(list(self._layers.items())):
            readers = self._readers[name]
            if any(reader in harmed or self._layers[reader].seen.sqnr < POOR for reader in readers):
                harmed.add(name)
            yield name, facts.seen.own_sqnr < POOR or (name in harmed and facts.seen.quiet_sqnr < POOR)

    def reasons(self, facts: Facts) -> tuple[Reason, ...]:
        errs, name = self._errs[facts.layer.name], facts.layer.name
        found: list[Reason] = []
        if errs:
            found += _all(RANGE, facts) or self._read(facts)
            found += _all(WEIGHTS, facts)
        if any(self._errs[reader] for reader in self._readers[name]):
            found += [reason for reason in _all(STORED, facts) if reason not in found]
        return (*found, *(_dead_channels(facts) if errs else ()), *self._inherited(facts))

    def _before(self, facts: Facts) -> list[Facts]:
        """The layers that it reads, as far as they could be measured."""
        return [self._layers[name] for name in facts.layer.reads if name in self._layers]

    def _read(self, facts: Facts) -> list[Reason]:
        """What is wrong with what it reads, where nothing is with its own values: it gets it rounded."""
        for before in self._before(facts):
            if facts.layer.precision == "dynamic" and before.layer.storage is None:
                before = replace(before, layer=replace(before.layer, storage=_as_they_come(before.seen)))
            for found in _all(STORED, before):
                name = before.layer.name
                return [Reason(f"reads_{found.kind}", f"it reads {name!r}: {found.text}", name, found.settable)]
        return []

    def _inherited(self, facts: Facts) -> list[Reason]:
        """Where most of an error comes from that is not made here."""
        if not facts.seen.sqnr < min(POOR, facts.seen.own_sqnr - MOST):
            return []
        source, passed = facts, {facts.layer.name}
        while source is facts or not self._errs[source.layer.name]:
            before = [each for each in self._before(source) if each.layer.name not in passed]
            if not before:
                text = "most of its error is inherited, and all layers before it have added a little"
                return [Reason("inherited", text)] if facts.seen.sqnr < GATHERED else []
            source = min(before, key=lambda each: each.seen.sqnr)
            passed.add(source.layer.name)
        name = source.layer.name
        return [Reason("inherited", f"most of its error is inherited, and made in {name!r}", name)]


def _all(rules: "Sequence[Rule]", facts: Facts) -> list[Reason]:
    return [reason for rule in rules if (reason := rule(facts)) is not None]


def _overflow(facts: Facts) -> Reason | None:
    most = max(facts.seen.high, -facts.seen.low)
    limit = float(np.finfo(np.float16).max)
    if facts.layer.precision != "float16" or most <= limit:
        return None
    advice, settable = _advice(facts, "keep {} at float32")
    return Reason(
        "overflow", f"its values reach {most:.3g}, beyond the {limit:.0f} of float16; {advice}", settable=settable
    )


def _saturated(facts: Facts) -> Reason | None:
    seen, storage = facts.seen, facts.layer.storage
    if storage is None or not seen.clipped or seen.clipped < HALF * seen.own_noise:
        return None
    low, high = storage.range
    return Reason(
        "saturated_range",
        f"{_percent(seen.saturation or 0)} of its values lie beyond its range of {low:.3g} to {high:.3g} and are cut: "
        f"they reach {seen.low:.3g} to {seen.high:.3g}; calibrate on data like these",
    )


def _outlier_channel(facts: Facts) -> Reason | None:
    storage, channels = facts.layer.storage, facts.seen.channels
    found = None if channels is None else outlier(channels.peaks)
    if storage is None or channels is None or found is None or found[2] > FEW * storage.step:
        return None
    channel, times, typical = found
    advice, settable = _advice(facts, "keep {} in float", *facts.layer.readers)
    return Reason(
        "outlier_channel",
        f"channel {channel} reaches {channels.peaks[channel]:.3g}, {times:.0f} times the median of the others, which "
        f"are left {_steps(typical, storage.step)} of {storage.limits[1] - storage.limits[0] + 1} steps; {advice}",
        settable=settable,
    )


def _wide_range(facts: Facts) -> Reason | None:
    seen, storage = facts.seen, facts.layer.storage
    used = seen.range_used
    if storage is None or used is None or seen.signal == 0:
        return None
    low, high = storage.range
    if max(seen.high, 0.0) - min(seen.low, 0.0) >= 2 * FEW * storage.step:  # every range has 0 in it
        return None
    return Reason(
        "wide_range",
        f"its values use {_percent(used)} of its range of {low:.3g} to {high:.3g}: calibration saw others, or one "
        "extreme sample; look at the calibration data, or take ranges by percentile",
    )


def _one_sample(facts: Facts) -> Reason | None:
    storage, peaks = facts.layer.storage, np.sort(facts.seen.peaks)
    if storage is None or len(peaks) < MANY or not 0 < peaks[-2] <= FEW * storage.step:
        return None
    if peaks[-1] < OUTLIER * peaks[-2]:
        return None
    return Reason(
        "one_sample",
        f"its range is set by one sample, number {int(np.argmax(facts.seen.peaks)) + 1} of those that ran: it reaches "
        f"{peaks[-1]:.3g}, and no other more than {peaks[-2]:.3g}; look at it, or take ranges by percentile",
    )


def _still(facts: Facts) -> Reason | None:
    seen, storage = facts.seen, facts.layer.storage
    moves = math.sqrt(seen.moving / seen.count)
    if storage is None or moves >= MOVES * storage.step or seen.moving > STILL * seen.signal:
        return None
    advice, settable = _advice(facts, "keep {} in float")
    return Reason(
        "still",
        f"its values differ between samples by {moves / storage.step:.2g} steps of its integers only, around what is "
        f"the same in all samples: scale inputs as in training, or {advice}",
        settable=settable,
    )


def _tiny_scale(facts: Facts) -> Reason | None:
    if facts.weights is None or facts.weights.lost_bias is None:
        return None
    channel, bias, kept, scale = facts.weights.lost_bias
    advice, settable = _advice(facts, "keep {} in float")
    return Reason(
        "tiny_scale",
        f"the weights of channel {channel} are so small (scale {scale:.2g}) that its bias of {bias:.3g} does not fit "
        f"the integers that go with it, and is {kept:.3g}; {advice}, or prune the channel",
        settable=settable,
    )


def _weight_outlier(facts: Facts) -> Reason | None:
    weights = facts.weights
    if weights is None or weights.per_channel or weights.outlier is None:
        return None
    channel, times, lost = weights.outlier
    return Reason(
        "outlier_weights",
        f"its weights have one scale, and those of channel {channel} reach {times:.0f} times the median of the others, "
        f"of which {_percent(lost)} become 0; let weights have a scale a channel (per_channel = true)",
    )


def _lost_weights(facts: Facts) -> Reason | None:
    weights = facts.weights
    if weights is None or weights.lost is None:
        return None
    channel, times = weights.lost
    advice, settable = _advice(facts, "keep {} at float16 or float")
    return Reason(
        "lost_weights",
        f"its weights for channel {channel} of what it reads are {times:.0f} times smaller than the median of the "
        f"others and become 0, though the values there are as much larger; {advice}",
        settable=settable,
    )


def _coarse_weights(facts: Facts) -> Reason | None:
    weights = facts.weights
    if weights is None or weights.sqnr >= COARSE:
        return None
    advice, settable = _advice(facts, "give {} more bits")
    text = f"its weights keep {weights.sqnr:.1f} dB in {weights.stored}; {advice}"
    return Reason("coarse_weights", text, settable=settable)


Rule = Callable[[Facts], Reason | None]

RANGE: Sequence[Rule] = (_overflow, _saturated, _wide_range, _one_sample, _still)
"""What makes a layer's values err."""
WEIGHTS: Sequence[Rule] = (_tiny_scale, _weight_outlier, _lost_weights, _coarse_weights)
"""What makes its operator err."""
STORED: Sequence[Rule] = (_saturated, _outlier_channel, _wide_range, _one_sample, _still)
"""What makes those err that read a layer. Its own error may be small beside its largest values."""


def _advice(facts: Facts, what: str, *others: str) -> tuple[str, tuple[str, ...]]:
    """`what` to do about a layer and `others`, by the names that a target's `layers` takes; and these names."""
    names = tuple(dict.fromkeys(filter(None, (facts.layer.settable, *others))))
    return what.format(" and ".join(map(repr, names)) or "it"), names


def _as_they_come(seen: Tally) -> Quantization | None:
    """The integers that a dynamic layer makes of the values it reads."""
    step = (max(seen.high, 0.0) - min(seen.low, 0.0)) / 255
    return Quantization("int8", np.array([step]), np.array([-128 - round(min(seen.low, 0.0) / step)])) if step else None


def _dead_channels(facts: Facts) -> tuple[Reason, ...]:
    """What the error has done to channels."""
    channels = facts.seen.channels
    if channels is None:
        return ()
    dead = np.flatnonzero(channels.dead)
    if not dead.size:
        return ()
    which = ", ".join(map(str, dead[:5])) + (", …" if dead.size > 5 else "")
    text = (
        f"{dead.size} of {channels.alive.sum()} channels that live in the float file are constant in this one ({which})"
    )
    return (Reason("dead_channel", text),)


def _steps(typical: float, step: float) -> str:
    count = typical / step
    return f"{count:.0f}" if count >= 1 else "less than 1"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
