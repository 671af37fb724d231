"""The files that Keras writes, looked over before a loader opens them.

A `.keras` file is a zip archive of a config, metadata and weights in HDF5; an `.h5` file is HDF5 with the config in an
attribute, or weights alone. Both forms can lead to other files (links, external storage, paths with `..`) or ask for
any amount of memory; such files are refused here.
"""

import contextlib
import json
import math
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_export.errors import ModelError
from mobile_export.tools import import_tool

CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets/"

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_TAIL = 1 << 16  # bytes: an archive's list of contents, which is short in Keras's, is at its end
_SPARE = 1 << 20
_EXPANSION = 8
"""Contents may be this many times the size of their file, and a MiB more: trained weights hardly compress."""

_MEMBER = re.compile(r"config\.json|metadata\.json|model\.weights\.h5|assets/(\w[\w.-]*/)*(\w[\w.-]*)?")
_FILTERS = frozenset({1, 2, 3, 32000})  # deflate, shuffle, checksum and LZF; HDF5 would load others from anywhere
_WALK = """
import sys, h5py
with h5py.File(sys.argv[1], "r") as file:
    dict(file.attrs)
    file.visititems(lambda name, item: [dict(item.attrs)] and None)
"""
_PATIENCE = 10.0
"""Seconds for that, and one more for each `_PACE` bytes of the file; no real file takes one."""
_PACE = 100 << 20

_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError)
"""What h5py raises for damaged files."""


@dataclass(frozen=True)
class KerasFile:
    """A Keras file that is safe to open.

    Attributes:
        source: what the target names.
        path: an HDF5 file whose name ends as its contents say; or a folder with a `.keras` file's contents.
        config: the model's own description, without what only training needs; None for weights alone.
    """

    source: Path
    path: Path
    config: dict[str, Any] | None

    @property
    def weights(self) -> Path:
        """The HDF5 file with the weights."""
        return self.path / WEIGHTS if self.path.is_dir() else self.path


def kind(path: Path) -> str | None:
    """Why `path` is a Keras file, if it is one; reads its first bytes, and the end of an archive."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(len(_HDF5_MAGIC))
        if start == _HDF5_MAGIC:
            return "it is an HDF5 file"
        if start.startswith(_ZIP_MAGIC):
            file.seek(max(0, path.stat().st_size - _TAIL))
            if CONFIG.encode() in file.read(_TAIL) or path.suffix == ".keras":
                return f"it is an archive with {CONFIG} in it"
    return None


def open_keras(source: Path, folder: Path) -> KerasFile:
    """Check the Keras file `source`, and read its config.

    Args:
        folder: takes the contents of an archive, or a copy of a file whose name misleads loaders.

    Raises:
        ModelError: the file is damaged, leads to other files, or claims to be much larger than it is.
    """
    with source.open("rb") as file:
        zipped = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
    if zipped:
        _unpack(source, folder)
        _check_hdf5(folder / WEIGHTS, source)
        return KerasFile(source, folder, _parsed((folder / CONFIG).read_bytes(), source))
    _check_hdf5(source, source)
    with _hdf5(source, source) as file:
        text = file.attrs.get("model_config")
        layout = ".h5" if text is not None or "layer_names" in file.attrs or "model_weights" in file else ".weights.h5"
    legacy = source.name.endswith((".h5", ".hdf5")) and not source.name.endswith(".weights.h5")
    if legacy != (layout == ".h5"):
        shutil.copyfile(source, folder / f"model{layout}")
    path = source if legacy == (layout == ".h5") else folder / f"model{layout}"
    return KerasFile(source, path, None if text is None else _parsed(text, source))


def _unpack(source: Path, folder: Path) -> None:
    """Write an archive's members, which are checked, into `folder`."""
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            _check_members([(member.filename, member.file_size) for member in members], source)
            for member in members:
                if not member.is_dir():
                    path = folder / member.filename
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as packed, path.open("wb") as unpacked:
                        shutil.copyfileobj(packed, unpacked)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ModelError(f"{source}: the archive is damaged ({error}); copy it again") from error


