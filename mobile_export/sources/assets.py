"""Asset files of a SavedModel, and the lookup tables that are filled from them.

A table's node says nothing of its file. The operator that fills it reads a path, in whose place TensorFlow's loader
puts that of an asset. Nothing of that is run here; only the way of the path is followed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec, canonical, data_inputs, node_name
from mobile_export.graphs.protos import AssetFileDef, DecodeError, MetaGraphDef
from mobile_export.sources.saved_signature import tensor_named
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.strip import strip

_FILLERS = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_FOLDER = "assets"
_COLLECTION = "saved_model_assets"


def asset_files(folder: Path, meta: MetaGraphDef) -> dict[str, Path]:
    """The declared assets of the SavedModel in `folder`, by the tensor that the loader gives their path.

    Raises:
        ModelError: a file is missing, or is said to lie outside of the folder.
    """
    declared = meta.asset_file_def or _collected(folder, meta)  # the latter as TensorFlow 1 has it
    return {tensor_named(asset.tensor_info.name): _asset(folder / _FOLDER, asset.filename) for asset in declared}


def _collected(folder: Path, meta: MetaGraphDef) -> list[AssetFileDef]:
    if _COLLECTION not in meta.collection_def:
        return []
    packed = meta.collection_def[_COLLECTION].any_list.value
    try:
        return [AssetFileDef.FromString(one.value) for one in packed]
    except DecodeError:
        raise ModelError(f"{folder}: what the model says of its assets is damaged; copy it again") from None


def _asset(folder: Path, name: str) -> Path:
    parsed = PureWindowsPath(name)  # which also knows the separators and roots of other systems
    if parsed.anchor or ".." in parsed.parts or not parsed.parts:
        raise ModelError(f"{folder}: the model names the asset {name!r}, which is not in that folder; export it again")
    path = folder / name
    if not path.is_file():
        raise ModelError(f"{path}: missing; the model's tables are filled from it, so copy the whole folder")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            f"{path}: is a link to {path.resolve()}, outside of the model's folder; put a copy in its place"
        )
    return path


def vocabularies(graph: Graph, assets: Mapping[str, Path], initializers: Iterable[str]) -> dict[str, Path]:
    """The asset that each table of `graph` is filled from, by the name of the table's node.

    Args:
        graph: the whole graph, as it was saved.
        assets: as `asset_files` returns them.
        initializers: operators that the loader runs.
    """
    if not assets:
        return {}
    filling = _filling(graph, initializers)
    variables = {
        node_name(node.input[0]): node.input[1]
        for node in filling.nodes.values()
        if node.op == "AssignVariableOp" and len(data_inputs(node)) == 2
    }
    found = {}
    for node in filling.nodes.values():
        if node.op in _FILLERS and len(data_inputs(node)) == 2:
            table, path = node.input
            asset = _asset_behind(filling, path, variables, assets)
            if asset is not None:
                found[node_name(table)] = asset
    return found


def _filling(graph: Graph, initializers: Iterable[str]) -> Graph:
    """What fills tables, in the graph itself or in functions that the initializers call."""
    fillers = [name for name, node in graph.nodes.items() if node.op in _FILLERS]
    wanted = [TensorSpec(name, f"{name}:0", "", None) for name in (*initializers, *fillers) if name in graph.nodes]
    return inline_functions(strip(replace(graph, inputs=(), outputs=tuple(wanted))))


def _asset_behind(graph: Graph, tensor: str, variables: Mapping[str, str], assets: Mapping[str, Path]) -> Path | None:
    """The asset whose path `tensor` is: itself, passed on, or kept in a variable."""
    for _ in graph.nodes:  # none is passed twice, unless they go round in a circle
        if canonical(tensor) in assets:
            return assets[canonical(tensor)]
        node = graph.producer(tensor)
        if node is None or node.op not in ("Identity", "ReadVariableOp") or not data_inputs(node):
            return None
        tensor = node.input[0] if node.op == "Identity" else variables.get(node_name(node.input[0]), "")
    return None
