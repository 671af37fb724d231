"""SavedModel, of TensorFlow 1 and 2.

`saved_model.pb` has a MetaGraph for each set of tags: a graph, signatures that name its inputs and outputs, and the
operator that restores its variables from `variables/`. TensorFlow 2 puts all that it computes into functions, which are
called from a graph of a few nodes. TensorFlow's own loader runs what the model calls its initializer; here, nothing
runs.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mobile_export.checkpoints.bundle import Bundle
from mobile_export.checkpoints.prefix import is_v2
from mobile_export.checkpoints.table import hint
from mobile_export.errors import ModelError
from mobile_export.graph_files.message_file import check_size
from mobile_export.graph_files.message_text import parse_text
from mobile_export.graphs.arity import refuse_wrong_arity
from mobile_export.graphs.graph import Graph, node_name
from mobile_export.graphs.protos import DecodeError, MetaGraphDef, SavedModel
from mobile_export.graphs.safety import refuse_dropped
from mobile_export.graphs.tensors import Array
from mobile_export.network.trained import Trained
from mobile_export.sources.assets import asset_files, vocabularies
from mobile_export.sources.restore import places
from mobile_export.sources.saved_signature import INITIALIZER, choose, names, signed
from mobile_export.target import Model
from mobile_export.transforms.inline_functions import inline_functions
from mobile_export.transforms.strip import strip

_NAMES = ("saved_model.pb", "saved_model.pbtxt")
_WEIGHTS = "variables"
_TAGS = frozenset({"serve"})


class SavedModelFolder:
    """A SavedModel's folder, or the `saved_model.pb` in it."""

    keys = ("tags", "signature")
    tools: Collection[str] = ()

    def detect(self, path: Path) -> str | None:
        """Known by its `saved_model.pb`; the weights beside it are known, too, so that `files` can say what to name."""
        file = _graph_file(path)
        if file is None:
            above = _above_weights(path)
            return None if above is None else f"it lies in the SavedModel {above}"
        return f"it is named {file.name}" if file == path else f"the folder holds {file.name}"

    def files(self, model: Model) -> list[Path]:
        """The graphs, the weights, and the assets of the one that the tags choose."""
        saved = _Saved.open(model)
        return [saved.file, *(saved.weights.files if saved.weights else []), *saved.assets.values()]

    def read(self, model: Model) -> Trained:
        """The graph with the signature's inputs and outputs, functions inlined where it is one of TensorFlow 2."""
        saved = _Saved.open(model)
        graph = saved.graph(model.signature)
        found = places(graph, saved.meta.saver_def.restore_op_name)
        tables = vocabularies(graph, saved.assets, _initializers(saved.meta))

        def value(variable: str) -> Array:
            if variable not in found:
                raise ModelError(
                    f"{saved.file}: nothing restores the variable {variable!r}, so it has no trained value; export the "
                    "model with it among the variables that are saved"
                )
            if saved.weights is None:
                raise ModelError(f"{saved.prefix}.index: missing; the weights are there, so copy the whole folder")
            return found[variable].of(saved.weights.read(found[variable].key))

        return Trained(_inlined(graph) if saved.functional else graph, value, tables=tables)


