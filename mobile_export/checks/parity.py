"""The same answers as the reference, as far as the precision allows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mobile_export.checks.evidence import NAN, Evidence, Measurement, measured
from mobile_export.graphs.tensors import Array, Real, real_rows
from mobile_export.target import Limits

DEFAULTS: dict[str, dict[str, float]] = {
    "float32": {"max_rel": 1e-4, "sqnr": 60.0},
    "float16": {"sqnr": 30.0, "rank_agreement": 0.99},
    "dynamic": {"sqnr": 10.0, "rank_agreement": 0.9},
    "int8": {"sqnr": 10.0, "rank_agreement": 0.9},
    "int16x8": {"sqnr": 10.0, "rank_agreement": 0.9},
    "weight_int8": {"sqnr": 10.0, "rank_agreement": 0.9},
    "weight_int4": {"sqnr": 10.0, "rank_agreement": 0.9},
}
"""Least that a file of each precision must reach when the target does not say otherwise."""

RANKED = 200_000
"""Values that a rank correlation is taken over; of more, as many drawn with a fixed seed."""
NOTABLE = 0.01
"""Values that move less between samples, as a fraction of the one that moves most, are not ranked: the order of a
thousand tiny probabilities is noise at any precision, and says nothing."""


def parity(evidence: Evidence, limits: Limits) -> list[Measurement]:
    """Compare every output on every sample; the worst output counts.

    `sqnr` and `rank_agreement` look at how the reference's answers differ *between samples*: a file that answers the
    same to everything has 0 dB and no rank agreement, however close it is to the mean answer.
    """
    missing = sorted(set(evidence.reference) - set(evidence.answers))
    if missing:
        return [Measurement("sqnr", NAN, 0.0, True, f"output {missing[0]!r} is missing")]
    pairs = [_Pair.of(evidence.reference[name], evidence.answers[name]) for name in evidence.reference]
    if any(pair.moves for pair in pairs):
        pairs = [replace(pair, still=not pair.moves and pair.counts) for pair in pairs]
    defaults = DEFAULTS[evidence.precision]
    found = [
        measured(
            name,
            _worst(name, function, pairs),
            limits,
            defaults.get(name),
            _note(dict(zip(evidence.reference, pairs, strict=True)), evidence.drawn) if name == "sqnr" else "",
        )
        for name, function in MEASURES.items()
    ]
    return [*found, *_top1_agreement(pairs, limits)]


def _top1_agreement(pairs: list["_Pair"], limits: Limits) -> list[Measurement]:
    """Measured over the outputs that choose a class; without one there is no such number."""
    choosing = [pair for pair in pairs if pair.chooses]
    if choosing:
        return [measured("top1_agreement", _worst("top1_agreement", top1_agreement, choosing), limits)]
    if limits.top1_agreement is None:
        return []
    return [measured("top1_agreement", NAN, limits, note="no output has one score a class, or is a class")]


@dataclass(frozen=True)
class _Pair:
    """One output: reference and artifact as float64 of shape [samples, values].

    Attributes:
        chooses: whether it is one score a class, or the number of a class.
        still: whether it is a count, such as a number of boxes, that is the same for every sample while others are
            not; then it is judged by its magnitude.
    """

    reference: Real
    artifact: Real
    chooses: bool
    still: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is one whole number a sample; 0 and 1 are what a saturated score may be, too."""
        return self.reference.shape[1] == 1 and bool(
            ((self.reference == np.rint(self.reference)) & (np.abs(self.reference) > 1)).all()
        )

    @property
    def moves(self) -> bool:
        """Whether the reference's answers differ between samples by more than rounding."""
        return _moves(self.reference)

    @classmethod
    def of(cls, reference: Array, artifact: Array) -> "_Pair":
        flat = real_rows(reference)
        same_form = artifact.shape == reference.shape and (artifact.dtype.kind == "c") == (reference.dtype.kind == "c")
        chooses = reference.dtype.kind in "iu" if flat.shape[1] == 1 else reference.ndim == 2
        return cls(flat, real_rows(artifact) if same_form else np.full_like(flat, np.nan), chooses)


def max_abs(pair: _Pair) -> float:
    """Largest |artifact - reference|."""
    return float(np.abs(pair.artifact - pair.reference).max(initial=0.0))


