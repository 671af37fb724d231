"""The user's own generators of samples."""

import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.data.dataset import Dataset, Rows, Wanted, batched, check_count
from mobile_export.errors import ModelError
from mobile_export.graphs.tensors import Array, dtype_named
from mobile_export.samples import Samples
from mobile_export.target import DataSource, UserCode
from mobile_export.user_code import imports_of, load_code

_PLAIN = (bool, int, float, list, tuple)
_KINDS = "biufcUV"
"""Of arrays: numbers and text; NumPy has bfloat16 among what it does not know."""
_END = object()


class Generator:
    """`module:function`, which takes no arguments and yields one sample after the other, each a dict of arrays by name.

    It is called twice: to be counted, and to be drawn from. Both times it has to give the same.
    """

    tools: Sequence[str] = ()

    def detect(self, source: DataSource) -> bool:
        return isinstance(source.source, UserCode)

    def files(self, source: DataSource) -> list[Path]:
        return [*imports_of(_code(source)).files.values()]

    def open(self, source: DataSource, wanted: Wanted) -> Dataset:
        code = _code(source)
        name = f"{code.module}:{code.name}"
        function = load_code(code, name)
        if not callable(function):
            raise ModelError(f"{name}: is no function; name one that yields a dict of arrays a sample")
        hashes = array("Q")
        widths = dict.fromkeys(wanted.names, 1)
        for _, sample in _walk(name, function, wanted):
            hashes.append(_hash(sample))
            check_count(name, len(hashes))
            for key, values in sample.items():
                widths[key] = max(widths[key], _width(values))
        check_count(name, len(hashes))
        return _Generated(name, function, wanted, hashes, widths)


@dataclass(frozen=True)
class _Generated:
    """What `function` gave the first time: a hash of each sample, and the length of the longest text, by name."""

    name: str
    function: Callable[[], Any]
    wanted: Wanted
    hashes: Sequence[int]
    widths: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.hashes)

    def read(self, rows: Rows) -> Iterator[Samples]:
        return batched(self._samples(rows))

    def _samples(self, rows: Rows) -> Iterator[tuple[str, Samples]]:
        drawn = iter(rows.tolist())
        row = next(drawn)
        count = 0
        for where, sample in _walk(self.name, self.function, self.wanted):
            if count == len(self.hashes) or _hash(sample) != self.hashes[count]:
                raise ModelError(f"{where}: is another one when it is given again; seed what is random in it")
            if count == row:
                row = next(drawn, None)
                yield where, {name: self._widened(name, values) for name, values in sample.items()}
            count += 1
        if count != len(self.hashes):
            raise ModelError(f"{self.name}: gave {len(self.hashes)} samples, and {count} when called again")

    def _widened(self, name: str, values: Array) -> Array:
        return values.astype(f"<U{self.widths[name]}") if values.dtype.kind == "U" else values


def _code(source: DataSource) -> UserCode:
    if not isinstance(source.source, UserCode):
        raise TypeError(f"{source.source} is no code")
    return source.source


def _walk(name: str, function: Callable[[], Any], wanted: Wanted) -> Iterator[tuple[str, Samples]]:
    """All samples, each after what errors call it."""
    given = _called(name, lambda: iter(function()))
    number = 0
    while (sample := _called(name, lambda: next(given, _END))) is not _END:
        where = f"{name}: sample {number}"
        if not isinstance(sample, Mapping):
            raise ModelError(f"{where}: is {type(sample).__name__}; yield a dict of arrays by name")
        missing = [key for key in wanted.names if key not in sample]
        if missing:
            has = ", ".join(map(repr, sample)) or "nothing"
            raise ModelError(f"{where}: has no {missing[0]!r}; it has {has}")
        dtypes = {spec.name: spec.dtype for spec in wanted.inputs}
        yield where, {key: _array(sample[key], dtypes.get(key), f"{where}: {key!r}") for key in wanted.names}
        number += 1


def _called(name: str, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ModelError(f"{name}: raised {type(error).__name__}: {error}") from error


def _array(value: Any, dtype: str | None, where: str) -> Array:
    """A copy: a generator may fill the same array again. Plain numbers of an input become its type."""
    try:
        values = np.array(value, dtype_named(dtype) if dtype and isinstance(value, _PLAIN) else None)
        values = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelError(f"{where}: is no array: {error}") from error
    if values.dtype.kind not in _KINDS or not values.size:
        raise ModelError(f"{where}: is {values.dtype}{list(values.shape)}, not numbers or text")
    return values


def _width(values: Array) -> int:
    """Characters of a text."""
    return values.dtype.itemsize // np.dtype("<U1").itemsize if values.dtype.kind == "U" else 1


def _hash(sample: Samples) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for values in sample.values():
        digest.update(f"{values.dtype.str}{values.shape}".encode() + values.tobytes())
    return int.from_bytes(digest.digest(), "little")
