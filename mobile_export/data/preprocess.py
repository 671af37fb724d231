"""From raw values, as cameras and files give them, to those that a model was trained on."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mobile_export.graphs.graph import format_shape
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge, Runner
from mobile_export.target import Preprocessing

Recipes = Mapping[str, Preprocessing]
"""By public input name."""

CHANNELS = 3
"""Of an image whose channel order can be reversed."""
_LARGEST = (1.0, 255.0, 65535.0)
"""What raw values go up to, in practice: fractions, 8 bits, 16 bits."""


def problem(how: Preprocessing, dtype: str, shape: tuple[int, ...] | None) -> str | None:
    """Why an input of this type and shape (batch first) cannot be preprocessed so; None when it can."""
    if not dtype.startswith(("float", "bfloat")):
        return f"the input is {dtype}, which takes values as they are; leave preprocessing out"
    channels = shape[-1] if shape and len(shape) > 1 else None
    if how.channel_order == "bgr" and channels != CHANNELS:
        return f'channel_order = "bgr" reverses a last axis of {CHANNELS}; the input is {dtype}{format_shape(shape)}'
    for key, values in (("mean", how.mean), ("std", how.std)):
        if len(values) not in (1, channels):
            return f"{key} has {len(values)} values and the input is {dtype}{format_shape(shape)}; write one a channel"
    return None


def preprocess(raw: Array, how: Preprocessing, dtype: str) -> Array:
    """(raw * scale - mean) / std in `dtype`, of the last axis reversed where the model was trained on BGR."""
    values = np.asarray(raw, dtype)
    if how.channel_order == "bgr":
        values = values[..., ::-1]
    mean, std = np.asarray(how.mean, values.dtype), np.asarray(how.std, values.dtype)
    ready: Array = ((values * values.dtype.type(how.scale) - mean) / std).astype(dtype, copy=False)
    return ready


def affine(how: Preprocessing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same as raw * a + b: a and b, one value or one a channel, in the model's channel order."""
    mean, std = np.asarray(how.mean, np.float64), np.asarray(how.std, np.float64)
    return how.scale / std, -mean / std


def largest_raw(how: Preprocessing) -> float:
    """What raw values probably go up to: 1, 255 or 65535, judged by the numbers that bring them near 1."""
    size = max(1.0, *map(abs, how.mean), *how.std) / how.scale
    return next((largest for largest in _LARGEST if size <= 2 * largest), _LARGEST[-1])


class Preprocessed:
    """A Runner that takes raw values, and preprocesses each batch on its way into another."""

    def __init__(self, runner: Runner, recipes: Recipes) -> None:
        self._runner, self._recipes = runner, recipes

    @property
    def inputs(self) -> tuple[Edge, ...]:
        """Of real values where they are preprocessed: raw ones are not what an integer edge's scale is for."""
        return tuple(real(edge) if edge.name in self._recipes else edge for edge in self._runner.inputs)

    @property
    def outputs(self) -> tuple[Edge, ...]:
        return self._runner.outputs

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        inner = {edge.name: edge for edge in self._runner.inputs if edge.name in self._recipes}
        ready = {
            name: edge.quantize(preprocess(feeds[name], self._recipes[name], real(edge).dtype))
            for name, edge in inner.items()
        }
        return self._runner({**feeds, **ready})


def real(edge: Edge) -> Edge:
    """What is fed to the edge in real values: float32 where its integers stand for them."""
    return edge if edge.scale is None else replace(edge, dtype="float32", scale=None, zero_point=None)
