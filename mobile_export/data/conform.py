"""Whether samples are what the model takes."""

import math

import numpy as np

from mobile_export.data.dataset import Rows, Wanted
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec, format_shape
from mobile_export.graphs.tensors import Array
from mobile_export.samples import Samples


def conform(source: object, samples: Samples, wanted: Wanted, rows: Rows) -> None:
    """Check every sample array against the input of its name; a sample is a row of it, or all of it.

    Args:
        source: where they come from, for errors.
        rows: numbers of the samples there.

    Raises:
        ModelError: an element type, a shape, or a value (NaN, infinity) that the model cannot take.
    """
    for spec in wanted.inputs:
        problem = _problem(samples[spec.name], spec, spec.name in wanted.raw, rows)
        if problem:
            raise ModelError(f"{source}: array {spec.name!r} {problem}")


def _problem(array: Array, spec: TensorSpec, raw: bool, rows: Rows) -> str | None:
    if raw and array.dtype.kind not in "fiu":
        return f"is {array.dtype} and is to be preprocessed; store numbers"
    if not raw and array.dtype.name != spec.dtype:
        return (
            f"is {array.dtype} and the model takes {spec.dtype}; store the values as they were fed in training "
            "(converted and normalized the same way), or say in model.inputs.preprocessing how raw values become that"
        )
    if spec.shape is not None and not _takes(spec.shape, array.shape[1:]):
        given, taken = (format_shape((-1, *s[1:])).replace("[?", "[samples", 1) for s in (array.shape, spec.shape))
        return f"has shape {given} and the model takes {taken}"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[0])
        return f"has a NaN or infinity in sample {rows[bad]}; remove it"
    return None


def sample_shape(shape: tuple[int, ...] | None, size: int) -> tuple[int, ...] | None:
    """The shape of a sample of `size` values: a row of an input of `shape`, or all of it; None if it takes no such."""
    if shape is None:
        return () if size == 1 else (size,)
    whole = [shape] if shape and shape[0] > 1 else []
    for wanted in (shape[1:], *whole):
        known = math.prod(length for length in wanted if length >= 0)
        if -1 not in wanted and known == size:
            return wanted
        if wanted.count(-1) == 1 and known and size % known == 0:
            return tuple(size // known if length < 0 else length for length in wanted)
    return None


def _takes(shape: tuple[int, ...], sample: tuple[int, ...]) -> bool:
    """Whether a sample is a row of an input of `shape`, or all of it."""
    return any(
        len(sample) == len(wanted) and all(have == want or want < 0 for have, want in zip(sample, wanted, strict=True))
        for wanted in (shape, shape[1:])
    )
