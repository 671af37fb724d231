"""TF1 checkpoint with its MetaGraph."""

from collections.abc import Collection
from pathlib import Path

from mobile_export.checkpoints.prefix import (
    checkpoint_file,
    checkpoints_in,
    find_checkpoint,
    is_v2,
    prefix_of,
    v1_files,
)
from mobile_export.checkpoints.table import ends_as_table
from mobile_export.errors import ModelError
from mobile_export.graph_files.graph_file import read_graph
from mobile_export.graph_files.message_file import check_size
from mobile_export.network.trained import Trained
from mobile_export.sources.variables import Variables, open_checkpoint, values
from mobile_export.target import Model


class Checkpoint:
    """A checkpoint prefix (`model.ckpt`), one of its files, or a folder with a `checkpoint` file."""

    keys = ("moving_average",)
    tools: Collection[str] = ()

    def detect(self, path: Path) -> str | None:
        """A V2 checkpoint is known by its `.index`, a V1 checkpoint by how it ends, either by a `.meta`."""
        if path.is_dir() and not is_v2(path):
            if (path / "checkpoint").is_file():
                return "the folder holds a file named checkpoint"
            return "the folder holds a checkpoint" if checkpoints_in(path) else None
        prefix = prefix_of(path)
        if is_v2(prefix):
            return f"{checkpoint_file(prefix, '.index').name} is there"
        v1 = [file for file in v1_files(prefix) if ends_as_table(file)]
        if v1:
            return f"{v1[0].name} ends as a V1 checkpoint does"
        meta = checkpoint_file(prefix, ".meta")
        return f"{meta.name} is there" if path != meta and meta.is_file() else None

    def files(self, model: Model) -> list[Path]:
        """The `.meta`, and the checkpoint's own: `.index` and data shards of a V2 one."""
        prefix = find_checkpoint(model.source)
        meta = _meta(prefix)
        check_size(meta)
        return [meta, *open_checkpoint(prefix).files]

    def read(self, model: Model) -> Trained:
        """Graph from the `.meta`, weights straight from the checkpoint; no session is made."""
        prefix = find_checkpoint(model.source)
        saved = read_graph(_meta(prefix))
        variables = Variables.of(saved.graph, open_checkpoint(prefix), saved.restore)
        return Trained(saved.graph, *values(saved.graph, variables, model))


def _meta(prefix: Path) -> Path:
    meta = checkpoint_file(prefix, ".meta")
    if not meta.is_file():
        raise ModelError(
            f"{meta}: missing; the checkpoint's graph is in it, so copy it beside the checkpoint, or name a GraphDef "
            "as [model] source and this as its checkpoint"
        )
    return meta
