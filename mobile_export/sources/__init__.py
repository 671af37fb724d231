"""Forms in which a trained model comes: one file each, all read into the same Trained model."""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from mobile_export.errors import ModelError, TargetError
from mobile_export.network.trained import Trained
from mobile_export.sources.checkpoint import Checkpoint
from mobile_export.sources.graphdef import GraphFile
from mobile_export.sources.keras import Keras
from mobile_export.sources.object_checkpoint import ObjectCheckpoint
from mobile_export.sources.saved_model import SavedModelFolder
from mobile_export.target import Model


class Source(Protocol):
    """A form of model; its docstring's first line says what a path to it looks like."""

    @property
    def keys(self) -> Collection[str]:
        """Keys of `[model]` that this form understands, besides those that every form does."""
        ...

    @property
    def tools(self) -> Collection[str]:
        """Packages that shape what is read, besides those that every graph passes through."""
        ...

    def detect(self, path: Path) -> str | None:
        """Why `path` (a file, a prefix or a folder) is of this form ("it holds saved_model.pb"), or None.

        Reads no more than names and headers.
        """
        ...

    def files(self, model: Model) -> list[Path]:
        """Every file of the model that `read` reads.

        Raises:
            ModelError: one of them is missing.
        """
        ...

    def read(self, model: Model) -> Trained:
        """The model as it was saved; no operator of it is run.

        Raises:
            ModelError: files are missing or damaged, or the model is not what the target says.
        """
        ...


SOURCES: dict[str, Source] = {
    "saved_model": SavedModelFolder(),
    "object_checkpoint": ObjectCheckpoint(),
    "checkpoint": Checkpoint(),
    "keras": Keras(),
    "graphdef": GraphFile(),
}
"""In the order in which they are tried."""

_COMMON = ("source", "version", "inputs", "outputs", "constants")


def detect(path: Path) -> tuple[str, str]:
    """The form of `path`, and why it is of that form.

    Raises:
        ModelError: nothing is there, or no form fits.
    """
    try:
        for name, source in SOURCES.items():
            why = source.detect(path)
            if why is not None:
                return name, why
    except OSError as error:
        raise ModelError(f"{path}: cannot be looked at: {error.strerror}") from error
    if not path.exists():
        raise ModelError(f"{path}: no such model; [model] source takes {_forms()}")
    raise ModelError(f"{path}: the form of this model is not known; [model] source takes {_forms()}")


def source_of(model: Model) -> tuple[str, Source]:
    """The form of a target's model.

    Raises:
        ModelError: nothing is there, or no form fits.
        TargetError: the target sets keys that this form does not have.
    """
    form, why = detect(model.source)
    source = SOURCES[form]
    for key in sorted(model.model_fields_set - {*_COMMON, *source.keys}):
        forms = [name for name, other in SOURCES.items() if key in other.keys]
        raise TargetError(
            f"model.{key}: has no meaning for {model.source}, which is of the form {form} ({why}); take it out, or "
            f"name a model of the form {' or '.join(forms)}"
        )
    return form, source


def _forms() -> str:
    return "; or ".join((source.__doc__ or "").splitlines()[0].rstrip(".").lower() for source in SOURCES.values())
