"""Files that hold a graph: a GraphDef or a MetaGraphDef, in protobuf's binary or text form, told apart by content."""

import mmap
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mobile_export.checkpoints.table import hint
from mobile_export.errors import ModelError
from mobile_export.graph_files.graph_def import parse_graph_def
from mobile_export.graph_files.message_file import check_size
from mobile_export.graph_files.message_text import parse_text
from mobile_export.graphs.arity import refuse_malformed
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.package import is_package
from mobile_export.graphs.protos import DecodeError, GraphDef, MetaGraphDef, SaverDef
from mobile_export.graphs.tensors import Array

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")  # of which text has none, and a message many
_FIRST_WORD = re.compile(rb"(?:\s|#[^\n]*\n)*(\w+)")
_GRAPH = frozenset({b"node", b"library", b"versions", b"version", b"debug_info"})
_META = frozenset(
    {b"meta_info_def", b"graph_def", b"saver_def", b"collection_def", b"signature_def", b"asset_file_def"}
)
_FIRST_NODE = re.compile(rb"\n[\x80-\xff]*[\x00-\x7f]\n[\x00-\x7f][A-Za-z0-9.]")
_HEAD = 4096

_FOREIGN = (
    (re.compile(rb"PK\x03\x04"), "a zip archive (a .keras file is one)"),
    (re.compile(rb"\x89HDF\r\n"), "an HDF5 file, as Keras writes them"),
    (re.compile(rb".{4}TFL[23]", re.DOTALL), "a TFLite model, which is an app's file and not a trained model"),
    (re.compile(rb"\x1f\x8b"), "compressed with gzip"),
    (re.compile(rb"\x08\x01\x12|\s*(saved_model_schema_version|meta_graphs)\b"), "a SavedModel; name its folder"),
    (re.compile(rb"\x08[\x01-\x7f]"), "an ONNX model, which is an app's file and not a trained model"),
)
"""How files begin that end up under the name of a graph, and what they are."""


@dataclass(frozen=True)
class SavedGraph:
    """What a file holds.

    Attributes:
        graph: all of it, without inputs and outputs.
        restore: the operator with which its saver restores; None where the file says nothing of a saver.
    """

    graph: Graph
    restore: str | None = None


def looks_like_a_graph(path: Path) -> str | None:
    """How the file at `path` begins, if it begins as a graph does, or None."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if _CONTROL.search(head):
        return "it begins as a binary GraphDef does" if _FIRST_NODE.match(head) else None
    word = _FIRST_WORD.match(head)
    return f"it is text that begins with {word[1].decode()}" if word and word[1] in _GRAPH | _META else None


def read_graph(path: Path) -> SavedGraph:
    """The graph in the file at `path`.

    Raises:
        ModelError: it is missing, damaged, too large, or something else; says what.
    """
    data = _mapped(path)
    head = bytes(data[:_HEAD])
    for begins, what in _FOREIGN:
        if begins.match(head):
            raise ModelError(f"{path}: no GraphDef, but {what}")
    parsed, values = _from_binary(path, data) if _CONTROL.search(head) else (_from_text(path, bytes(data)), {})
    meta = isinstance(parsed, MetaGraphDef)
    graph_def = parsed.graph_def if meta else parsed
    if not graph_def.node:
        raise ModelError(f"{path}: there is no graph in it; copy it again")
    _check_constants(path, graph_def, values)
    graph = Graph.from_graph_def(graph_def, mapped=values)
    refuse_malformed(graph)
    return SavedGraph(graph, (parsed.saver_def.restore_op_name or None) if meta else None)


def read_restore_op(path: Path) -> str:
    """The operator with which the saver restores that a SaverDef file describes.

    Raises:
        ModelError: the file is missing, damaged, or no SaverDef.
    """
    data = bytes(_mapped(path))
    try:
        saver = SaverDef.FromString(data) if _CONTROL.search(data) else parse_text(path, data, SaverDef())
    except DecodeError:
        saver = SaverDef()
    if not saver.restore_op_name:
        raise ModelError(
            f"{path}: no SaverDef, or one that restores nothing; leave it out where the graph has one saver"
        )
    restore: str = saver.restore_op_name
    return restore


def _mapped(path: Path) -> memoryview:
    check_size(path)
    try:
        with path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; name the file that holds the graph") from error


def _from_binary(path: Path, data: memoryview) -> tuple[GraphDef | MetaGraphDef, dict[str, Array]]:
    """Whichever of the two messages makes sense of `data`, often it can be parsed as either; and its large values."""
    for message in (GraphDef, MetaGraphDef):
        try:
            parsed, values = parse_graph_def(data) if message is GraphDef else (message.FromString(bytes(data)), {})
        except DecodeError:
            continue
        nodes = parsed.graph_def.node if isinstance(parsed, MetaGraphDef) else parsed.node
        if nodes and all(node.name and node.op for node in nodes):
            return parsed, values
    if is_package(path):
        raise ModelError(f"{path}: no GraphDef, but a memory-mapped one, an app's file; name the graph it was made of")
    raise ModelError(f"{path}: neither a GraphDef nor a MetaGraph, or cut short{hint(bytes(data[:64]), 'it')}")


def _from_text(path: Path, data: bytes) -> GraphDef | MetaGraphDef:
    word = _FIRST_WORD.match(data)
    if data.startswith(b"version https://"):
        raise ModelError(f"{path}: no graph{hint(data[:64], 'it')}")
    return parse_text(path, data, MetaGraphDef() if word is not None and word[1] in _META else GraphDef())


def _check_constants(path: Path, graph_def: GraphDef, values: Mapping[str, Array]) -> None:
    """Some tools keep weights in a file of their own."""
    bare = [
        node.name
        for node in graph_def.node
        if node.op == "Const" and "value" not in node.attr and node.name not in values
    ]
    if bare:
        raise ModelError(
            f"{path}: {len(bare)} of its constants have no value, {bare[0]!r} first; name the file from before they "
            "were taken out"
        )
