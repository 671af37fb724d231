"""A network of dense layers in NumPy, quantized for real: what the strategy is tried on.

Sizes are those of the weights; answers are measured, never made up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobile_export.formats.format import Layer
from mobile_export.quantize.scheme import Scheme
from mobile_export.search.rounds import Budget, run_rounds
from mobile_export.search.strategy import Space, strategy
from mobile_export.search.trail import Outcome, Proposal, Reading, Trail

BITS = {"weight_int4": 4, "int8": 8, "int16x8": 8, "weight_int8": 8, "float16": 16, "float32": 32}
ACTIVATION_BITS = {"int8": 8, "int16x8": 16}
WIDTH = 16


def rounded(values: np.ndarray, bits: int, axis: int | None) -> np.ndarray:
    """Symmetric fake quantization, with one scale, or one for each entry of the axis that is left."""
    step = np.abs(values).max(axis=axis, keepdims=axis is not None) / (2 ** (bits - 1) - 1)
    return np.rint(values / np.maximum(step, 1e-30)) * step


@dataclass
class Toy:
    """Layers `layer0`, `layer1`, …: relu(x @ weights), of which pairs can be rescaled without changing any answer."""

    weights: list[np.ndarray]
    samples: np.ndarray
    refused: tuple[str, ...] = ()
    """Precisions that the quantizer refuses."""

    @classmethod
    def of(cls, layers: int, seed: int = 0) -> "Toy":
        rng = np.random.default_rng(seed)
        weights = [rng.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5 for _ in range(layers)]
        return cls(weights, rng.normal(size=(64, WIDTH)))

    def rescaled(self, first: int, channels: Sequence[int] = (3,), by: float = 1000.0) -> "Toy":
        """Channels between layer `first` and the next are `by` times as large; relu(a·x) = a·relu(x)."""
        weights = [w.copy() for w in self.weights]
        weights[first][:, channels] *= by
        weights[first + 1][channels, :] /= by
        return Toy(weights, self.samples)

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(Layer(f"layer{index}", "DENSE", w.size) for index, w in enumerate(self.weights))

    def run(self, scheme: Scheme) -> np.ndarray:
        x = self.samples
        for index, weights in enumerate(self.weights):
            precision = scheme.of(f"layer{index}")
            if BITS[precision] <= 8:
                weights = rounded(weights, BITS[precision], axis=0 if scheme.per_channel else None)
            bits = ACTIVATION_BITS.get(precision)
            x = x if bits is None else rounded(x, bits, None)
            x = np.maximum(x @ weights, 0)
            x = x if bits is None else rounded(x, bits, None)
        return x

    def size(self, scheme: Scheme) -> int:
        """Of weights, their scales, and biases: those of integers are as wide as what is summed up."""
        scales = 4 * WIDTH if scheme.per_channel else 4
        total = 0
        for index, weights in enumerate(self.weights):
            precision = scheme.of(f"layer{index}")
            bias = 8 if precision == "int16x8" else 4
            total += weights.size * BITS[precision] // 8 + bias * WIDTH + (scales if BITS[precision] <= 8 else 0)
        return total

    def try_file(self, scheme: Scheme, sqnr: float, most: float) -> Outcome:
        reference = self.run(Scheme())
        noise = np.square(self.run(scheme) - reference).mean()
        signal = np.square(reference - reference.mean(axis=0)).mean()
        found = float(10 * np.log10(signal / noise)) if noise else float("inf")
        readings = (
            Reading("parity", "sqnr", found, sqnr, True, found >= sqnr),
            Reading("size", "size", self.size(scheme), most, False, self.size(scheme) <= most),
        )
        return Outcome("passed" if all(r.passed for r in readings) else "missed", self.size(scheme), readings)

    def space(self, uniform: Sequence[str] = tuple(BITS), **other) -> Space:
        levels = tuple(precision for precision in BITS if precision in {*uniform, "float16", "float32"})
        return Space(tuple(uniform), levels, self.layers, tuple(ACTIVATION_BITS), {}, **other)

    def outcome(self, proposal: Proposal, sqnr: float, most: float = float("inf"), bound: int | None = None) -> Outcome:
        """As a bench would find it."""
        size = self.size(proposal.scheme)
        if proposal.scheme.precision in self.refused:
            return Outcome("refused", note=f"no {proposal.scheme.precision}")
        if proposal.kind == "size":
            return Outcome("counted", size)
        if proposal.kind == "candidate" and bound is not None and size >= bound:
            return Outcome("larger", size)
        return self.try_file(proposal.scheme, sqnr, most)

    def search(self, sqnr: float = 25.0, most: float = float("inf"), candidates: int = 200, space=None) -> Trail:
        def evaluate(proposals: Sequence[Proposal], bound: int | None, deadline: float) -> list[Outcome | None]:
            return [self.outcome(proposal, sqnr, most, bound) for proposal in proposals]

        return run_rounds(strategy(space or self.space()), evaluate, Budget(60, candidates))
