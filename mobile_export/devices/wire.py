"""What goes into the runner and comes out of it, over pipes or in files; `runner/protocol.h` defines it.

What comes out is not trusted: edges have to be those of the file as this computer reads it, sizes are bounded, and
memory is taken for bytes that have arrived.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np

from mobile_export.errors import ConversionError, ModelError, NotRunnableError
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge
from mobile_export.samples import Samples

MOST_BYTES = 2**31
"""What one output may take: no file holds a larger tensor."""

_MAGIC = b"MXR1"
_MODEL, _ANSWER, _ERROR, _UNABLE, _REQUEST = 1, 2, 3, 4, 5
_DTYPES = (
    *("float32", "float16", "float64", "int8", "uint8", "int16"),
    *("uint16", "int32", "uint32", "int64", "uint64", "bool"),
)
"""Element types by their number on the wire, less one."""
_MOST_RANK = 32
_MOST_TEXT = 2**16
_PIECE = 2**20


class Edged(Protocol):
    """Whatever has the inputs and outputs of a file, such as its runner on this computer."""

    @property
    def inputs(self) -> tuple[Edge, ...]: ...

    @property
    def outputs(self) -> tuple[Edge, ...]: ...


@dataclass(frozen=True)
class Edges:
    """The edges of a file as this computer has them, in the runner's order."""

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]


class WireError(Exception):
    """What came out of the runner makes no sense."""


class CutError(WireError):
    """It ends in the middle."""


class ToldError(WireError):
    """It is the runner's last sentence: what went wrong."""


class UnableError(WireError):
    """It is the runner's last sentence: what the file has that it cannot carry."""


def write_requests(stream: IO[bytes], host: Edged, batches: Iterable[Mapping[str, Array]], what: str) -> None:
    """Write a request for each batch.

    Args:
        host: the file's edges, in the runner's order.
        what: the file and where it runs, for errors.

    Raises:
        ModelError: an input has another element type than the file.
    """
    for feeds in batches:
        stream.writelines(request(host, feeds, what))


def read_edges(stream: IO[bytes], host: Edged, what: str) -> Edges:
    """What a runner has written before any answer: the edges of the file, which are those of `host`.

    Raises:
        ConversionError: it does not load the file, or takes it for another one.
        NotRunnableError: it cannot carry what the file has.
    """
    with judged(what):
        return receive_edges(stream, host)


def read_answers(stream: IO[bytes], host: Edged, what: str) -> Iterator[Samples]:
    """All that a runner has written to a file: an answer to each request, by name.

    Raises:
        ConversionError: it stopped with an error, or in the middle, or takes the file for another one.
        NotRunnableError: it cannot carry what the file has.
    """
    with judged(what):
        edges = receive_edges(stream, host)
        while not _ended(stream):
            yield receive_answer(stream, edges)


@contextmanager
def judged(what: str, reason: Callable[[WireError], str] = str) -> Iterator[None]:
    """What goes wrong in the block as a sentence.

    Args:
        what: the file and where it runs.
        reason: what is said of an error.

    Raises:
        ConversionError: what came makes no sense, or says what went wrong.
        NotRunnableError: the runner cannot carry what the file has.
    """
    try:
        yield
    except UnableError as error:
        raise NotRunnableError(str(error)) from error
    except WireError as error:
        raise ConversionError(f"{what}: {reason(error)}") from error


def _ended(stream: IO[bytes]) -> bool:
    """Whether nothing more follows in a file."""
    over = not stream.read(1)
    if not over:
        stream.seek(-1, 1)
    return over


def request(edges: Edged, feeds: Mapping[str, Array], what: str) -> Iterator[bytes]:
    """One request, piece by piece.

    Raises:
        ModelError: an input has another element type than the file.
    """
    yield struct.pack("<I", _REQUEST)
    for edge in edges.inputs:
        value = np.asarray(feeds[edge.name])
        if value.dtype != edge.dtype:
            raise ModelError(f"{what}: input {edge.name!r} takes {edge.dtype}, not {value.dtype}")
        yield struct.pack(f"<II{value.ndim}Q", _DTYPES.index(edge.dtype) + 1, value.ndim, *value.shape)
        yield value.astype(_little(edge.dtype), copy=False).tobytes()


