"""Frozen, optimized GraphDef: for apps on TensorFlow Mobile's successors, and for servers."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mobile_export.errors import ConversionError
from mobile_export.formats.format import Request
from mobile_export.formats.public_names import edges_of, with_public_names
from mobile_export.formats.refusals import naming
from mobile_export.graph_files.graph_def import graph_def_size, write_graph_def
from mobile_export.graph_files.message_file import LARGEST
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import DecodeError, GraphDef
from mobile_export.runner import Runner
from mobile_export.samples import Samples
from mobile_export.session import Session


class FrozenGraphDef:
    """`.pb`, run by TensorFlow; inputs and outputs are nodes that carry the public names."""

    suffix = ".pb"
    folder = False
    runtime = "TensorFlow"
    tools = ("tensorflow",)
    room: int | None = LARGEST
    precisions: Mapping[str, Sequence[str]] = {"float32": ("float32",)}
    calibrated: Collection[str] = ()

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> Mapping[str, str]:
        """Write deterministically, without a copy of the weights: same graph, same bytes."""
        named = with_public_names(graph)
        for request in requests:
            with naming(request):
                if graph_def_size(named) > LARGEST:
                    raise ConversionError("a GraphDef holds at most 2 GB; use the memmapped format")
            with request.path.open("wb") as file:
                write_graph_def(file, named)
        return {}

    def open(self, path: Path, threads: int | None = None) -> Runner:
        """Load into a TensorFlow session."""
        try:
            graph = Graph.from_graph_def(GraphDef.FromString(path.read_bytes()))
        except DecodeError as error:
            raise ConversionError(f"{path}: not a GraphDef") from error
        return Session(edges_of(graph, path), threads=threads)
