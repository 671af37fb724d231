"""Forms in which a trained model comes: one file each, all ending in the same Graph."""

from pathlib import Path
from typing import Protocol

from mobile_export.errors import ModelError
from mobile_export.graph import Graph
from mobile_export.sources.checkpoint import Checkpoint
from mobile_export.target import Model


class Source(Protocol):
    """A form of model."""

    def detect(self, path: Path) -> bool:
        """Whether `path` (a file, a prefix or a folder) looks like this form; reads no more than names and headers."""
        ...

    def files(self, path: Path) -> list[Path]:
        """Every file that `load` reads.

        Raises:
            ModelError: one of them is missing.
        """
        ...

    def load(self, path: Path, model: Model) -> Graph:
        """The frozen forward graph, from the public inputs to the public outputs.

        Raises:
            ModelError: files are missing or damaged, or the model is not what the target says.
        """
        ...


SOURCES: dict[str, Source] = {
    "checkpoint": Checkpoint(),
}
"""In the order in which they are tried."""


def detect(path: Path) -> tuple[str, Source]:
    """The form of `path`.

    Raises:
        ModelError: nothing is there, or no form fits.
    """
    try:
        for name, source in SOURCES.items():
            if source.detect(path):
                return name, source
    except OSError as error:
        raise ModelError(f"{path}: cannot be looked at: {error.strerror}") from error
    if not path.exists():
        raise ModelError(f"{path}: no such model; [model] source takes {_forms()}")
    raise ModelError(f"{path}: the form of this model is not known; [model] source takes {_forms()}")


def _forms() -> str:
    return "; or ".join((source.__doc__ or "").splitlines()[0].rstrip(".").lower() for source in SOURCES.values())
