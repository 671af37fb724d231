"""Arrays in NumPy's own file format, read some rows at a time."""

import lzma
import math
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, TypeAlias

import numpy as np

from mobile_export.data.dataset import LARGEST_SAMPLE, Rows, in_batches
from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array, fits_numpy
from mobile_export.samples import Samples

Opener: TypeAlias = Callable[[], AbstractContextManager[IO[bytes]]]
DAMAGE = (OSError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
"""What NumPy and zipfile raise of damaged files."""
_CHUNK = 1 << 20
"""Bytes read at a time, where rows are smaller."""
_VERSION = (1, 0)
"""Of the format; later ones are for arrays of records, and let the header be of any length."""


@dataclass(frozen=True)
class StoredArray:
    """An array that stays where it is.

    Attributes:
        name: what it is to the model.
        path: of the file that it is in.
        open: gives that, or the member of it that is the array's own, at the beginning.
        dtype, shape: what its header says; the file is as long as that needs.
        by_columns: whether the first dimension is the one that varies fastest, as of a transposed array.
    """

    name: str
    path: Path
    open: Opener
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    by_columns: bool

    @classmethod
    def look(cls, name: str, path: Path, open_file: Opener, size: int) -> "StoredArray":
        """Read the header of a file, or member of one, of `size` bytes.

        Raises:
            ModelError: it cannot be read, or is no array of numbers or text that has samples.
        """
        with _readable(name, path):
            with open_file() as file:
                shape, by_columns, dtype = _header(file)
                begin = file.tell()
            if dtype.kind not in "biufcUS" or dtype.itemsize == 0:
                raise ValueError(f"it holds {dtype}, not numbers or text; objects are code, and are never loaded")
            if not fits_numpy(shape, dtype) or size - begin < math.prod(shape) * dtype.itemsize:
                raise ValueError(f"it has {size - begin} bytes for {dtype}{list(shape)}")
            if 0 in shape[1:]:
                raise ValueError(f"its samples are empty: it is {dtype}{list(shape)}")
            array = cls(name, path, open_file, dtype, shape, by_columns and len(shape) > 1)
            held = array.sample_bytes * (shape[0] if array.by_columns else 1)
            if held > LARGEST_SAMPLE:
                todo = (
                    "make samples smaller"
                    if not array.by_columns
                    else "it lies by columns; save np.ascontiguousarray(it)"
                )
                raise ValueError(f"{held} bytes of it would have to be held at once: {todo}")
        return array

    @property
    def sample_bytes(self) -> int:
        """Size of one sample."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def read(self, batches: Iterable[Rows]) -> Iterator[Array]:
        """The rows of each of `batches`, which ascend throughout.

        Raises:
            ModelError: the file is damaged, before these rows or after them.
        """
        with _readable(self.name, self.path), self.open() as file:
            _header(file)
            taken = self._by_columns(file, batches) if self.by_columns else self._by_rows(file, batches)
            yield from map(_plain, taken)
            if isinstance(file, zipfile.ZipExtFile):  # knows at its end whether all of it was what was written
                while file.read(_CHUNK):
                    pass

    def _by_rows(self, file: IO[bytes], batches: Iterable[Rows]) -> Iterator[Array]:
        together = max(1, _CHUNK // self.sample_bytes)
        at = 0
        for rows in batches:
            taken = []
            for near in np.split(rows, np.flatnonzero(np.diff(rows // together)) + 1):
                first, end = int(near[0]), int(near[-1]) + 1
                _skip(file, (first - at) * self.sample_bytes)
                values = np.frombuffer(_exactly(file, (end - first) * self.sample_bytes), self.dtype)
                taken.append(values.reshape(end - first, *self.shape[1:])[near - first])
                at = end
            yield np.concatenate(taken)

    def _by_columns(self, file: IO[bytes], batches: Iterable[Rows]) -> Iterator[Array]:
        size = math.prod(self.shape) * self.dtype.itemsize
        whole = np.frombuffer(_exactly(file, size), self.dtype).reshape(self.shape, order="F")
        for rows in batches:
            yield whole[rows]


@dataclass(frozen=True)
class StoredArrays:
    """A `Dataset` of arrays that have as many samples each; `path` holds them all."""

    path: Path
    arrays: Sequence[StoredArray]

    def __post_init__(self) -> None:
        lengths = {array.name: array.shape[0] if array.shape else 0 for array in self.arrays}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise ModelError(
                f"{self.path}: needs the same number of samples in every array, and at least one; it has {lengths}"
            )

    def __len__(self) -> int:
        return self.arrays[0].shape[0]

    def read(self, rows: Rows) -> Iterator[Samples]:
        batches = list(in_batches(rows, sum(array.sample_bytes for array in self.arrays)))
        for parts in zip(*(array.read(batches) for array in self.arrays), strict=True):
            yield {array.name: part for array, part in zip(self.arrays, parts, strict=True)}


@contextmanager
def _readable(name: str, path: Path) -> Iterator[None]:
    """What NumPy and zipfile raise of a damaged file, as a `ModelError` that names it."""
    try:
        yield
    except DAMAGE as error:
        raise ModelError(f"{path}: cannot be read as {path.suffix}: array {name!r}: {error}") from error


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    if version != _VERSION:
        raise ValueError(f"it has version {version} of NumPy's format, which is not for arrays of numbers or text")
    try:
        return np.lib.format.read_array_header_1_0(file)
    except (SyntaxError, TypeError, MemoryError, TokenError) as error:
        raise ValueError("its header is none of NumPy's") from error


def _plain(array: Array) -> Array:
    """In this machine's byte order; bytes as the text that they are."""
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8").astype(f"<U{array.dtype.itemsize}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _skip(file: IO[bytes], size: int) -> None:
    """Go on by `size` bytes; those of a zip file are read, so that its checksum still means something."""
    if not isinstance(file, zipfile.ZipExtFile):
        file.seek(size, 1)
        return
    for start in range(0, size, _CHUNK):
        _exactly(file, min(_CHUNK, size - start))


def _exactly(file: IO[bytes], size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise EOFError("it ends early")
    return found
