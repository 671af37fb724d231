"""Graphs in protobuf's text form.

Protobuf's own parser takes half a microsecond and a hundred bytes of memory for each character of a string: 97 MB of
weights would take 47 s and 9.6 GB. So packed values are taken out of the text first, and put into the message after.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from mobile_export.errors import ModelError
from mobile_export.graphs.protos import GraphDef, MetaGraphDef, SavedModel, SaverDef, TensorProto

Message = TypeVar("Message", GraphDef, MetaGraphDef, SavedModel, SaverDef)

_ESCAPE = rb"""\\(?:[0-3][0-7]{2}|[abfnrtv\\'"]|x[0-9a-fA-F]{2}|[0-7]{1,2}(?![0-7]))"""
_PACKED = re.compile(rb'\btensor_content: "((?:[^"\\\n]++|%b)*+)"' % _ESCAPE)
_LONG = 1024
"""Characters from which on a packed value is taken out."""

_SAID = 200
_STAND_IN = rb"\000value %d is elsewhere"
_STOOD_IN = re.compile(rb"\0value (\d{1,9}) is elsewhere")
_LARGEST = 64 << 20
"""Bytes of text besides packed values: half a minute's work."""


def parse_text(path: Path, data: bytes, message: Message) -> Message:
    """Fill `message` from its text form.

    Raises:
        ModelError: it is wrong somewhere, naming line and column; or it is too long.
    """
    from google.protobuf import text_format

    values: list[bytes] = []
    text = b"".join(_without_values(data, values))
    if len(text) > _LARGEST:
        raise ModelError(f"{path}: too long for a graph in text form; save it in binary form, as .pb")
    try:
        text_format.Parse(text.decode(), message)
    except UnicodeDecodeError:
        raise ModelError(f"{path}: neither a message in binary form nor text in UTF-8; copy it again") from None
    except text_format.ParseError as error:
        what = re.sub(r"^\d+:\d+ : ", "", str(error))
        what = what if len(what) <= _SAID else f"…{what[-_SAID:]}"  # it quotes the line, which may be all of the file
        raise ModelError(f"{path}: line {error.GetLine()}, column {error.GetColumn()}: {what}") from None
    except RecursionError:
        raise ModelError(f"{path}: nested too deeply for a graph") from None
    _put_back(message, values)
    return message


def _without_values(data: bytes, values: list[bytes]) -> Iterator[bytes]:
    """The text, with stand-ins for long packed values, which are added to `values`."""
    done = 0
    for found in _PACKED.finditer(data):
        start, end = found.span(1)
        if end - start >= _LONG:
            values.append(data[start:end].decode("unicode_escape").encode("latin-1"))
            yield data[done:start]
            yield _STAND_IN % (len(values) - 1)
            done = end
    yield data[done:]


def _put_back(message: Message, values: list[bytes]) -> None:
    if not values:
        return
    for tensor in (tensor for graph_def in _graphs(message) for tensor in _tensors(graph_def)):
        found = _STOOD_IN.fullmatch(tensor.tensor_content)
        if found is not None and int(found[1]) < len(values):
            tensor.tensor_content = values[int(found[1])]


def _graphs(message: GraphDef | MetaGraphDef | SavedModel | SaverDef) -> Iterator[GraphDef]:
    if isinstance(message, SavedModel):
        yield from (meta.graph_def for meta in message.meta_graphs)
    elif isinstance(message, MetaGraphDef):
        yield message.graph_def
    elif isinstance(message, GraphDef):
        yield message


def _tensors(graph_def: GraphDef) -> Iterator[TensorProto]:
    """All values of constants, those in functions included."""
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            if "value" in node.attr:
                yield node.attr["value"].tensor
