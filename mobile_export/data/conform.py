"""Whether samples are what the model takes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.graph import TensorSpec, format_shape
from mobile_export.samples import Samples
from mobile_export.tensors import Array


def conform(path: Path, samples: Samples, inputs: Sequence[TensorSpec]) -> None:
    """Check every sample array against the input of its name.

    Raises:
        ModelError: an element type, a shape, or a value (NaN, infinity) that the model cannot take.
    """
    for spec in inputs:
        problem = _problem(samples[spec.name], spec)
        if problem:
            raise ModelError(f"{path}: array {spec.name!r} {problem}")


def _problem(array: Array, spec: TensorSpec) -> str | None:
    if array.dtype.name != spec.dtype:
        return (
            f"is {array.dtype} and the model takes {spec.dtype}; store the values as they were fed in training "
            "(converted and normalized the same way)"
        )
    if spec.shape is not None:
        wanted = spec.shape[1:]
        fits = array.ndim == max(len(spec.shape), 1) and all(
            have == want or want < 0 for have, want in zip(array.shape[1:], wanted, strict=True)
        )
        if not fits:
            expected = format_shape((-1, *wanted)).replace("[?", "[samples", 1)
            return f"has shape {list(array.shape)} and the model takes {expected}"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[0])
        return f"has a NaN or infinity in sample {bad}; remove it"
    return None
