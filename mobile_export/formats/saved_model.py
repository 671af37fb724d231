"""SavedModel: for TensorFlow Serving, and for all that loads a model by its signature.

Its graph is frozen, so that there are no variables beside it. What belongs to the model and not to its graph, such as
the names of classes, is an asset: a file in `assets/`, of which the loader gives the path.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats.format import About, Request
from mobile_export.graph_files.graph_def import field_header, graph_def_size, write_graph_def
from mobile_export.graph_files.message_file import LARGEST
from mobile_export.graphs.graph import Graph, TensorSpec, is_tensor
from mobile_export.graphs.protos import DecodeError, MetaGraphDef, NodeDef, SavedModel, SignatureDef, TensorInfo
from mobile_export.graphs.tensors import dtype_name, dtype_number_of, numpy_dtype, read_shape, write_shape
from mobile_export.runner import Runner
from mobile_export.samples import Samples
from mobile_export.session import Session

TAGS = ("serve",)
SIGNATURE = "serving_default"
"""Where loaders look when nobody says otherwise."""
PREDICT = "tensorflow/serving/predict"
"""The method without which TensorFlow Serving answers no request by that signature."""

_FILE = "saved_model.pb"
_ASSETS = "assets"
_META_GRAPHS, _GRAPH_DEF = 2, 2  # field numbers, in SavedModel and in MetaGraphDef
_INPUTS, _OUTPUTS = "mobile_export_inputs", "mobile_export_outputs"
# Collections with the public names in their order, which a signature does not keep.


class ServableFolder:
    """`.savedmodel`, as Triton calls such folders, too; run by TensorFlow."""

    suffix = ".savedmodel"
    folder = True
    runtime = "TensorFlow"
    tools = ("tensorflow",)
    room: int | None = LARGEST
    precisions: Mapping[str, Sequence[str]] = {"float32": ("float32",)}
    calibrated: Collection[str] = ()

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> Mapping[str, str]:
        """Write a folder for each request; the labels of an output become the asset `OUTPUT_labels.txt`."""
        for request in requests:
            write_saved_model(request.path, graph, request.about.files)
        return {}

    def contents(self, about: About) -> Sequence[str]:
        """The graph, and the assets."""
        return [_FILE, *(f"{_ASSETS}/{name}" for name in about.files)]

    def open(self, path: Path, threads: int | None = None) -> Runner:
        """Load into a TensorFlow session; nothing that the loader would run first is run."""
        return Session(read_saved_model(path), threads=threads)


def write_saved_model(
    folder: Path,
    graph: Graph,
    assets: Mapping[str, bytes] = {},
    tags: Sequence[str] = TAGS,
    signature: str = SIGNATURE,
    method_name: str = PREDICT,
) -> None:
    """Write the SavedModel of a frozen graph; the same graph gives the same bytes. No more than `folder` is made.

    Args:
        graph: its inputs and outputs, of known dtype, become the signature.
        assets: the files of the folder `assets`, by their names there.
        method_name: what clients may ask of the signature.

    Raises:
        ConversionError: the graph is larger than protobuf reads.
    """
    graph, placed = _with_assets(graph, assets)
    meta = MetaGraphDef()
    meta.meta_info_def.tags.extend(tags)
    for key, specs in ((_INPUTS, graph.inputs), (_OUTPUTS, graph.outputs)):
        meta.collection_def[key].bytes_list.value.extend(spec.name.encode() for spec in specs)
    meta.signature_def[signature].CopyFrom(_signature(graph, method_name))
    for name, tensor in placed.items():
        meta.asset_file_def.add(filename=name).tensor_info.name = tensor
    size = graph_def_size(graph)
    rest = meta.SerializeToString(deterministic=True) + field_header(_GRAPH_DEF, size)
    schema = SavedModel(saved_model_schema_version=1).SerializeToString()
    before = schema + field_header(_META_GRAPHS, len(rest) + size) + rest
    if len(before) + size > LARGEST:
        raise ConversionError(
            f"{folder.name}: its graph has {size} bytes, and a SavedModel holds at most 2 GB beside variables; use the "
            "memmapped format"
        )
    folder.mkdir(exist_ok=True)
    with (folder / _FILE).open("wb") as file:
        file.write(before)
        write_graph_def(file, graph)
    for name, content in assets.items():
        (folder / _ASSETS).mkdir(exist_ok=True)
        (folder / _ASSETS / name).write_bytes(content)


def _with_assets(graph: Graph, names: Collection[str]) -> tuple[Graph, dict[str, str]]:
    """`graph` with a string for each asset, in whose place loaders put the path; and these tensors by the names."""
    graph = replace(graph, nodes=dict(graph.nodes))
    placed = {}
    for name in names:
        node = NodeDef(name=graph.free_name(f"{_ASSETS}/{name}"), op="Const")
        node.attr["dtype"].type = dtype_number_of("string")
        node.attr["value"].tensor.dtype = dtype_number_of("string")
        node.attr["value"].tensor.tensor_shape.SetInParent()
        node.attr["value"].tensor.string_val.append(name.encode())
        graph.nodes[node.name] = node
        placed[name] = f"{node.name}:0"
    return graph, placed


def _signature(graph: Graph, method_name: str) -> SignatureDef:
    made = SignatureDef(method_name=method_name)
    for infos, specs in ((made.inputs, graph.inputs), (made.outputs, graph.outputs)):
        for spec in specs:
            infos[spec.name].name = spec.tensor
            infos[spec.name].dtype = dtype_number_of(spec.dtype)
            write_shape(infos[spec.name].tensor_shape, spec.shape)
    return made


def read_saved_model(folder: Path) -> Graph:
    """The graph in a folder that `write_saved_model` wrote, with the inputs and outputs of its signature.

    Raises:
        ConversionError: it is damaged, or was not written by this tool.
    """
    file = folder / _FILE
    try:
        if file.stat().st_size > LARGEST:
            raise ConversionError(f"{file}: has more bytes than protobuf reads")
        saved = SavedModel.FromString(file.read_bytes())
        meta = next((meta for meta in saved.meta_graphs if SIGNATURE in meta.signature_def), MetaGraphDef())
        signature = meta.signature_def[SIGNATURE]
        inputs, outputs = _specs(meta, _INPUTS, signature.inputs), _specs(meta, _OUTPUTS, signature.outputs)
        if not outputs:
            raise ConversionError(
                f"{file}: does not say in which order its outputs come; only files built by this tool run"
            )
        graph = Graph.from_graph_def(meta.graph_def, inputs, outputs)
        wrong = graph.problems()
        if wrong:
            raise ConversionError(f"{file}: {wrong[0]}")
        return graph
    except OSError as error:
        raise ConversionError(f"{file}: cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise ConversionError(f"{file}: not a SavedModel") from error
    except ModelError as error:
        raise ConversionError(f"{file}: {error}") from error


def _specs(meta: MetaGraphDef, key: str, infos: Mapping[str, TensorInfo]) -> list[TensorSpec]:
    """What a signature says of its inputs or outputs, in the order that the collection `key` has."""
    found = []
    for name in [name.decode(errors="replace") for name in meta.collection_def[key].bytes_list.value]:
        info = infos[name] if name in infos else TensorInfo()
        if info.name.startswith("^") or not is_tensor(info.name) or numpy_dtype(info.dtype) is None:
            raise ModelError(f"its signature says of {name!r} neither a tensor nor a type that can be run")
        found.append(TensorSpec(name, info.name, dtype_name(info.dtype), read_shape(info.tensor_shape)))
    return found
