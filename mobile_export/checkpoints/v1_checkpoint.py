"""TensorFlow's V1 checkpoints, read in place without TensorFlow.

The checkpoint `model.ckpt` is one file of that name, or several: `model.ckpt-00000-of-00002`, … Each is a sorted table.
Its first value, under an empty key, lists the variables with their shapes and slices; every other one is a slice, under
the same key as in a V2 checkpoint. A variable that is not partitioned has one slice, which is all of it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from mobile_export.checkpoints.prefix import v1_files
from mobile_export.checkpoints.slices import (
    NOT_THE_SUM,
    Extents,
    UnfitSlices,
    assemble,
    place_of,
    read_extents,
    slice_key,
)
from mobile_export.checkpoints.table import Table
from mobile_export.checkpoints.weights import no_such_variable, not_numeric
from mobile_export.errors import ModelError
from mobile_export.graphs.protos import DecodeError, SavedTensorSlices
from mobile_export.graphs.tensors import Array, listed_values, numpy_dtype, read_shape

_SHARD = re.compile(r".*-(\d{5})-of-(\d{5})", re.DOTALL)


@dataclass(frozen=True)
class _Variable:
    """What the files say of a variable.

    Attributes:
        dtype: TensorFlow's DataType number.
        shape: sizes.
        slices: which file holds each part.
    """

    dtype: int
    shape: tuple[int, ...]
    slices: dict[Extents, Table]


@dataclass(frozen=True)
class V1Checkpoint:
    """An open checkpoint: every file is mapped; weights are read when they are asked for.

    Attributes:
        prefix: what it is called.
        files: all of it.
    """

    prefix: Path
    files: list[Path]
    _variables: Mapping[str, _Variable] = field(repr=False)

    @classmethod
    def open(cls, prefix: Path) -> "V1Checkpoint":
        """Read what there is in the checkpoint `prefix`.

        Raises:
            ModelError: a file is missing or damaged, or two of them contradict each other.
        """
        files = v1_files(prefix)
        _check_complete(prefix, files)
        variables: dict[str, _Variable] = {}
        for path in files:
            _add_variables(Table.open(path, "a V1 checkpoint"), variables)
        return cls(prefix, files, variables)

    @property
    def names(self) -> Collection[str]:
        """Of its variables."""
        return self._variables.keys()

    def read(self, name: str) -> Array:
        """The value of the variable `name`, checked; read-only.

        Raises:
            ModelError: there is no such variable, it is not numeric, or its bytes are damaged.
        """
        variable = self._variables.get(name)
        if variable is None:
            raise no_such_variable(self.prefix, name, self.names)
        dtype = numpy_dtype(variable.dtype)
        if dtype is None:
            raise not_numeric(self.prefix, name, variable.dtype)
        try:
            parts = {extents: self._slice(name, extents, dtype) for extents in variable.slices}
            array = next(iter(parts.values())) if len(parts) == 1 else assemble(variable.shape, parts)
            if array.shape != variable.shape:
                raise UnfitSlices(NOT_THE_SUM)
        except UnfitSlices as error:
            raise ModelError(f"{self.prefix}: {name!r} {error}; copy the checkpoint again") from None
        array.flags.writeable = False
        return array

    def _slice(self, name: str, extents: Extents, dtype: np.dtype[np.generic]) -> Array:
        variable = self._variables[name]
        shape = tuple(one.stop - one.start for one in place_of(extents, variable.shape))
        found = variable.slices[extents].find(slice_key(name, extents))
        try:
            values = None if found is None else listed_values(SavedTensorSlices.FromString(found).data.data, dtype)
        except DecodeError:
            values = None
        if values is None or values.size != prod(shape):
            raise UnfitSlices(f"lacks its slice {list(extents)}, or has another number of values there")
        return values.reshape(shape)


def _check_complete(prefix: Path, files: list[Path]) -> None:
    """Of a checkpoint in several files, all are there, and they are of one checkpoint."""
    if files == [prefix]:
        return
    numbers = [found.groups() for path in files if (found := _SHARD.fullmatch(path.name))]
    counts = sorted({int(count) for _, count in numbers})
    if len(counts) > 1:
        named = " and ".join(f"of {count}" for count in counts)
        raise ModelError(f"{prefix}: there are shards of several checkpoints here, {named}; keep those of one")
    missing = sorted(set(range(counts[0])) - {int(number) for number, _ in numbers}) if counts else [0]
    if missing:
        raise ModelError(f"{prefix}: shard {missing[0]} of {counts[0] if counts else 1} is missing; copy it, too")


def _add_variables(table: Table, variables: dict[str, _Variable]) -> None:
    """Add what the file `table` has to `variables`."""
    first = table.find(b"")
    try:
        listed = SavedTensorSlices() if first is None else SavedTensorSlices.FromString(first)
    except DecodeError:
        raise ModelError(f"{table.path}: its list of variables is damaged; copy the checkpoint again") from None
    for tensor in listed.meta.tensor:
        shape = read_shape(tensor.shape)
        if shape is None or min(shape, default=0) < 0 or not tensor.slice:
            raise ModelError(f"{table.path}: what it says of {tensor.name!r} makes no sense; copy the checkpoint again")
        variable = variables.setdefault(tensor.name, _Variable(tensor.type, shape, {}))
        if (variable.dtype, variable.shape) != (tensor.type, shape):
            raise ModelError(f"{table.path}: {tensor.name!r} is another one in another shard; keep one checkpoint's")
        variable.slices.update(dict.fromkeys(map(read_extents, tensor.slice), table))
