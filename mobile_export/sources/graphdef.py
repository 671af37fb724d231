"""GraphDef: frozen, or with its weights in a checkpoint."""

from collections.abc import Collection
from pathlib import Path

from mobile_export.errors import ModelError, TargetError
from mobile_export.graph_files.graph_file import looks_like_a_graph, read_graph
from mobile_export.graph_files.message_file import check_size
from mobile_export.graphs.tensors import Array
from mobile_export.network.trained import Trained
from mobile_export.sources.variables import Variables, open_checkpoint, values
from mobile_export.target import Model

_SUFFIXES = (".pb", ".pbtxt", ".meta")


class GraphFile:
    """A GraphDef or MetaGraph (`.pb`, `.pbtxt`)."""

    keys = ("checkpoint", "moving_average")
    tools: Collection[str] = ()

    def detect(self, path: Path) -> str | None:
        """Known by its name, or by how it begins."""
        if not path.is_file():
            return None
        return f"it is named {path.suffix}" if path.suffix in _SUFFIXES else looks_like_a_graph(path)

    def files(self, model: Model) -> list[Path]:
        """The graph, and all of its checkpoint."""
        if not model.source.is_file():
            raise ModelError(f"{model.source}: missing; name the file that holds the graph")
        check_size(model.source)
        return [model.source, *(open_checkpoint(model.checkpoint).files if model.checkpoint else [])]

    def read(self, model: Model) -> Trained:
        """The graph as it is; weights straight from the checkpoint, if there is one."""
        saved = read_graph(model.source)
        if model.checkpoint is not None:
            variables = Variables.of(saved.graph, open_checkpoint(model.checkpoint), saved.restore)
            return Trained(saved.graph, *values(saved.graph, variables, model))
        if model.moving_average:
            raise TargetError(
                "model.moving_average: moving averages lie in a checkpoint; add checkpoint, or take it out"
            )

        def value(variable: str) -> Array:
            raise ModelError(
                f"{model.source}: the value of the variable {variable!r} is not in it; add checkpoint to [model], the "
                "path of the checkpoint with the weights"
            )

        return Trained(saved.graph, value)
