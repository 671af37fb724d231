"""Memory-mapped GraphDef: weights that the phone pages in from the file instead of loading."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats.format import Request
from mobile_export.formats.public_names import edges_of, with_public_names
from mobile_export.graph import Graph, attribute, region_bytes
from mobile_export.package import open_package, write_package
from mobile_export.protos import DecodeError, GraphDef, NodeDef
from mobile_export.runner import Runner
from mobile_export.samples import Samples
from mobile_export.session import Session
from mobile_export.tensors import Array, map_array, numpy_dtype, read_shape, write_shape

MIN_BYTES = 10_000
"""Constants of at least this many bytes are mapped: the default of TensorFlow's own converter."""

_PREFIX = "memmapped_package://"
_GRAPH = _PREFIX + "."


class Memmapped:
    """`.mmpb`, the package that TensorFlow's MemmappedEnv reads."""

    suffix = ".mmpb"
    runtime = "TensorFlow"
    tools = ("tensorflow",)
    precisions: Mapping[str, Sequence[str]] = {"float32": ("float32",)}
    calibrated: Collection[str] = ()

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> None:
        """Write each large constant as an aligned region, and last the graph that refers to them."""
        named = with_public_names(graph)
        mapped = [name for name, array in named.constants.items() if array.nbytes >= MIN_BYTES]
        regions = _region_names(mapped)
        graph_def = named.to_graph_def(without=mapped)
        for node in graph_def.node:
            if node.name in regions:
                _refer(node, named.constants[node.name], regions[node.name])
        tensors = [(regions[name], region_bytes(named.constants[name]), True) for name in mapped]
        skeleton = graph_def.SerializeToString(deterministic=True)
        for request in requests:
            write_package(request.path, [*tensors, (_GRAPH, skeleton, False)])

    def open(self, path: Path) -> Runner:
        """Follow the directory with a reader of our own, and run from the mapped arrays."""
        return Session(edges_of(read_memmapped(path), path))


def read_memmapped(path: Path) -> Graph:
    """The graph in a memory-mapped package, its constants views of the mapped file.

    Raises:
        ConversionError: the file is damaged: no graph, a region that is missing, misaligned or of another size.
    """
    try:
        regions = open_package(path)
        if _GRAPH not in regions:
            raise ConversionError(f"{path}: the package holds no graph (region {_GRAPH!r})")
        graph_def = GraphDef.FromString(bytes(regions[_GRAPH]))
        constants = {}
        for node in graph_def.node:
            if node.op == "ImmutableConst":
                constants[node.name] = _mapped(path, node, regions)
                _restore(node)
        graph = Graph.from_graph_def(graph_def, mapped=constants)
    except (ModelError, DecodeError) as error:
        raise ConversionError(f"{path}: {error}") from error
    return graph


def _region_names(names: Sequence[str]) -> dict[str, str]:
    """Region names as TensorFlow's converter makes them: other characters become `_`, then `_` until unique."""
    taken: set[str] = set()
    regions = {}
    for name in names:
        region = _PREFIX + re.sub(r"[^A-Za-z0-9_.]", "_", name)
        while region in taken:
            region += "_"
        taken.add(region)
        regions[name] = region
    return regions


def _refer(node: NodeDef, array: Array, region: str) -> None:
    dtype = node.attr["dtype"].type
    node.op = "ImmutableConst"
    node.attr.clear()
    node.attr["dtype"].type = dtype
    write_shape(node.attr["shape"].shape, array.shape)
    node.attr["memory_region_name"].s = region.encode()


def _mapped(path: Path, node: NodeDef, regions: Mapping[str, memoryview]) -> Array:
    region = attribute(node, "memory_region_name").s.decode(errors="replace")
    shape = read_shape(attribute(node, "shape").shape)
    dtype = numpy_dtype(attribute(node, "dtype").type)
    if region not in regions or shape is None or dtype is None:
        raise ConversionError(f"{path}: node {node.name!r} refers to the region {region!r}, which the package lacks")
    return map_array(regions[region], dtype, shape, node.name)


def _restore(node: NodeDef) -> None:
    """Make an ImmutableConst an ordinary, valueless Const again."""
    dtype = node.attr["dtype"].type
    node.op = "Const"
    node.attr.clear()
    node.attr["dtype"].type = dtype
