"""Whether samples are what the model takes."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph import TensorSpec, format_shape
from mobile_export.samples import Samples
from mobile_export.tensors import Array


def conform(path: Path, samples: Samples, inputs: Sequence[TensorSpec], raw: Collection[str] = ()) -> None:
    """Check every sample array against the input of its name; a sample is a row of it, or all of it.

    Args:
        raw: names of inputs that are preprocessed first, so that any type of number will do.

    Raises:
        ModelError: an element type, a shape, or a value (NaN, infinity) that the model cannot take.
    """
    for spec in inputs:
        problem = _problem(samples[spec.name], spec, spec.name in raw)
        if problem:
            raise ModelError(f"{path}: array {spec.name!r} {problem}")


def _problem(array: Array, spec: TensorSpec, raw: bool) -> str | None:
    if raw and array.dtype.kind not in "fiu":
        return f"is {array.dtype} and is to be preprocessed; store numbers"
    if not raw and array.dtype.name != spec.dtype:
        return (
            f"is {array.dtype} and the model takes {spec.dtype}; store the values as they were fed in training "
            "(converted and normalized the same way), or say in model.inputs.preprocessing how raw values become that"
        )
    if spec.shape is not None and not _takes(spec.shape, array.shape[1:]):
        expected = format_shape((-1, *spec.shape[1:])).replace("[?", "[samples", 1)
        return f"has shape {list(array.shape)} and the model takes {expected}"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[0])
        return f"has a NaN or infinity in sample {bad}; remove it"
    return None


def _takes(shape: tuple[int, ...], sample: tuple[int, ...]) -> bool:
    """Whether a sample is a row of an input of `shape`, or all of it."""
    return any(
        len(sample) == len(wanted) and all(have == want or want < 0 for have, want in zip(sample, wanted, strict=True))
        for wanted in (shape, shape[1:])
    )
