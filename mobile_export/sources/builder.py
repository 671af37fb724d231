"""Models that the user's own code makes, for files that hold weights alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobile_export.errors import ModelError
from mobile_export.session import import_tensorflow
from mobile_export.sources.concrete import brief, is_keras
from mobile_export.sources.keras_import import import_keras
from mobile_export.target import UserCode
from mobile_export.user_code import load_code


def build(code: UserCode) -> Any:
    """What the target's builder returns.

    Raises:
        ModelError: it cannot be imported, fails, or returns nothing.
    """
    import_keras("keras")  # set up before the user's module imports it
    function = load_code(code, "model.builder")
    name = f"model.builder: {code.module}:{code.name}"
    if not callable(function):
        raise ModelError(f"{name} is a {type(function).__name__}; name a function that returns the model")
    try:
        model = function()
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ModelError(f"{name} failed: {brief(error)}") from error
    if model is None:
        raise ModelError(f"{name} returned nothing; let it return the model")
    if is_keras(model) and not model.built:
        raise ModelError(
            f"{name} returned a model that has no weights yet; give it an Input, or call it once on an example"
        )
    return model


class Blank:
    """A model's variables, marked, so that it shows which of them a loader has given a value.

    Loaders of either generation pass over what they do not find in some layouts.
    """

    def __init__(self, model: Any) -> None:
        found = model.weights if is_keras(model) else model.variables
        self._variables = [variable for variable in found if _mark(variable) is not None]

    def mark(self) -> None:
        """Overwrite every variable."""
        tf = import_tensorflow()
        for variable in self._variables:
            variable.assign(tf.fill(variable.shape, tf.constant(_mark(variable), variable.dtype)))

    def left(self) -> Sequence[str]:
        """Names of the variables that still are as `mark` left them."""
        return [_name(variable) for variable in self._variables if _is_marked(variable)]


def listed(names: Sequence[str]) -> str:
    """The first of `names`, and how many more there are."""
    return f"{names[0]!r}" + (f" and {len(names) - 1} more variables" if len(names) > 1 else "")


def _mark(variable: Any) -> float | int | None:
    """The value that no trained variable has throughout: NaN, or the least integer."""
    dtype = np.dtype(import_tensorflow().as_dtype(variable.dtype).as_numpy_dtype)
    if dtype.kind in "iu":
        return None if dtype.kind == "u" else int(np.iinfo(dtype).min)
    return float("nan") if dtype.kind in "fV" else None


def _is_marked(variable: Any) -> bool:
    value, mark = np.asarray(variable.numpy()), _mark(variable)
    return value.size > 0 and bool(np.all(value != value if mark != mark else value == mark))


def _name(variable: Any) -> str:
    return str(getattr(variable, "path", None) or variable.name.partition(":")[0])
