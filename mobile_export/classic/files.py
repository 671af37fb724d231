"""What the classic tools read and write. `~` is the home folder also behind `--flag=`, where shells leave it alone."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mobile_export.errors import ConversionError, OutputError, TargetError
from mobile_export.graph_files import graph_file
from mobile_export.graph_files.graph_def import graph_def_size, write_graph_def
from mobile_export.graph_files.message_file import LARGEST
from mobile_export.graphs.graph import Graph


def read_graph(path: str, flag: str) -> Graph:
    """The graph in the file that `--flag` names: a GraphDef or a MetaGraph, binary or text.

    Raises:
        TargetError: the flag is missing.
        ModelError: the file is, or holds no graph.
    """
    if not path:
        raise TargetError(f"--{flag}: missing; name the file that holds the graph")
    return graph_file.read_graph(Path(path).expanduser()).graph


def write_graph(path: str, flag: str, graph: Graph, as_text: bool = False) -> Path:
    """Write a GraphDef to the file that `--flag` names, whole or not at all; returns where it is.

    Raises:
        TargetError: the flag is missing, or names a folder.
        ConversionError: the graph is larger than protobuf reads.
        OutputError: nothing can be written there.
    """
    target = check_output(path, flag)
    size = graph_def_size(graph)
    if size > LARGEST:
        raise ConversionError(
            f"{path}: would have {size} bytes, and protobuf reads no message above 2 GB; name outputs that need less"
        )
    with replacing(target, flag) as unfinished, unfinished.open("wb") as file:
        if as_text:
            file.write(_as_text(graph).encode())
        else:
            write_graph_def(file, graph)
    return target


def _as_text(graph: Graph) -> str:
    from google.protobuf import text_format

    text: str = text_format.MessageToString(graph.to_graph_def())
    return text


def check_output(path: str, flag: str) -> Path:
    """The file that `--flag` names; what `replacing` could not write is refused before any work.

    Raises:
        TargetError: the flag is missing, or names a folder.
        OutputError: there is no such folder.
    """
    if not path:
        raise TargetError(f"--{flag}: missing; name the file to write")
    target = Path(path).expanduser()
    if target.is_dir():
        raise TargetError(f"--{flag}: {path} is a folder; name the file to write")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: cannot be written: there is no such folder; make it, or choose another --{flag}")
    return target


@contextlib.contextmanager
def replacing(path: Path, flag: str) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place in the end, unless there is an error.

    Raises:
        OutputError: that cannot be done.
    """
    unfinished = path.with_name(f".{path.name}.unfinished-{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; choose another --{flag}") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
