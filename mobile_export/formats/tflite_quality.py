"""How close a quantized .tflite file comes to the float one on calibration samples: what engines are compared by."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_export.formats.tflite_runner import TFLiteRunner
from mobile_export.tensors import Array

Batches = Sequence[Mapping[str, Array]]


@dataclass(frozen=True)
class Quality:
    """What there is to choose between two files by.

    Attributes:
        float_operators: how many were left in float.
        sqnr: signal to noise of the worst output, dB; at most 200, which is more than float32 has.
        size: bytes.
    """

    float_operators: int
    sqnr: float
    size: int

    @property
    def rank(self) -> tuple[int, int, int]:
        """The lower, the better: float operators, since they are refused; then whole decibels; then bytes."""
        return self.float_operators, -round(self.sqnr), self.size


def quality(path: Path, float_operators: int, expected: Sequence[Array], batches: Batches) -> Quality:
    """Run a file on `batches`, to which the float file answers `expected`.

    Raises:
        ConversionError: the runtime does not load it, or an operator fails.
    """
    sqnr = min(map(_sqnr, expected, answers(path, batches)), default=200.0)
    return Quality(float_operators, sqnr, path.stat().st_size)


def answers(path: Path, batches: Batches) -> list[Array]:
    """Real values of each output, for all batches, flat."""
    runner = TFLiteRunner(path)
    found: list[list[Array]] = [[] for _ in runner.outputs]
    for batch in batches:
        answered = runner({edge.name: edge.quantize(batch[edge.name]) for edge in runner.inputs})
        for edge, values in zip(runner.outputs, found, strict=True):
            values.append(np.asarray(edge.dequantize(answered[edge.name]), np.float64).reshape(-1))
    return [np.concatenate(values) for values in found]


def first(batches: Iterable[Mapping[str, Array]], samples: int) -> Iterator[Mapping[str, Array]]:
    """The batches that hold the first `samples`."""
    for batch in batches:
        yield batch
        samples -= len(next(iter(batch.values())))
        if samples <= 0:
            return


def _sqnr(expected: Array, answered: Array) -> float:
    """-200 where there is another number of answers, or one that is no number."""
    if answered.shape != expected.shape or not np.isfinite(answered).all():
        return -200.0
    signal, noise = np.square(expected).sum(), np.square(answered - expected).sum()
    return float(10 * np.log10(max(signal, 1e-300) / max(noise, signal * 1e-20, 1e-300)))
