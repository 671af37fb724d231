"""How close a quantized .tflite file comes to the float one on calibration samples: what engines are compared by."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.graphs.tensors import Array

Batches = Sequence[Mapping[str, Array]]

ENOUGH = 10.0
"""dB from which on a file is not compared with another engine's: what the gate asks of int8 at least. Both engines take
the same ranges: of 10 networks and 40 kinds of layers, none had answers more than 1.1 dB apart where both computed
everything in integers."""

_MOST = 200.0
_ROUNDING = 1e-6
"""Of a value's magnitude: what float32 arithmetic in another order may move it."""


@dataclass(frozen=True)
class Quality:
    """What there is to choose between two files by.

    Attributes:
        float_operators: how many were left in float.
        sqnr: signal to noise of the worst output, dB, where signal is what moves between samples, as in the gate's
            `sqnr`; from -200 to 200, which is more than float32 has.
        size: bytes.
    """

    float_operators: int
    sqnr: float
    size: int

    @property
    def is_enough(self) -> bool:
        """Whether no other file need be looked at."""
        return not self.float_operators and self.sqnr >= ENOUGH

    @property
    def rank(self) -> tuple[int, int, int]:
        """The lower, the better: float operators, since they are refused; then whole decibels; then bytes."""
        return self.float_operators, -round(self.sqnr), self.size


def quality(path: Path, float_operators: int, expected: Sequence[Array], batches: Batches) -> Quality:
    """Run a file on `batches`, to which the float file answers `expected`.

    Raises:
        ConversionError: the runtime does not load it, or an operator fails.
    """
    sqnr = min(map(_sqnr, expected, answers(path, batches)), default=_MOST)
    return Quality(float_operators, sqnr, path.stat().st_size)


def answers(path: Path, batches: Batches) -> list[Array]:
    """Real values of each output, for all batches, as `as_rows` gives them."""
    runner = TFLiteRunner(path)
    answered = [runner({edge.name: edge.quantize(batch[edge.name]) for edge in runner.inputs}) for batch in batches]
    real = [{edge.name: edge.dequantize(each[edge.name]) for edge in runner.outputs} for each in answered]
    return as_rows([edge.name for edge in runner.outputs], real, batches)


def as_rows(names: Sequence[str], answered: Batches, batches: Batches) -> list[Array]:
    """Of each output, what was answered to all batches: one row a sample, or a batch where it has none a sample."""
    sizes = [len(next(iter(batch.values()))) for batch in batches]
    found = []
    for name in names:
        rows = []
        for size, answer in zip(sizes, answered, strict=True):
            values = np.asarray(answer[name], np.float64)
            rows.append(values.reshape(size if values.shape[:1] == (size,) else 1, -1))
        found.append(_stacked(rows))
    return found


def first(batches: Iterable[Mapping[str, Array]], samples: int) -> Iterator[Mapping[str, Array]]:
    """The batches that hold the first `samples`."""
    for batch in batches:
        yield batch
        samples -= len(next(iter(batch.values())))
        if samples <= 0:
            return


def _stacked(rows: Sequence[Array]) -> Array:
    """One below the other; one row of all where they differ in length."""
    alike = len({part.shape[1] for part in rows}) == 1
    return np.concatenate(rows) if alike else np.concatenate([part.reshape(1, -1) for part in rows], axis=1)


def _sqnr(expected: Array, answered: Array) -> float:
    """Of rows of answers; -200 where there is another number of them, or one that is no number.

    Where they are the same for all samples, signal is how far they lie from 0.
    """
    if answered.shape != expected.shape or not np.isfinite(answered).all():
        return -_MOST
    moving = expected - expected.mean(axis=0)
    still = np.abs(moving).max(initial=0) <= _ROUNDING * np.abs(expected).max(initial=0)
    signal, noise = np.square(expected if still else moving).sum(), np.square(answered - expected).sum()
    if noise == 0:
        return _MOST
    return float(np.clip(10 * np.log10(max(signal, 1e-300) / noise), -_MOST, _MOST))
