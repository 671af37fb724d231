"""TFRecord files of tf.train.Example, read without TensorFlow.

An input or label NAME is the feature `NAME`, or `NAME/encoded` where there is no such. Of an input, numbers are its
values in row-major order; bytes are the same in memory (little-endian), or an encoded image. Bytes of a label are text.
"""

import gzip
import re
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from mobile_export.checkpoints.table import checksum
from mobile_export.data.conform import sample_shape
from mobile_export.data.dataset import LARGEST_SAMPLE, Dataset, Rows, Wanted, batched, check_count, path_of
from mobile_export.data.folder import files_in
from mobile_export.data.labels import TextLabels
from mobile_export.data.pictures import Pictures
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import TensorSpec, format_shape
from mobile_export.graphs.protos import DecodeError, Example
from mobile_export.graphs.tensors import Array, dtype_named
from mobile_export.samples import Samples
from mobile_export.target import DataSource, Images

_File: TypeAlias = IO[bytes] | gzip.GzipFile

_NAME = re.compile(r".+\.tfrecords?(-[0-9]+-of-[0-9]+)?(\.gz)?")
"""Of a file; data sets in parts have them numbered."""
_LENGTH = struct.Struct("<QI")
"""Before each record: its bytes, and the checksum of that number."""
_CHECKSUM = struct.Struct("<I")
"""After each."""
_ENCODED = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"RIFF")
"""How images begin."""
_SHOWN = 10
"""Features that an error lists."""
_LARGEST_RECORD = LARGEST_SAMPLE + (1 << 20)


class TFRecord:
    """A TFRecord file, or a folder of them, whose records count on in the order of the files' names."""

    tools: Sequence[str] = ("pillow",)

    def detect(self, source: DataSource) -> bool:
        path = source.source
        if not isinstance(path, Path):
            return False
        return bool(_parts(path)) if path.is_dir() else path.is_file() and _NAME.fullmatch(path.name) is not None

    def files(self, source: DataSource) -> list[Path]:
        path = path_of(source)
        return _parts(path) if path.is_dir() else [path]

    def open(self, source: DataSource, wanted: Wanted) -> Dataset:
        labels = TextLabels(wanted.classes, numbers=False)
        parts: list[_Part] = []
        count = 0
        for path in self.files(source):
            offsets = array("q")
            with _opened(path) as file:
                for where, offset, data in _records(path, file):
                    offsets.append(offset)
                    check_count(path_of(source), count + len(offsets))
                    if wanted.separate_labels:
                        for text in _texts(*_feature(_features(data, where), wanted.separate_labels, where)):
                            labels.see(text, where)
            parts.append(_Part(path, count, offsets))
            count += len(offsets)
        check_count(path_of(source), count)
        labels.decide()
        return _Records(path_of(source), parts, wanted, source.images, labels)


@dataclass(frozen=True)
class _Part:
    """A file, the number of its first record among all, and where its records begin."""

    path: Path
    start: int
    offsets: Sequence[int]


@dataclass(frozen=True)
class _Records:
    """The records of all parts."""

    path: Path
    parts: Sequence[_Part]
    wanted: Wanted
    images: Images
    labels: TextLabels

    def __len__(self) -> int:
        return self.parts[-1].start + len(self.parts[-1].offsets)

    def read(self, rows: Rows) -> Iterator[Samples]:
        return batched(self._samples(rows))

    def _samples(self, rows: Rows) -> Iterator[tuple[str, Samples]]:
        for part in self.parts:
            with _opened(part.path) as file:
                for row in rows[(rows >= part.start) & (rows < part.start + len(part.offsets))]:
                    number = int(row) - part.start
                    file.seek(part.offsets[number])
                    found = next(_records(part.path, file, number), None)
                    if found is None:
                        raise ModelError(f"{part.path}: was changed while it was read; build again")
                    where, _, data = found
                    yield where, self._sample(data, where)

    def _sample(self, data: bytes, where: str) -> Samples:
        features = _features(data, where)
        sample = {}
        for spec in self.wanted.inputs:
            feature, place = _feature(features, spec.name, where)
            if feature.WhichOneof("kind") == "bytes_list":
                sample[spec.name] = _from_bytes(feature, spec, spec.name in self.wanted.raw, self.images, place)
            else:
                sample[spec.name] = _from_numbers(_numbers(feature, place), spec, place)
        if self.wanted.separate_labels is not None:
            feature, place = _feature(features, self.wanted.separate_labels, where)
            texts = _texts(feature, place)
            values = self.labels.read(texts) if texts else _numbers(feature, place)
            sample[self.wanted.separate_labels] = values.reshape(()) if len(values) == 1 else values
        return sample


def _parts(folder: Path) -> list[Path]:
    """The TFRecord files that lie in `folder`, by name."""
    return files_in(folder, lambda name: _NAME.fullmatch(name) is not None)


