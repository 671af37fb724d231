"""The memory-mapped graph: the exact container, our reader, and TensorFlow's own MemmappedEnv."""

import random
import re
import struct
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats import FORMATS, Request
from mobile_export.formats.memmapped import MIN_BYTES, Package, read_memmapped
from mobile_export.graph_transform_tool.run import transform
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.package import open_package, write_package
from mobile_export.graphs.protos import GraphDef, MemmappedFileSystemDirectory
from mobile_export.graphs.tensors import write_shape
from mobile_export.runner import run_samples
from mobile_export.session import Session
from mobile_export.transform_string import parse_calls
from tests.graph_text import parse

GRAPH = """
x = Placeholder float32[?,60]
a/w = Const float32[60,60] ~1
a_w = Const float32[60,60] ~2
b = Const float32[60] ~3
m = MatMul(x, a/w) transpose_a=false transpose_b=false
n = MatMul(m, a_w) transpose_a=false transpose_b=false
y = Add(n, b)
input x = x:0
output y = y:0
"""
X = np.random.default_rng(0).normal(size=(4, 60)).astype(np.float32)


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "model.mmpb"
    FORMATS["memmapped"].write(parse(GRAPH), [Request("model", path)], None)
    return path


def test_layout(package) -> None:
    data = package.read_bytes()
    (start,) = struct.unpack("<Q", data[-8:])
    directory = MemmappedFileSystemDirectory.FromString(data[start:-8])
    names = [element.name for element in directory.element]
    assert names == ["memmapped_package://a_w", "memmapped_package://a_w_", "memmapped_package://."]
    offsets = [element.offset for element in directory.element]
    assert offsets == sorted(offsets)
    assert all(offset % 64 == 0 for offset in offsets[:-1])
    assert [element.length for element in directory.element][:2] == [60 * 60 * 4] * 2
    assert directory.element[-1].offset + directory.element[-1].length == start  # the graph: last, unpadded


def test_nodes(package) -> None:
    graph = GraphDef.FromString(bytes(open_package(package)["memmapped_package://."]))
    nodes = {node.name: node for node in graph.node}
    assert nodes["a/w"].op == "ImmutableConst"
    assert set(nodes["a/w"].attr) == {"dtype", "shape", "memory_region_name"}
    assert nodes["b"].op == "Const", f"240 bytes are fewer than {MIN_BYTES}"


def test_our_reader_answers_bit_for_bit(package) -> None:
    runner = FORMATS["memmapped"].open(package)
    np.testing.assert_array_equal(run_samples(runner, {"x": X})["y"], run_samples(Session(parse(GRAPH)), {"x": X})["y"])


def test_our_reader_maps_and_does_not_copy(package) -> None:
    assert not read_memmapped(package).constants["a/w"].flags.owndata


def test_regions_lie_in_the_order_of_the_graph(tmp_path) -> None:
    """Not in that of the constants, of which a file's large ones are read first."""
    graph = parse(GRAPH)
    graph.constants = dict(reversed(graph.constants.items()))
    assert list(Package.of(graph).regions) == ["memmapped_package://a_w", "memmapped_package://a_w_"]


def test_a_node_cannot_take_the_name_of_the_graphs_region() -> None:
    graph = Graph()
    graph.set_constant(".", np.zeros(10, np.float32))
    assert list(Package.of(graph, min_bytes=1).regions) == ["memmapped_package://._"]


def test_regions_are_named_as_tensorflows_converter_names_them() -> None:
    """However names meet: a name with underscores of its own, with those that others got, with the graph's region."""
    drawn = random.Random(0)
    for _ in range(200):
        names = {"".join(drawn.choices("a./:_", k=drawn.randrange(1, 5))) for _ in range(60)}
        expected: dict[str, str] = {}
        for name in names:
            region = "memmapped_package://" + re.sub(r"[^\w.]", "_", name)
            while region in ("memmapped_package://.", *expected.values()):
                region += "_"
            expected[name] = region
        assert list(Package.of(constants(names), min_bytes=4).regions) == list(expected.values())


def test_names_that_collide_take_no_longer() -> None:
    """4,000 took four seconds, when each was compared with those before."""
    made = constants("a" + "".join("/:"[bit == "1"] for bit in f"{k:012b}") for k in range(4000))
    began = time.process_time()
    assert len(Package.of(made, min_bytes=4).regions) == 4000
    assert time.process_time() - began < 1


def constants(names: Iterable[str]) -> Graph:
    graph = Graph()
    for name in names:
        graph.set_constant(name, np.ones(1, np.float32))
    return graph


@pytest.mark.parametrize(("min_bytes", "mapped"), [(40, True), (41, False)])
def test_sizes_are_bytes(min_bytes: int, mapped: bool) -> None:
    graph = Graph()
    graph.set_constant("w", np.zeros(10, np.float32))
    assert bool(Package.of(graph, min_bytes).regions) == mapped