def receive_edges(stream: IO[bytes], host: Edged) -> Edges:
    """The first message, held against the edges that the file has here.

    Raises:
        WireError: they are others, or something else is wrong.
    """
    if (magic := bytes(_take(stream, len(_MAGIC)))) != _MAGIC:
        raise WireError(f"what answers is no runner of this version, for it begins with {magic!r}")
    _expect(stream, _MODEL)
    counts = _u32(stream), _u32(stream)
    if counts != (len(host.inputs), len(host.outputs)):
        raise WireError(f"the file has {counts[0]} inputs and {counts[1]} outputs there")
    inputs, outputs = ([(_text(stream), *_shape(stream)) for _ in range(count)] for count in counts)
    return Edges(_matched(inputs, host.inputs), _matched(outputs, host.outputs))


def receive_answer(stream: IO[bytes], edges: Edges) -> Samples:
    """The answer to one request, by name.

    Raises:
        WireError: there is none, or none that can be one.
    """
    _expect(stream, _ANSWER)
    return {edge.name: _value(stream, edge) for edge in edges.outputs}


def _matched(there: Sequence[tuple[str, str, tuple[int, ...]]], here: Sequence[Edge]) -> tuple[Edge, ...]:
    """Edges of `here`, in the order of `there`.

    They are found by name. Where names differ, as they may in a file without signature, the order is that of the file
    on both sides.
    """
    named = {edge.name: edge for edge in here}
    same = len(named) == len(here) and {name for name, _, _ in there} == set(named)
    matched = tuple(named[name] for name, _, _ in there) if same else tuple(here)
    for edge, (name, dtype, sizes) in zip(matched, there, strict=True):
        if edge.dtype != dtype or not _fits(edge.shape, sizes):
            raise WireError(
                f"{edge.name!r} is {edge.dtype} {_shown(edge.shape)} here, and {printable(name)!r} is {dtype} "
                f"{_shown(sizes)} there"
            )
    return matched


def _fits(here: tuple[int, ...] | None, there: tuple[int, ...]) -> bool:
    """Whether both can be the shape of one edge; a negative size may be any."""
    if here is None:
        return True
    return len(here) == len(there) and all(a == b or a < 0 or b < 0 for a, b in zip(here, there, strict=True))


def _shown(shape: tuple[int, ...] | None) -> str:
    return "of any shape" if shape is None else str(list(shape))


def _expect(stream: IO[bytes], wanted: int) -> None:
    """The beginning of a message of that kind."""
    kind = _u32(stream)
    if kind == _ERROR:
        raise ToldError(printable(_text(stream)))
    if kind == _UNABLE:
        raise UnableError(printable(_text(stream)))
    if kind != wanted:
        raise WireError(f"the runner sends message {kind} for {wanted}")


def _value(stream: IO[bytes], edge: Edge) -> Array:
    dtype, sizes = _shape(stream)
    item = np.dtype(dtype).itemsize
    most = item * math.prod(max(1, size) for size in sizes)  # beside a size of 0, others may be large as well
    if dtype != edge.dtype or min(sizes, default=0) < 0 or most > MOST_BYTES:
        raise WireError(f"output {edge.name!r}, which is {edge.dtype}, is answered by {dtype} {list(sizes)}")
    value: Array = np.frombuffer(_take(stream, item * math.prod(sizes)), _little(dtype)).reshape(sizes)
    return value


def _shape(stream: IO[bytes]) -> tuple[str, tuple[int, ...]]:
    """Element type and sizes."""
    code, rank = _u32(stream), _u32(stream)
    if not 0 < code <= len(_DTYPES) or rank > _MOST_RANK:
        raise WireError(f"the runner sends element type {code} in {rank} dimensions")
    return _DTYPES[code - 1], struct.unpack(f"<{rank}q", _take(stream, 8 * rank))


def _text(stream: IO[bytes]) -> str:
    length = _u32(stream)
    if length > _MOST_TEXT:
        raise WireError(f"the runner sends a text of {length} bytes")
    return _take(stream, length).decode(errors="replace")


def _u32(stream: IO[bytes]) -> int:
    number: int
    (number,) = struct.unpack("<I", _take(stream, 4))
    return number


def _take(stream: IO[bytes], count: int) -> bytearray:
    taken = bytearray()
    while missing := count - len(taken):
        piece = stream.read(min(missing, _PIECE))
        if not piece:
            raise CutError("the answers end in the middle")
        taken += piece
    return taken


def _little(dtype: str) -> "np.dtype[Any]":
    return np.dtype(dtype).newbyteorder("<")


def printable(text: str) -> str:
    """What the other side says, in one line, without what a terminal would obey."""
    line = " ".join(text.split())[:500]
    return "".join(c if c.isprintable() else "?" for c in line)
