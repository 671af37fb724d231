"""Running something that has named inputs and outputs over samples: a graph, a .tflite file, an .onnx file.

Samples are stacked along a first axis, which is the batch axis of every input. A runner says with its shapes how many
it takes at once: a dynamic first dimension takes all, a fixed one takes that many. Where samples have one dimension
more than the input (a scalar, a waveform, an image without batch), each of them is a whole input.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array
from mobile_export.samples import Samples

MAX_BATCH = 32
"""Samples run at once where the batch is dynamic. More are no faster, and their activations take more memory, which has
to be had from the system anew for each operator."""


@dataclass(frozen=True)
class Edge:
    """An input or output as a runtime sees it.

    Attributes:
        name: the public name.
        dtype: NumPy's name of the element type.
        shape: sizes, -1 where dynamic; None when unknown.
        scale, zero_point: of an integer edge that stands for real values: real = scale * (integer - zero_point).
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    scale: float | None = None
    zero_point: int | None = None

    def quantize(self, real: Array) -> Array:
        """Real values to this edge's dtype, rounded and saturated when it is quantized."""
        if self.scale is None or self.zero_point is None:
            return np.asarray(real, self.dtype, order="C")
        limits = np.iinfo(self.dtype)
        steps = np.rint(np.asarray(real, np.float64) / self.scale) + self.zero_point
        stored: Array = np.clip(steps, limits.min, limits.max).astype(self.dtype)
        return stored

    def dequantize(self, stored: Array) -> Array:
        """This edge's values to real ones; float32 when it is quantized."""
        if self.scale is None or self.zero_point is None:
            return stored
        return ((stored.astype(np.int32) - self.zero_point) * np.float32(self.scale)).astype(np.float32)


class Runner(Protocol):
    """A loaded model. Calling it runs one batch, in the dtypes of its edges."""

    @property
    def inputs(self) -> tuple[Edge, ...]: ...

    @property
    def outputs(self) -> tuple[Edge, ...]: ...

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]: ...


@runtime_checkable
class AtOnce(Protocol):
    """A runner that is better asked for all batches at once, such as one on a phone, to which each call is a way."""

    def run_all(self, batches: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
        """What calls with these batches would give, in their order."""
        ...


class Shaped(Protocol):
    """Whatever has a name and a shape."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...] | None: ...


def run_samples(runner: Runner, samples: Mapping[str, Array], most: int = MAX_BATCH) -> Samples:
    """Run every sample; real values in and out, outputs stacked on the first axis.

    Args:
        most: samples at once where the batch is dynamic.

    Raises:
        ModelError: an output does not have one entry a sample, or another size for each.
    """
    pieces: dict[str, list[Array]] = {edge.name: [] for edge in runner.outputs}
    for answers in run_batches(runner, samples, most):
        for name, answer in answers.items():
            pieces[name].append(answer)
    return {name: _stacked(name, parts) for name, parts in pieces.items()}


def run_batches(runner: Runner, samples: Mapping[str, Array], most: int = MAX_BATCH) -> Iterator[Samples]:
    """Run every sample, and give the answers to one batch after the other; real values in and out.

    The last batch is padded by repeating its last sample, and the padding's answers are dropped. Where the batch is
    dynamic and an output does not begin with it (time first, say), samples are run one by one.

    Args:
        most: samples at once where the batch is dynamic.

    Raises:
        ModelError: an output does not have one entry a sample.
    """
    fixed = any(edge.shape and edge.shape[0] > 1 for edge in runner.inputs)
    if not fixed and any(edge.shape and edge.shape[0] >= 0 for edge in runner.outputs):
        yield from _run(runner, samples, most=1)
        return
    answers = _run(runner, samples, most)
    try:
        first = next(answers)  # all batches are of one form: what the first one shows holds for all
    except _NotBatched:
        if fixed:
            raise
        yield from _run(runner, samples, most=1)
        return
    yield first
    yield from answers


class _NotBatched(ModelError):
    """An output's first dimension is not the batch."""


def _run(runner: Runner, samples: Mapping[str, Array], most: int) -> Iterator[Samples]:
    sizes: deque[tuple[int, int]] = deque()

    def feeds() -> Iterator[dict[str, Array]]:
        for wanted, size, batch in batches(runner.inputs, samples, most):
            sizes.append((wanted, size))
            yield {edge.name: edge.quantize(batch[edge.name]) for edge in runner.inputs}

    for answers in runner.run_all(feeds()) if isinstance(runner, AtOnce) else map(runner, feeds()):
        wanted, size = sizes.popleft()
        yield {edge.name: _rows(edge, answers[edge.name], size)[:wanted] for edge in runner.outputs}


def _rows(edge: Edge, answer: Array, size: int) -> Array:
    """What one output answered to a batch of `size`, in real values, one row a sample."""
    real = edge.dequantize(answer)
    if real.ndim > 0 and len(real) == size:
        return real
    if size > 1:
        raise _NotBatched(
            f"output {edge.name!r} has shape {list(real.shape)} for a batch of {size}: "
            "its first dimension is not the batch; give the inputs a batch of 1 in [[model.inputs]]"
        )
    row: Array = real[None]
    return row


def _stacked(name: str, parts: list[Array]) -> Array:
    if len({part.shape[1:] for part in parts}) > 1:
        raise ModelError(f"output {name!r} has another size for each sample; name an output before that is decided")
    return np.concatenate(parts)


def batches(
    inputs: Sequence[Shaped], samples: Mapping[str, Array], most: int = MAX_BATCH
) -> Iterator[tuple[int, int, dict[str, Array]]]:
    """`samples` as `inputs` take them: how many of a batch are wanted, its size, and its arrays by name.

    Args:
        most: samples at once where the batch is dynamic.
    """
    count = len(next(iter(samples.values())))
    size = batch_size(inputs, samples, most)
    for start in range(0, count, size):
        rows = np.minimum(np.arange(start, start + size), count - 1)
        taken = {i.name: samples[i.name][rows[0] if _is_whole(i, samples) else rows] for i in inputs}
        yield min(size, count - start), size, taken


def batch_size(inputs: Sequence[Shaped], samples: Mapping[str, Array], most: int = MAX_BATCH) -> int:
    """How many of `samples` are taken at once; where the batch is dynamic, at most `most`, in batches of equal size."""
    if any(_is_whole(one, samples) for one in inputs):
        return 1
    static = {one.shape[0] for one in inputs if one.shape and one.shape[0] >= 0}
    if len(static) > 1:
        return 1
    if static:
        return static.pop()
    count = len(next(iter(samples.values())))
    return math.ceil(count / max(1, math.ceil(count / most)))


def _is_whole(one: Shaped, samples: Mapping[str, Array]) -> bool:
    """Whether a sample is all that the input takes, and not one row of it."""
    return one.shape is not None and samples[one.name].ndim > len(one.shape)
