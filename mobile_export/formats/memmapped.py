"""Memory-mapped GraphDef: weights that the phone pages in from the file instead of loading."""

import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_export.errors import ConversionError, ModelError
from mobile_export.formats.format import Request
from mobile_export.formats.in_place import written_in_place
from mobile_export.formats.public_names import edges_of, with_public_names
from mobile_export.graphs.graph import Graph, attribute, region_bytes
from mobile_export.graphs.package import open_package, write_package
from mobile_export.graphs.protos import DecodeError, GraphDef, NodeDef
from mobile_export.graphs.tensors import LARGEST_FILL, Array, map_array, numpy_dtype, read_shape, write_shape
from mobile_export.runner import Runner
from mobile_export.samples import Samples
from mobile_export.session import Session

MIN_BYTES = 10_000
"""Constants of at least this many bytes are mapped: the default of TensorFlow's own converter."""

_PREFIX = "memmapped_package://"
_GRAPH = _PREFIX + "."


class Memmapped:
    """`.mmpb`, the package that TensorFlow's MemmappedEnv reads."""

    suffix = ".mmpb"
    folder = False
    runtime = "TensorFlow"
    tools = ("tensorflow",)
    room: int | None = None
    precisions: Mapping[str, Sequence[str]] = {"float32": ("float32",)}
    calibrated: Collection[str] = ()

    def write(self, graph: Graph, requests: Sequence[Request], calibration: Samples | None) -> Mapping[str, str]:
        """Write each large constant as an aligned region, and last the graph that refers to them."""
        package = Package.of(with_public_names(graph))
        for request in requests:
            package.write(request.path)
        return {}

    def open(self, path: Path, threads: int | None = None) -> Runner:
        """Follow the directory with a reader of our own, and run from the mapped arrays."""
        return Session(edges_of(read_memmapped(path), path), threads=threads)


@dataclass(frozen=True)
class Package:
    """What goes into a file.

    Attributes:
        graph: constants that are mapped are ImmutableConst nodes in it.
        regions: their values by region name, in the graph's order.
    """

    graph: Graph
    regions: Mapping[str, Array]

    @classmethod
    def of(cls, graph: Graph, min_bytes: int = MIN_BYTES, quantized: bool = True) -> "Package":
        """Take the constants of at least `min_bytes` out of `graph`; nothing is copied.

        Those that a kernel could write into stay in the graph.

        Args:
            quantized: whether constants of quantized types are taken, too.

        Raises:
            ConversionError: constants that the graph holds as one repeated element would fill gigabytes.
        """
        written = written_in_place(graph)
        chosen = [
            name
            for name in graph.nodes
            if name in graph.constants
            and name not in written
            and _is_mapped(graph.constants[name], min_bytes, quantized)
        ]
        repeated = sum(graph.constants[name].nbytes for name in chosen if _is_repeated(graph.constants[name]))
        if repeated > LARGEST_FILL:
            raise ConversionError(
                f"constants that repeat one element would fill {repeated} bytes of the file; compute them in the "
                "graph, by a Fill"
            )
        graph = graph.copy()
        regions = {}
        for name, region in _region_names(chosen).items():
            regions[region] = graph.constants.pop(name)
            _refer(graph.nodes[name], regions[region], region)
        return cls(graph, regions)

    def write(self, path: Path) -> None:
        """Write the file, one array after another."""
        tensors = ((name, region_bytes(array), True) for name, array in self.regions.items())
        skeleton = self.graph.to_graph_def().SerializeToString(deterministic=True)
        write_package(path, itertools.chain(tensors, [(_GRAPH, skeleton, False)]))


def _is_mapped(array: Array, min_bytes: int, quantized: bool) -> bool:
    return array.nbytes >= min_bytes and (quantized or array.dtype.names is None)


def _is_repeated(array: Array) -> bool:
    return array.size > 1 and not any(array.strides)


def read_memmapped(path: Path) -> Graph:
    """The graph in a memory-mapped package, its constants views of the mapped file.

    Raises:
        ConversionError: the file is damaged: no graph, a region that is missing, misaligned or of another size.
    """
    try:
        regions = open_package(path)
        graph_def = graph_of(path, regions)
        constants = {}
        for node in graph_def.node:
            if node.op == "ImmutableConst":
                constants[node.name] = _mapped(path, node, regions)
                _restore(node)
        graph = Graph.from_graph_def(graph_def, mapped=constants)
    except (ModelError, DecodeError) as error:
        raise ConversionError(f"{path}: {error}") from error
    return graph


def graph_of(path: Path, regions: Mapping[str, memoryview]) -> GraphDef:
    """The graph among the regions of a package, its mapped constants as ImmutableConst.

    Raises:
        ConversionError: there is none.
        DecodeError: what lies there is none.
    """
    if _GRAPH not in regions:
        raise ConversionError(f"{path}: the package holds no graph (region {_GRAPH!r})")
    return GraphDef.FromString(bytes(regions[_GRAPH]))


def _region_names(names: Sequence[str]) -> dict[str, str]:
    """Region names as TensorFlow's converter makes them: other characters become `_`, then `_` until unique."""
    after: dict[str, dict[int, int]] = defaultdict(dict)
    after[_GRAPH] = {0: 1}
    regions = {}
    for name in names:
        wanted = _PREFIX + re.sub(r"[^A-Za-z0-9_.]", "_", name)
        stem = wanted.rstrip("_")
        regions[name] = stem + "_" * _take(after[stem], len(wanted) - len(stem))
    return regions


def _take(after: dict[int, int], number: int) -> int:
    """The first number from `number` on that is not taken; `after` leads from those that are to later ones."""
    passed = []
    while number in after:
        passed.append(number)
        number = after[number]
    after |= dict.fromkeys([*passed, number], number + 1)
    return number


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
