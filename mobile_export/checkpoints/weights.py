"""Weights of a checkpoint, of whichever version."""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array, dtype_name


class Weights(Protocol):
    """An open checkpoint."""

    @property
    def files(self) -> list[Path]:
        """Every file of it."""
        ...

    @property
    def names(self) -> Collection[str]:
        """Of its variables."""
        ...

    def read(self, name: str) -> Array:
        """The value of the variable `name`, checked; read-only.

        Raises:
            ModelError: there is no such variable, it is not numeric, or its bytes are damaged.
        """
        ...


def no_such_variable(path: Path, name: str, names: Collection[str]) -> ModelError:
    """The error for a variable that the checkpoint at `path` has not."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or list(names)[:3]
    return ModelError(
        f"{path}: has no variable {name!r} (near it: {', '.join(map(repr, near)) or 'none'}); "
        "take a checkpoint and a graph of the same training run"
    )


def not_numeric(path: Path, name: str, dtype: int) -> ModelError:
    """The error for a variable of a type that no array holds."""
    return ModelError(
        f"{path}: {name!r} is {dtype_name(dtype)}, and only numbers and booleans can be read; "
        "take an output that does not need it"
    )
