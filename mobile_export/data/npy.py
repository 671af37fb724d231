"""Single NumPy arrays: one of them, or a folder with one a public input, and one of labels."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from mobile_export.data.dataset import Dataset, Wanted, path_of
from mobile_export.data.folder import files_in
from mobile_export.data.stored_array import StoredArray, StoredArrays
from mobile_export.errors import ModelError
from mobile_export.target import DataSource

_SUFFIX = ".npy"


class Npy:
    """A `.npy` of the only input, or a folder of NAME.npy, with samples along the first axis of every array."""

    tools: Sequence[str] = ()

    def detect(self, source: DataSource) -> bool:
        path = source.source
        if not isinstance(path, Path):
            return False
        return bool(_held(path)) if path.is_dir() else path.is_file() and path.suffix == _SUFFIX

    def files(self, source: DataSource) -> list[Path]:
        path = path_of(source)
        return sorted(_held(path).values()) if path.is_dir() else [path]

    def open(self, source: DataSource, wanted: Wanted) -> Dataset:
        path = path_of(source)
        if not path.is_dir() and len(wanted.names) > 1:
            raise ModelError(
                f"{path}: is one array, and {', '.join(map(repr, wanted.names))} are wanted; "
                f"name a folder of NAME{_SUFFIX}, or an .npz"
            )
        held = _held(path) if path.is_dir() else {wanted.names[0]: path}
        missing = [name for name in wanted.names if name not in held]
        if missing:
            raise ModelError(f"{path}: has no file {missing[0]}{_SUFFIX}; it holds {', '.join(sorted(held))}")
        files = {name: held[name] for name in wanted.names}
        arrays = [StoredArray.look(n, file, partial(_opened, file), file.stat().st_size) for n, file in files.items()]
        return StoredArrays(path, arrays)


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")


def _held(folder: Path) -> dict[str, Path]:
    """The arrays that lie in `folder`, by name."""
    return {path.stem: path for path in files_in(folder, lambda name: name.lower().endswith(_SUFFIX))}
