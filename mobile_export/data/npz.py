"""NumPy archives: one array a public input, and one of labels."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from mobile_export.data.dataset import Dataset, Wanted, path_of
from mobile_export.data.stored_array import DAMAGE, StoredArray, StoredArrays
from mobile_export.errors import ModelError
from mobile_export.target import DataSource

_SUFFIX = ".npy"


class Npz:
    """An `.npz`, compressed or not, with samples along the first axis of every array."""

    tools: Sequence[str] = ()

    def detect(self, source: DataSource) -> bool:
        return isinstance(source.source, Path) and source.source.suffix == ".npz" and source.source.is_file()

    def files(self, source: DataSource) -> list[Path]:
        return [path_of(source)]

    def open(self, source: DataSource, wanted: Wanted) -> Dataset:
        path = path_of(source)
        try:
            with zipfile.ZipFile(path) as archive:
                sizes = {info.filename: info.file_size for info in archive.infolist()}
        except DAMAGE as error:
            raise ModelError(f"{path}: cannot be read as .npz: {error}") from error
        held = [name.removesuffix(_SUFFIX) for name in sizes if name.endswith(_SUFFIX)]
        missing = [name for name in wanted.names if name not in held]
        if missing:
            holds = ", ".join(map(repr, held)) or "nothing"
            raise ModelError(f"{path}: has no array {missing[0]!r}; it holds {holds}")
        members = {name: name + _SUFFIX for name in wanted.names}
        arrays = [StoredArray.look(n, path, partial(_member, path, m), sizes[m]) for n, m in members.items()]
        return StoredArrays(path, arrays)


@contextmanager
def _member(path: Path, name: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        yield file
