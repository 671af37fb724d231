"""TF1 checkpoint with its MetaGraph."""

import re
from pathlib import Path

from mobile_export.errors import ModelError
from mobile_export.graph import Graph
from mobile_export.protos import DecodeError, MetaGraphDef
from mobile_export.sources.bundle import Bundle, find_checkpoint
from mobile_export.sources.forward import forward_graph
from mobile_export.sources.freeze import freeze
from mobile_export.sources.prefix import checkpoint_file
from mobile_export.sources.restore import Place, places
from mobile_export.target import Model
from mobile_export.tensors import Array


class Checkpoint:
    """A checkpoint prefix (`model.ckpt`), one of its files, or a folder with a `checkpoint` file."""

    def detect(self, path: Path) -> bool:
        """A V2 checkpoint is known by its `.index`, with or without the `.meta` beside it."""
        if path.is_dir():
            return (path / "checkpoint").is_file() or any(path.glob("*.index"))
        prefix = _prefix(path)
        return any(checkpoint_file(prefix, suffix).is_file() for suffix in (".index", ".meta"))

    def files(self, path: Path) -> list[Path]:
        """The `.meta`, the `.index` and every data shard."""
        prefix = find_checkpoint(path)
        return [_meta(prefix), *Bundle.open(prefix).files]

    def load(self, path: Path, model: Model) -> Graph:
        """Forward graph from the `.meta`, weights straight from the bundle; no session is made."""
        prefix = find_checkpoint(path)
        meta = _read_meta(_meta(prefix))
        whole = Graph.from_graph_def(meta.graph_def)
        bundle = Bundle.open(prefix)
        found = places(whole, meta.saver_def.restore_op_name)

        def read(variable: str) -> Array:
            place = found.get(variable, Place(variable))
            return place.of(bundle.read(place.key))

        return forward_graph(whole, model, lambda graph: freeze(graph, read))


def _prefix(path: Path) -> Path:
    return path.with_name(re.sub(r"\.(meta|index|data-\d{5}-of-\d{5})$", "", path.name))


def _meta(prefix: Path) -> Path:
    meta = checkpoint_file(prefix, ".meta")
    if not meta.is_file():
        raise ModelError(f"{meta}: missing; the checkpoint's graph is in it, so copy it beside {prefix.name}.index")
    return meta


def _read_meta(path: Path) -> MetaGraphDef:
    try:
        meta = MetaGraphDef.FromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise ModelError(f"{path}: not a MetaGraph, or cut short; copy it again") from error
    if not meta.graph_def.node:
        raise ModelError(f"{path}: there is no graph in it; copy it again")
    return meta
