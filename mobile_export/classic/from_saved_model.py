"""The way into the classic tools for a SavedModel: its graph, with constants for variables."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mobile_export.graphs.graph import Graph, TensorSpec, canonical, node_name
from mobile_export.network.freeze import freeze
from mobile_export.sources import SOURCES
from mobile_export.target import Model
from mobile_export.transforms.inline_functions import inline_functions


def from_saved_model(
    folder: Path, tags: Sequence[str], signature: str | None, outputs: Sequence[str]
) -> tuple[Graph, Graph]:
    """The frozen graph of what `outputs` need, else of what the signature gives; and what of it the signature names.

    Args:
        outputs: nodes or tensors, or outputs as the signature names them.

    Raises:
        ModelError: the folder cannot be read, or has no such graph or signature.
    """
    trained = SOURCES["saved_model"].read(Model(source=folder, tags=tuple(tags), signature=signature))
    public = {spec.tensor: spec for spec in trained.graph.outputs}
    wanted = [_tensor(trained.graph, name) for name in outputs] or list(public)
    specs = tuple(public.get(tensor, TensorSpec(tensor, tensor, "", None)) for tensor in wanted)
    part = replace(trained.graph.copy(), outputs=specs)
    part.prune()
    graph = inline_functions(freeze(part, trained.value))  # outputs of calls are other tensors afterwards
    named = tuple(spec for spec, tensor in zip(graph.outputs, wanted, strict=True) if tensor in public)
    return graph, replace(graph, outputs=named)


def _tensor(graph: Graph, name: str) -> str:
    """The tensor that is meant by the name of a node, of a tensor, or of an output of the signature."""
    signed = {spec.name: spec.tensor for spec in graph.outputs}
    return canonical(name) if node_name(name) in graph.nodes else signed.get(name, canonical(name))