def _check_members(members: Sequence[tuple[str, int]], source: Path) -> None:
    names = Counter(name for name, _ in members)
    foreign = sorted(name for name, count in names.items() if not _MEMBER.fullmatch(name) or count > 1)
    if foreign:
        raise ModelError(f"{source}: {foreign[0]!r} has no place in a Keras file; save the model again with model.save")
    missing = [name for name in (CONFIG, WEIGHTS) if name not in names]
    if missing:
        raise ModelError(f"{source}: there is no {missing[0]} in the archive; save the model again with model.save")
    _check_size(sum(size for _, size in members), source, "the archive")


def _check_size(size: int, source: Path, what: str) -> None:
    stored = source.stat().st_size
    if size > _EXPANSION * stored + _SPARE:
        raise ModelError(f"{source}: {what} would unfold to {size} bytes, and the file has {stored}; save it again")


def _parsed(text: str | bytes, source: Path) -> dict[str, Any]:
    """The config of a model, without what only training needs."""
    try:
        config = _without_training(json.loads(text))
    except (ValueError, RecursionError, TypeError) as error:
        raise ModelError(f"{source}: the model's config is damaged ({error}); copy the file again") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise ModelError(f"{source}: the model's config describes no model; save it again")
    return config


def _without_training(value: Any) -> Any:
    """`value` without optimizers, losses and metrics."""
    if isinstance(value, dict):
        return {key: _without_training(part) for key, part in value.items() if key != "compile_config"}
    return [_without_training(part) for part in value] if isinstance(value, list) else value


def _check_hdf5(path: Path, source: Path) -> None:
    """Refuse an HDF5 file that leads to other files, holds anything but numbers, or unfolds to more than it has."""
    import h5py

    size, seen = 0, set()
    with _hdf5(path, source) as file:
        _check_readable(path, source)
        todo = [("", file)]
        while todo:
            name, item = todo.pop()
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            size += _attribute_bytes(item)
            if isinstance(item, h5py.Dataset):
                _check_dataset(name, item, source)
                size += max(math.prod(item.shape), math.prod(item.chunks or ())) * item.dtype.itemsize
            elif isinstance(item, h5py.Group):
                for key in item:
                    if not isinstance(item.get(key, getlink=True), h5py.HardLink):
                        raise ModelError(f"{source}: '{name}/{key}' is a link to elsewhere, which is not followed")
                    todo.append((f"{name}/{key}", item[key]))
            _check_size(size, source, f"{name or 'it'!r}")


def _check_readable(path: Path, source: Path) -> None:
    """Refuse a file over which HDF5's library goes round for ever, or ends its process: so a process of its own."""
    limit = _PATIENCE + path.stat().st_size / _PACE
    command = [sys.executable, "-I", "-c", _WALK, str(path.absolute())]
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=limit)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise ModelError(f"{source}: damaged: its contents have no end; copy it again") from None
    if done.returncode < 0:
        raise ModelError(f"{source}: damaged: the HDF5 library cannot stand it; copy it again")


def _check_dataset(name: str, dataset: Any, source: Path) -> None:
    if dataset.external or dataset.is_virtual:
        raise ModelError(f"{source}: the values of {name!r} lie in other files, which are not read")
    settings = dataset.id.get_create_plist()
    filters = {settings.get_filter(index)[0] for index in range(settings.get_nfilters())}
    if dataset.shape is None or dataset.dtype.hasobject or filters - _FILTERS:
        raise ModelError(f"{source}: {name!r} is no plain array of numbers; save the model again")


def _attribute_bytes(item: Any) -> int:
    """What the attributes of `item` take in memory."""
    import h5py

    found = [h5py.h5a.open(item.id, index=index) for index in range(h5py.h5a.get_num_attrs(item.id))]
    return sum(math.prod(attribute.shape) * attribute.get_type().get_size() for attribute in found)


@contextlib.contextmanager
def _hdf5(path: Path, source: Path) -> Iterator[Any]:
    """The HDF5 file at `path`; what is wrong with it becomes an error that names `source`."""
    h5py = import_tool("h5py")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except _DAMAGE as error:
        raise ModelError(f"{source}: damaged, or cut short ({error}); copy it again") from error
