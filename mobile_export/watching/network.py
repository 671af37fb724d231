"""A file as a network whose values can be watched: what the units for .tflite and .onnx have in common."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge

Values = dict[str, Array]
"""Real values by the name of the tensor."""
Watch = Callable[[Mapping[str, Array]], Values]
"""Runs one batch of real inputs and gives the real values of the tensors that are watched."""

_NARROW = {"int2": (-2, 1), "int4": (-8, 7), "uint4": (0, 15)}


@dataclass(frozen=True)
class Quantization:
    """How integers stand for real values: real = scale * (integer - zero_point).

    Attributes:
        dtype: of the integers.
        scale, zero_point: of shape [1], or [channels] along `axis`.
    """

    dtype: str
    scale: Array
    zero_point: Array
    axis: int = 0

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of `shape` has as many channels as there are scales."""
        inside = -len(shape) <= self.axis < len(shape)
        return self.scale.size == 1 or (inside and shape[self.axis] == self.scale.size)

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        if self.dtype in _NARROW:
            return _NARROW[self.dtype]
        return int(np.iinfo(self.dtype).min), int(np.iinfo(self.dtype).max)

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest real value, of the first channel where there are several."""
        low, high = (float(self.scale[0]) * (limit - float(self.zero_point[0])) for limit in self.limits)
        return low, high

    @property
    def step(self) -> float:
        """Between two neighbouring real values, of the first channel where there are several."""
        return float(self.scale[0])

    def quantize(self, real: Array) -> Array:
        """Real values as integers, rounded and saturated; NaN becomes 0."""
        scale, zero_point = self._along(real.ndim)
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.rint(np.asarray(real, np.float64) / scale) + zero_point
        stored: Array = np.clip(np.nan_to_num(steps, posinf=2**62, neginf=-(2**62)), *self.limits)
        return stored.astype("int8" if self.dtype in _NARROW else self.dtype)

    def dequantize(self, stored: Array) -> Array:
        """Integers as real values, float32."""
        scale, zero_point = self._along(stored.ndim)
        real: Array = ((stored.astype(np.float64) - zero_point) * scale).astype(np.float32)
        return real

    def _along(self, rank: int) -> tuple[Array, Array]:
        """Scale and zero point as they are multiplied with an array of `rank` dimensions."""
        shape = [1] * rank
        if self.scale.size > 1:
            shape[self.axis] = self.scale.size
        size = shape if self.scale.size > 1 or rank else []
        return self.scale.astype(np.float64).reshape(size), self.zero_point.astype(np.float64).reshape(size)


@dataclass(frozen=True)
class Node:
    """An operator of a file.

    Attributes:
        kind: what the format calls it.
        inputs, outputs: names of tensors; empty where an optional one is left out.
        converts: whether it gives the value of its first input in another element type: the same value, rounded.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    converts: bool = False


@dataclass(frozen=True)
class Watched:
    """A file whose outputs are the tensors that are watched, for any runtime of its format to run.

    Attributes:
        content: the file.
        inputs: the tensors that its inputs stand for, which have these names, in file order.
        outputs: tensor that is watched → the name of the output, in file order.
    """

    content: bytes
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]


class Network(Protocol):
    """A file whose operators and values can be looked at."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """Public name of each input → its tensor."""
        ...

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The inputs as an app sees them."""
        ...

    @property
    def nodes(self) -> Sequence[Node]:
        """Its operators, in the order in which they compute."""
        ...

    @property
    def layers(self) -> Collection[str]:
        """What a target's `layers` may name: the tensor that each operator with weights writes, of a float file."""
        ...

    @property
    def types(self) -> Mapping[str, str]:
        """Element type of each tensor, as far as it is known."""
        ...

    @property
    def quantized(self) -> Mapping[str, Quantization]:
        """The tensors whose integers stand for real values."""
        ...

    @property
    def folds_conversions(self) -> bool:
        """Whether an operator that reads integers made real again is computed on these integers."""
        ...

    @property
    def fused(self) -> Collection[str]:
        """The tensors that are not written where the runtime computes what lies between integers in integers."""
        ...

    def channel_axis(self, rank: int) -> int:
        """Which axis of a tensor of `rank` dimensions has its channels."""
        ...

    def is_constant(self, name: str) -> bool:
        """Whether its value stands in the file."""
        ...

    def constant(self, name: str) -> Array | None:
        """The real values of a constant; None where it is none, or has no real values."""
        ...

    def watched(self, names: Sequence[str], cut: bool = False) -> Watched:
        """The file with the tensors `names` for outputs, in the element types in which it keeps them.

        Args:
            cut: whether each of `names` is an input too, and whatever reads it reads what is fed; what is answered is
                then what each operator makes of exactly these values.
        """
        ...

    def watch(self, names: Sequence[str], cut: bool = False) -> Watch:
        """Load what `watched` gives here, to look at real values.

        Raises:
            ConversionError: the runtime does not load it; calls raise it where it does not run.
        """
        ...