@contextmanager
def _opened(path: Path) -> Iterator[_File]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path}: cannot be read as TFRecord: {error}") from error


def _records(path: Path, file: _File, number: int = 0) -> Iterator[tuple[str, int, bytes]]:
    """What each record is called in errors, where it begins, and its data, from where `file` stands.

    Args:
        number: of the first record.
    """
    while True:
        where, offset = f"{path}: record {number}", file.tell()
        head = file.read(_LENGTH.size)
        if not head:
            return
        if len(head) == _LENGTH.size:
            length, length_sum = _LENGTH.unpack(head)
            if length_sum != checksum(head[:8]):
                raise ModelError(f"{where}: is damaged, or the file is no TFRecord; write it again")
            if length > _LARGEST_RECORD:
                raise ModelError(f"{where}: has {length} bytes, more than any sample for a phone")
            data = file.read(length)
            foot = file.read(_CHECKSUM.size)
        if len(head) < _LENGTH.size or len(data) < length or len(foot) < _CHECKSUM.size:
            raise ModelError(f"{where}: the file ends early; copy it again")
        if _CHECKSUM.unpack(foot) != (checksum(data),):
            raise ModelError(f"{where}: is damaged: its checksum is wrong; copy the file again")
        yield where, offset, data
        number += 1


def _features(data: bytes, where: str) -> Any:
    """What a record holds, by name."""
    try:
        return Example.FromString(data).features.feature
    except DecodeError as error:
        raise ModelError(f"{where}: is no tf.train.Example: {error}") from error


def _feature(features: Any, name: str, where: str) -> tuple[Any, str]:
    """The tf.train.Feature that is called so, and what errors call it."""
    found = [key for key in (name, f"{name}/encoded") if key in features]
    if not found:
        raise ModelError(f"{where}: has no feature {name!r}; it has {', '.join(map(repr, sorted(features)[:_SHOWN]))}")
    return features[found[0]], f"{where}: feature {found[0]!r}"


def _numbers(feature: Any, where: str) -> Array:
    kind = feature.WhichOneof("kind")
    if kind == "int64_list" and feature.int64_list.value:
        return np.array(feature.int64_list.value, np.int64)
    if kind == "float_list" and feature.float_list.value:
        return np.array(feature.float_list.value, np.float32)
    raise ModelError(f"{where} has no values; add them, or leave the sample out")


def _texts(feature: Any, where: str) -> list[str]:
    """Of a label; none if it is numbers."""
    try:
        return [value.decode("utf-8") for value in feature.bytes_list.value]
    except UnicodeDecodeError as error:
        raise ModelError(f"{where} is not UTF-8 text; store numbers as int64_list or float_list") from error


def _from_numbers(values: Array, spec: TensorSpec, where: str) -> Array:
    dtype, form = dtype_named(spec.dtype), f"the model takes {spec.dtype}{format_shape(spec.shape)}"
    if values.dtype.kind == "f" and dtype.kind in "iub":
        raise ModelError(f"{where} is real numbers; {form}")
    limits = np.iinfo(dtype.name) if dtype.kind in "iu" else None
    if limits is not None and not (limits.min <= values.min() and values.max() <= limits.max):
        raise ModelError(f"{where} has numbers from {values.min()} to {values.max()}; {form}")
    shape = sample_shape(spec.shape, values.size)
    if shape is None:
        raise ModelError(f"{where} has {values.size} numbers; {form}")
    return values.astype(dtype).reshape(shape)


def _from_bytes(feature: Any, spec: TensorSpec, raw: bool, images: Images, where: str) -> Array:
    """The tensor that the bytes are in memory, or the image that they encode."""
    form = f"the model takes {spec.dtype}{format_shape(spec.shape)}"
    if len(feature.bytes_list.value) != 1:
        raise ModelError(f"{where} has {len(feature.bytes_list.value)} byte strings; store one")
    (data,) = feature.bytes_list.value
    tensor = _in_memory(data, spec, raw)
    is_sure = spec.shape is not None and -1 not in spec.shape[1:]  # of any other size, an image could pass for it
    if data.startswith(_ENCODED) and (tensor is None or not is_sure):
        try:
            pictures = Pictures.of(spec, raw, images)
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from error
        return pictures.decode(BytesIO(data), where)
    if tensor is None:
        raise ModelError(f"{where} has {len(data)} bytes, which are no image; {form}")
    return tensor


def _in_memory(data: bytes, spec: TensorSpec, raw: bool) -> Array | None:
    """The tensor of these bytes; raw values may be of uint8, too. None if the input takes none of that size."""
    for dtype in (dtype_named(spec.dtype), *([np.dtype(np.uint8)] if raw else [])):
        shape = sample_shape(spec.shape, len(data) // dtype.itemsize)
        if shape is not None and len(data) % dtype.itemsize == 0:
            return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    return None