def max_rel(pair: _Pair) -> float:
    """The same, over the largest |reference|."""
    return max_abs(pair) / max(float(np.abs(pair.reference).max(initial=0.0)), float(np.finfo(np.float32).tiny))


def cosine(pair: _Pair) -> float:
    """Cosine similarity over all samples and values; 1 when both are all zeros."""
    norms = float(np.linalg.norm(pair.reference) * np.linalg.norm(pair.artifact))
    if norms == 0:
        return 1.0 if np.array_equal(pair.reference, pair.artifact) else 0.0
    return float((pair.reference * pair.artifact).sum() / norms)


def sqnr(pair: _Pair) -> float:
    """Signal to quantization noise, dB: the reference's variance over samples against the mean squared error.

    Where answers hardly differ between samples, rounding is no noise: they would drown in it, in any file.
    """
    error = pair.artifact - pair.reference
    spread = pair.reference if pair.still else _centred(pair.reference)
    if np.abs(spread).max(initial=0.0) < NOTABLE * np.abs(pair.reference).max(initial=0.0):
        error[np.abs(error) <= _rounding(pair.reference)] = 0
    signal = float(np.square(spread).mean())
    noise = float(np.square(error).mean())
    if not (pair.moves or pair.still) or not np.isfinite(noise):
        return NAN
    if not noise:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal else float("-inf")


def rank_agreement(pair: _Pair) -> float:
    """Spearman's correlation of how far each notable answer lies from its mean over samples."""
    if not (pair.moves or pair.still) or not np.isfinite(pair.artifact).all():
        return NAN
    if pair.still:
        return 1.0  # there is no order, and `sqnr` has looked at the values
    reference, artifact = _centred(pair.reference).reshape(-1), _centred(pair.artifact).reshape(-1)
    notable = np.flatnonzero(np.abs(reference) >= NOTABLE * np.abs(reference).max())
    if notable.size > RANKED:
        notable = np.random.default_rng(0).choice(notable, RANKED, replace=False)
    first, second = _ranks(reference[notable]), _ranks(artifact[notable])
    spread = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / spread if spread else 0.0


def top1_agreement(pair: _Pair) -> float:
    """Share of samples with the same highest value; of single integers, with the same value."""
    if pair.reference.shape[1] == 1:
        return float((pair.reference == pair.artifact).mean())
    return float((pair.reference.argmax(axis=1) == pair.artifact.argmax(axis=1)).mean())


MEASURES: dict[str, Callable[[_Pair], float]] = {
    "max_abs": max_abs,
    "max_rel": max_rel,
    "cosine": cosine,
    "sqnr": sqnr,
    "rank_agreement": rank_agreement,
}

_UPPER = ("max_abs", "max_rel")


def _worst(name: str, function: Callable[[_Pair], float], pairs: list[_Pair]) -> float:
    values = [function(pair) for pair in pairs]
    if any(np.isnan(values)):
        return NAN
    return max(values) if name in _UPPER else min(values)


def _note(pairs: dict[str, _Pair], drawn: bool) -> str:
    same = [name for name, pair in pairs.items() if not (pair.moves or pair.still)]
    if same and all(len(pair.reference) == 1 for pair in pairs.values()):
        return "one sample does not show how answers differ; bring more in [data] evaluation or calibration"
    if same:
        named = f" in {', '.join(map(repr, same))}" if len(same) < len(pairs) else ""
        return f"the model answers the same to every sample{named}; bring [data] evaluation or calibration"
    if drawn:
        return "on random samples, which may be far from what the model knows; bring [data] evaluation or calibration"
    return ""


def _centred(values: Real) -> Real:
    centred: Real = values - values.mean(axis=0)
    return centred


def _moves(values: Real) -> bool:
    """Whether answers differ between samples by more than rounding."""
    return values.size > 0 and bool(np.abs(_centred(values)).max() > _rounding(values))


def _rounding(values: Real) -> float:
    """What float32 arithmetic in another order may add to or take from values of this magnitude."""
    return 1e-6 * float(np.abs(values).max(initial=0.0))


def _ranks(values: Real) -> Real:
    """Ranks around 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Real = (ends - (counts - 1) / 2)[inverse.reshape(-1)]
    return _centred(ranks)
