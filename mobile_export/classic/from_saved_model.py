"""The way into the classic tools for a SavedModel: its graph, with constants for variables."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mobile_export.graph import Graph, TensorSpec, canonical
from mobile_export.network.freeze import freeze
from mobile_export.sources import SOURCES
from mobile_export.target import Model
from mobile_export.transforms.inline_functions import inline_functions


def from_saved_model(folder: Path, tags: Sequence[str], outputs: Sequence[str]) -> tuple[Graph, Graph]:
    """The frozen graph of what `outputs` need, else of what the signature gives; and the whole, with its signature.

    Raises:
        ModelError: the folder cannot be read, or has no such graph.
    """
    trained = SOURCES["saved_model"].read(Model(source=folder, tags=tuple(tags)))
    named = tuple(TensorSpec(name, canonical(name), "", None) for name in outputs)
    part = replace(trained.graph.copy(), outputs=named or trained.graph.outputs)
    part.prune()
    return inline_functions(freeze(part, trained.value)), trained.graph
