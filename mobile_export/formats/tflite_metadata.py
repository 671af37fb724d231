"""The metadata of a .tflite file, as the standard readers take it: names, normalisation, labels.

It is a flatbuffer of its own schema in a buffer of the model. The files that it names come behind the model as a zip
archive, so that the whole is a .tflite file to a runtime, which reads from the front, and an archive to what reads
from the back.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.errors import OutputError
from mobile_export.formats import flat_tables, tflite_edges
from mobile_export.formats.flat_tables import Table, kind
from mobile_export.formats.flatbuffer import schema
from mobile_export.formats.format import Request, labels_name
from mobile_export.target import Preprocessing

ENTRY = b"TFLITE_METADATA"
"""Under what the model's list of metadata has it."""
_IDENTIFIER = b"M001"
_PARSER = "1.0.0"
"""The oldest version of the schema that has all that is written here."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the archive: zip knows none before."""

_MODEL = kind(
    "name",
    "description",
    "version",
    "subgraph_metadata",
    "author",
    "license",
    "associated_files",
    "min_parser_version",
)
_SUBGRAPH = kind("name", "description", "input_tensor_metadata", "output_tensor_metadata")
_TENSOR = kind("name", "description", "dimension_names", "content", "process_units", "stats", "associated_files")
_CONTENT = kind("content_properties_type", "content_properties")
_FEATURE, _IMAGE = kind(), kind("color_space")
_PROCESS_UNIT = kind("options_type", "options")
_NORMALIZATION = kind("mean", "std")
_FILE = kind("name", "description", "type")

_FEATURE_PROPERTIES, _IMAGE_PROPERTIES = 1, 2
_UNKNOWN, _RGB, _GRAYSCALE = 0, 1, 2
_NORMALIZATION_OPTIONS = 1
_AXIS_LABELS, _VALUE_LABELS = 2, 3


def add_metadata(model: Any, request: Request) -> None:
    """Put what is known of a finished model into it. Its files still have to be appended."""
    buffer, entry = schema().BufferT(), schema().MetadataT()
    buffer.data = np.frombuffer(metadata(model, request), np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = ENTRY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or ()), entry]


def append_files(path: Path, files: Mapping[str, bytes]) -> None:
    """Put `files` behind a written model, as they are: readers map them. Equal ones give equal bytes.

    Raises:
        OutputError: the file cannot be written.
    """
    if not files:
        return
    try:
        with path.open("r+b") as file:
            file.seek(0, 2)  # so that the archive counts offsets from the beginning of the whole, as readers do
            with zipfile.ZipFile(file, "w") as archive:
                for name, content in files.items():
                    info = zipfile.ZipInfo(name, _EPOCH)
                    info.create_system = 3  # Unix, wherever this runs
                    archive.writestr(info, content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


def metadata(model: Any, request: Request) -> bytes:
    """The metadata of a finished model, whose edges have their public names."""
    main, about = model.subgraphs[0], request.about
    inputs, outputs = tflite_edges.names(model)
    subgraph = _SUBGRAPH(
        input_tensor_metadata=[
            _input(name, main.tensors[index], about.preprocessing.get(name))
            for name, index in zip(inputs, main.inputs, strict=True)
        ],
        output_tensor_metadata=[
            _output(name, main.tensors[index], name in about.labels)
            for name, index in zip(outputs, main.outputs, strict=True)
        ],
    )
    root = _MODEL(
        name=request.artifact,
        description=f"{request.numbers.precision}{', mixed' if request.numbers.layers else ''}; by mobile-export",
        version=about.version,
        subgraph_metadata=[subgraph],
        min_parser_version=_PARSER,
    )
    return flat_tables.serialize(root, _IDENTIFIER)


def _input(name: str, tensor: Any, how: Preprocessing | None) -> Table:
    if how is None:
        return _TENSOR(name=name, content=_features())
    reversed_outside = how.channel_order == "bgr" and not how.fold
    return _TENSOR(
        name=name,
        description="Channels in the order blue, green, red." if reversed_outside else "",
        content=_image(tensor, reversed_outside) or _features(),
        process_units=_normalization(how),
    )


def _output(name: str, tensor: Any, labelled: bool) -> Table:
    files = []
    if labelled:
        which, said = (
            (_AXIS_LABELS, "Names of the classes") if _is_real(tensor) else (_VALUE_LABELS, "Names of the values")
        )
        files = [_FILE(name=labels_name(name), description=f"{said}, one a line.", type=which)]
    return _TENSOR(name=name, content=_features(), associated_files=files)


def _features() -> Table:
    return _CONTENT(content_properties_type=_FEATURE_PROPERTIES, content_properties=_FEATURE())


def _image(tensor: Any, reversed_outside: bool) -> Table | None:
    """What the tensor holds if it has the shape of images; the schema has no word for BGR, so that stays unknown."""
    shape = list(tensor.shape) if tensor.shape is not None else []
    spaces = {1: _GRAYSCALE, 3: _UNKNOWN if reversed_outside else _RGB}
    if len(shape) != 4 or shape[3] not in spaces:
        return None
    return _CONTENT(
        content_properties_type=_IMAGE_PROPERTIES, content_properties=_IMAGE(color_space=spaces[int(shape[3])])
    )


def _normalization(how: Preprocessing) -> list[Table]:
    """How readers make of raw values what the file takes: (raw - mean) / std, where ours is (raw * scale - mean) / std.

    A file that does it itself takes raw values as they are, and says so: readers ask that of every image. Numbers that
    are none as float32 are left out.
    """
    with np.errstate(over="ignore"):
        taken = ([0.0], [1.0]) if how.fold else (np.divide(how.mean, how.scale), np.divide(how.std, how.scale))
        mean, std = np.array(np.broadcast_arrays(*taken), np.float32)
    if not np.isfinite([mean, std]).all() or not std.all():
        return []
    options = _NORMALIZATION(mean=tuple(mean.tolist()), std=tuple(std.tolist()))
    return [_PROCESS_UNIT(options_type=_NORMALIZATION_OPTIONS, options=options)]


def _is_real(tensor: Any) -> bool:
    """Whether the tensor holds real numbers, as they are or quantized; not numbers of classes."""
    types, quantization = schema().TensorType, tensor.quantization
    scaled = quantization is not None and quantization.scale is not None and len(quantization.scale) > 0
    return scaled or tensor.type in (types.FLOAT32, types.FLOAT16, types.FLOAT64)
