"""TF1 checkpoint with its MetaGraph."""

import re
from pathlib import Path

from mobile_export.errors import ModelError
from mobile_export.graph import Graph
from mobile_export.protos import DecodeError, MetaGraphDef
from mobile_export.sources.bundle import Bundle, find_checkpoint
from mobile_export.sources.prefix import checkpoint_file
from mobile_export.sources.restore import Place, places
from mobile_export.sources.trained import Trained
from mobile_export.target import Model
from mobile_export.tensors import Array


class Checkpoint:
    """A checkpoint prefix (`model.ckpt`), one of its files, or a folder with a `checkpoint` file."""

    keys = ("moving_average",)

    def detect(self, path: Path) -> str | None:
        """A V2 checkpoint is known by its `.index`, with or without the `.meta` beside it."""
        if path.is_dir():
            if (path / "checkpoint").is_file():
                return "the folder holds a file named checkpoint"
            return "the folder holds an .index" if any(path.glob("*.index")) else None
        for suffix in (".index", ".meta"):
            file = checkpoint_file(_prefix(path), suffix)
            if file.is_file():
                return f"{file.name} is there"
        return None

    def files(self, model: Model) -> list[Path]:
        """The `.meta`, the `.index` and every data shard."""
        prefix = find_checkpoint(model.source)
        return [_meta(prefix), *Bundle.open(prefix).files]

    def read(self, model: Model) -> Trained:
        """Graph from the `.meta`, weights straight from the bundle; no session is made."""
        prefix = find_checkpoint(model.source)
        meta = _read_meta(_meta(prefix))
        graph = Graph.from_graph_def(meta.graph_def)
        bundle = Bundle.open(prefix)
        found = places(graph, meta.saver_def.restore_op_name)

        def value(variable: str) -> Array:
            place = found.get(variable, Place(variable))
            return place.of(bundle.read(place.key))

        return Trained(graph, value)


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
