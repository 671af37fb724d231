"""The kernels that files need."""

from collections.abc import Iterable
from pathlib import Path

from mobile_export.errors import ModelError
from mobile_export.formats.memmapped import graph_of
from mobile_export.graph_files import graph_file
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.package import open_package
from mobile_export.graphs.protos import DecodeError
from mobile_export.kernels.header import without_spaces
from mobile_export.kernels.needed import Need, needed
from mobile_export.kernels.runtimes import Runtime


def needed_by(path: Path) -> list[Need]:
    """The kernels that the graph in a file needs: a GraphDef or MetaGraph, binary or text, or a memory-mapped package.

    Raises:
        ModelError: the file is missing, damaged, or something else.
        ConversionError: it is a package, and no graph is in it.
    """
    return needed(_graph(path))


def kernel_classes(needs: Iterable[Need], runtime: Runtime) -> dict[str, tuple[str, ...]]:
    """The classes of the kernels of each operator: the runtime's where it says them, else those installed here."""
    found: dict[str, set[str]] = {}
    for need in needs:
        named = runtime.kernel_class(need) or need.kernel
        found.setdefault(need.op, set()).update([without_spaces(named)] if named else ())
    return {op: tuple(sorted(classes)) for op, classes in found.items()}


def _graph(path: Path) -> Graph:
    try:
        regions = open_package(path)
    except ModelError:
        return graph_file.read_graph(path).graph  # says what is wrong with a file that is neither
    try:
        return Graph.from_graph_def(graph_of(path, regions))
    except (ModelError, DecodeError) as error:
        raise ModelError(f"{path}: {error}") from error