@dataclass(frozen=True)
class _Saved:
    """An open SavedModel.

    Attributes:
        file: the one with the graphs.
        meta: the MetaGraph that the tags choose.
        prefix: of the checkpoint with its weights.
        weights: that checkpoint; None where there is none, as in a model without variables.
        assets: files by the tensors that take their paths.
    """

    file: Path
    meta: MetaGraphDef
    prefix: Path
    weights: Bundle | None
    assets: Mapping[str, Path]

    @classmethod
    def open(cls, model: Model) -> "_Saved":
        file = _graph_file(model.source)
        if file is None:
            folder = _above_weights(model.source)
            raise ModelError(
                f"{model.source}: the weights of the SavedModel {folder}; name that folder as [model] source"
                if folder
                else f"{model.source / _NAMES[0]}: missing; the SavedModel's graph is in it, so copy the whole folder"
            )
        meta = _tagged(file, _parsed(file).meta_graphs, model.tags)
        prefix = file.parent / _WEIGHTS / _WEIGHTS
        weights = Bundle.open(prefix) if is_v2(prefix) else None
        return cls(file, meta, prefix, weights, asset_files(file.parent, meta))

    @property
    def functional(self) -> bool:
        """Whether TensorFlow 2 saved it: then its graph does nothing but call functions, load and save."""
        return bool(self.meta.HasField("object_graph_def"))

    def graph(self, signature: str | None) -> Graph:
        """The graph as it was saved, with the inputs and outputs of `signature`."""
        graph = Graph.from_graph_def(self.meta.graph_def)
        refuse_wrong_arity(graph)
        chosen = choose(self.file, self.meta.signature_def, signature)
        if chosen is not None:
            graph = signed(graph, chosen)
        elif self.functional:
            raise ModelError(f"{self.file}: has no signature that says what it computes; export it with signatures=...")
        wrong = graph.problems()
        if wrong:
            raise ModelError(f"{self.file}: {wrong[0]}; export it again")
        return graph


def _inlined(graph: Graph) -> Graph:
    inlined = inline_functions(strip(graph))
    refuse_dropped(graph, inlined)
    return inlined


def signatures_of(path: Path) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Names of the signatures of each tag set, the defaults first; nothing where `path` is no SavedModel.

    Raises:
        ModelError: the file is damaged.
    """
    file = _graph_file(path)
    graphs = [meta for meta in _parsed(file).meta_graphs if meta.graph_def.node] if file is not None else []
    found = {tuple(sorted(meta.meta_info_def.tags)): tuple(names(meta.signature_def)) for meta in graphs}
    return dict(sorted(found.items(), key=lambda pair: (frozenset(pair[0]) != _TAGS, pair[0])))


def _graph_file(path: Path) -> Path | None:
    """`path`, or the file in that folder; the binary one where there are both."""
    candidates = [path] if path.name in _NAMES and path.is_file() else [path / name for name in _NAMES]
    return next((file for file in candidates if file.is_file()), None)


def _above_weights(path: Path) -> Path | None:
    """The folder of the SavedModel whose `variables` folder `path` is, or lies in."""
    inside = path if path.name == _WEIGHTS and path.is_dir() else path.parent
    return inside.parent if inside.name == _WEIGHTS and _graph_file(inside.parent) is not None else None


def _parsed(file: Path) -> SavedModel:
    check_size(file)
    try:
        data = file.read_bytes()
        return parse_text(file, data, SavedModel()) if file.suffix == ".pbtxt" else SavedModel.FromString(data)
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}; name another one") from error
    except DecodeError:
        raise ModelError(f"{file}: not a SavedModel, or cut short{hint(data[:64])}") from None


def _tagged(file: Path, graphs: Iterable[MetaGraphDef], wanted: Iterable[str] | None) -> MetaGraphDef:
    """The MetaGraph with exactly the tags `wanted`; else the one for serving, or the only one."""
    by_tags = {frozenset(meta.meta_info_def.tags): meta for meta in graphs if meta.graph_def.node}
    if not by_tags:
        raise ModelError(f"{file}: there is no graph in it; copy it again")
    only = next(iter(by_tags)) if len(by_tags) == 1 else _TAGS
    tags = frozenset(wanted) if wanted is not None else _TAGS if _TAGS in by_tags else only
    if tags not in by_tags:
        offered = " or ".join(sorted(json.dumps(sorted(one)) for one in by_tags))
        raise ModelError(f"{file}: has no graph with the tags {json.dumps(sorted(tags))}; set model.tags to {offered}")
    return by_tags[tags]


def _initializers(meta: MetaGraphDef) -> Iterator[str]:
    """The operators that the loader runs first, as each version of the format names them."""
    if INITIALIZER in meta.signature_def:
        yield from (node_name(output.name) for output in meta.signature_def[INITIALIZER].outputs.values())
    for key in ("saved_model_main_op", "legacy_init_op"):
        if key in meta.collection_def:
            yield from meta.collection_def[key].node_list.value