def test_quantized_constants_are_mapped_too(tmp_path) -> None:
    quantized = transform(parse(GRAPH), ["x"], ["y"], parse_calls("quantize_weights(minimum_size=3600)")).graph
    graph = replace(quantized, inputs=parse(GRAPH).inputs, outputs=parse(GRAPH).outputs)
    package = Package.of(graph, min_bytes=3600)
    assert [array.dtype for array in package.regions.values()] == [np.dtype([("quint8", np.uint8)])] * 2
    package.write(tmp_path / "q.mmpb")
    read = replace(read_memmapped(tmp_path / "q.mmpb"), inputs=graph.inputs, outputs=graph.outputs)
    assert not read.constants["a/w_quantized_const"].flags.owndata
    found, expected = (run_samples(Session(each), {"x": X})["y"] for each in (read, graph))
    np.testing.assert_array_equal(found, expected)
    assert Package.of(graph, min_bytes=3600, quantized=False).regions == {}


def test_nothing_is_copied_before_it_is_written() -> None:
    graph = parse(GRAPH)
    package = Package.of(graph)
    assert package.regions["memmapped_package://a_w"] is graph.constants["a/w"]
    assert graph.nodes["a/w"].op == "Const"


def test_a_repeated_value_is_written_out(tmp_path) -> None:
    graph = Graph()
    graph.set_constant("w", np.broadcast_to(np.float32(0.5), (70, 60)))
    Package.of(graph).write(tmp_path / "w.mmpb")
    region = open_package(tmp_path / "w.mmpb")["memmapped_package://w"]
    np.testing.assert_array_equal(np.frombuffer(region, np.float32), np.full(4200, 0.5, np.float32))


def test_a_small_file_cannot_fill_a_disk() -> None:
    graph = Graph()
    for name in "vw":
        graph.set_constant(name, np.broadcast_to(np.float32(0.5), (1 << 14, 1 << 14, 2)))  # 2 GB
    with pytest.raises(ConversionError, match="would fill 4294967296 bytes"):
        Package.of(graph)


def rewritten(package, change) -> bytes:
    """The package with its directory changed."""
    data = package.read_bytes()
    (start,) = struct.unpack("<Q", data[-8:])
    directory = MemmappedFileSystemDirectory.FromString(data[start:-8])
    change(directory)
    return data[:start] + directory.SerializeToString() + data[-8:]


def misalign(directory) -> None:
    directory.element[0].offset += 1


def shorten(directory) -> None:
    directory.element[0].length -= 4


def rename(directory) -> None:
    directory.element[0].name = "memmapped_package://other"


def outside(directory) -> None:
    directory.element[0].length = 1 << 40


def no_graph(directory) -> None:
    directory.element[-1].name = "memmapped_package://graph"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (misalign, "misaligned"),
        (shorten, "does not fit its region"),
        (rename, "which the package lacks"),
        (outside, "outside of the file"),
        (no_graph, "holds no graph"),
    ],
)
def test_damage_is_refused(package, change, message: str) -> None:
    package.write_bytes(rewritten(package, change))
    with pytest.raises(ConversionError, match=message):
        FORMATS["memmapped"].open(package)


@pytest.mark.parametrize("shape", [(1,) * 70, (0, 1 << 62, 1 << 62)])
def test_shapes_that_no_array_has_are_refused(shape: tuple[int, ...], package: Path) -> None:
    regions = open_package(package)
    graph_def = GraphDef.FromString(bytes(regions.pop("memmapped_package://.")))
    node = next(node for node in graph_def.node if node.op == "ImmutableConst")
    write_shape(node.attr["shape"].shape, shape)
    skeleton = ("memmapped_package://.", graph_def.SerializeToString(), False)
    write_package(package, [*((name, bytes(region), True) for name, region in regions.items()), skeleton])
    with pytest.raises(ConversionError, match="does not fit its region"):
        read_memmapped(package)


def test_a_lying_region_changes_the_answer(package) -> None:
    """What the gate is for: regions swapped in the directory still load, and answer something else."""

    def swap(directory) -> None:
        directory.element[0].name, directory.element[1].name = directory.element[1].name, directory.element[0].name

    before = run_samples(FORMATS["memmapped"].open(package), {"x": X})["y"]
    package.write_bytes(rewritten(package, swap))
    assert np.abs(run_samples(FORMATS["memmapped"].open(package), {"x": X})["y"] - before).max() > 1


@pytest.mark.e2e
def test_tensorflows_own_memmapped_env_answers_bit_for_bit(package, memmapped_env) -> None:
    from tests.native.memmapped_env import run

    ran = run(memmapped_env, package, ("x", X), "y")
    expected = run_samples(Session(parse(GRAPH)), {"x": X})["y"]
    np.testing.assert_array_equal(ran.output.reshape(expected.shape), expected)
