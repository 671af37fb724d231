"""convert-memmapped: the file of the original converter, and what TensorFlow's own MemmappedEnv makes of it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mobile_export import cli
from mobile_export.classic.changes import Changes
from mobile_export.classic.convert_memmapped import ConvertMemmapped, convert_memmapped
from mobile_export.classic.flags import explain, parse
from mobile_export.classic.transform_graph import TransformGraph, transform_graph
from mobile_export.errors import ModelError, TargetError
from mobile_export.graph_files.graph_def import write_graph_def
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.package import open_package
from mobile_export.graphs.protos import GraphDef, NodeDef
from mobile_export.session import Session
from tests import graph_text

GRAPH = """
x = Placeholder float32[2,60]
a/w = Const float32[60,60] ~1
small = Const float32[60] ~3
half = Const float16[80,80] ~4
m = MatMul(x, a/w) transpose_a=false transpose_b=false
n = MatMul(m, splat) transpose_a=false transpose_b=false
splat = Const float32[60,60]
y = BiasAdd(n, small)
input x = x:0
output y = y:0
"""
X = np.random.default_rng(0).normal(size=(2, 60)).astype(np.float32)


def graph() -> Graph:
    """Constants of several types and sizes: one that repeats a value, one of words, one that waits for another."""
    made = graph_text.parse(GRAPH.replace("splat = Const float32[60,60]", "splat = Const float32[60,60] ~2"))
    made.set_constant("splat", np.broadcast_to(np.float32(0.25), (60, 60)))
    made.nodes["splat"].input.append("^x")
    made.nodes["splat"].device = "/cpu:0"
    words = made.nodes["words"] = NodeDef(name="words", op="Const")
    words.attr["dtype"].type = words.attr["value"].tensor.dtype = 7
    words.attr["value"].tensor.tensor_shape.dim.add(size=1)
    words.attr["value"].tensor.string_val.append(b"w" * 20_000)
    made.set_constant("levels", np.zeros(10_000, np.dtype([("qint8", np.int8)])))
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "graph.pb"
    with path.open("wb") as written:
        write_graph_def(written, graph())
    return path


def convert(source: Path, *flags: str) -> tuple[Changes, dict[str, memoryview]]:
    """What is printed of a conversion, and the regions of its file."""
    target = source.with_suffix(".mmpb")
    changes = convert_memmapped(parse(ConvertMemmapped, [f"--in_graph={source}", f"--out_graph={target}", *flags]))
    return changes, open_package(target)


def converted(regions: dict[str, memoryview]) -> dict[str, NodeDef]:
    """The nodes of the graph in the file."""
    return {node.name: node for node in GraphDef.FromString(bytes(regions["memmapped_package://."])).node}


def test_the_original_file(file: Path) -> None:
    changes, regions = convert(file, "--classic")
    assert list(regions) == [f"memmapped_package://{name}" for name in ("a_w", "half", "splat", ".")]
    np.testing.assert_array_equal(np.frombuffer(regions["memmapped_package://splat"], np.float32), 0.25)
    nodes, before = converted(regions), graph().nodes
    assert list(nodes) == list(before)
    for name in ("a/w", "half", "splat"):
        assert nodes[name].op == "ImmutableConst"
        assert set(nodes[name].attr) == {"dtype", "shape", "memory_region_name"}
        assert nodes[name].attr["dtype"].type == before[name].attr["dtype"].type
        assert (nodes[name].input, nodes[name].device) == (before[name].input, before[name].device)
    assert nodes["splat"].attr["memory_region_name"].s == b"memmapped_package://splat"
    assert [dim.size for dim in nodes["splat"].attr["shape"].shape.dim] == [60, 60]
    assert {nodes[name].op for name in ("small", "words", "levels")} == {"Const"}
    assert changes.operators() == {"Const": (6, 3), "ImmutableConst": (0, 3)}
    assert "1 of quantized types, 10,000 bytes, are loaded (--classic)" in changes.notes[1]


def test_quantized_constants_are_mapped(file: Path) -> None:
    changes, regions = convert(file)
    assert converted(regions)["levels"].op == "ImmutableConst"
    assert len(regions["memmapped_package://levels"]) == 10_000
    assert changes.notes == ["4 constants, 51,600 bytes, are mapped"]


@pytest.mark.parametrize(("least", "mapped"), [(240, True), (241, False)])
def test_the_smallest_size_is_in_bytes(file: Path, least: int, mapped: bool) -> None:
    _, regions = convert(file, f"--min_conversion_tensor_size={least}")
    assert ("memmapped_package://small" in regions) == mapped
    assert "elements" in explain(ConvertMemmapped)


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_that_is_none(file: Path, size: int) -> None:
    with pytest.raises(TargetError, match="is no number of bytes"):
        convert(file, f"--min_conversion_tensor_size={size}")


def test_the_old_command_line(file: Path, monkeypatch, capfd) -> None:
    target = file.with_name("mmapped_graph.pb")
    monkeypatch.setattr(
        sys,
        "argv",
        ["mobile-export", "convert_graphdef_memmapped_format", f"-in_graph={file}", f"-out_graph={target}"],
    )
    with pytest.raises(SystemExit) as ended:
        cli.app()
    assert not ended.value.code
    captured = capfd.readouterr()
    assert "ImmutableConst" in captured.out
    assert captured.err == "note: 4 constants, 51,600 bytes, are mapped\n"
    assert open_package(target)


def test_text_is_read(file: Path) -> None:
    from google.protobuf import text_format

    text = file.with_suffix(".pbtxt")
    text.write_text(text_format.MessageToString(GraphDef.FromString(file.read_bytes())))
    assert convert(text)[1].keys() == convert(file)[1].keys()


def test_a_file_that_is_no_graph_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.pb").write_bytes(b"\x0a\xff")
    with pytest.raises(ModelError):
        convert(tmp_path / "bad.pb")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pb"]


def test_a_package_is_no_graph(file: Path) -> None:
    convert(file)
    with pytest.raises(ModelError):
        convert(file.with_suffix(".mmpb"), f"--out_graph={file.with_name('twice.mmpb')}")


@pytest.mark.e2e
@pytest.mark.parametrize("classic", [False, True])
def test_tensorflows_own_memmapped_env_maps_quantized_weights(file: Path, classic: bool, memmapped_env) -> None:
    from tests.native.memmapped_env import run

    quantized = file.with_name("quantized.pb")
    flags = {"in_graph": str(file), "out_graph": str(quantized), "inputs": "x", "outputs": "y"}
    transform_graph(TransformGraph(**flags, transforms="quantize_weights"))
    _, regions = convert(quantized, "--min_conversion_tensor_size=3600", f"--classic={classic}")
    assert ("memmapped_package://a_w_quantized_const" in regions) != classic
    ran = run(memmapped_env, quantized.with_suffix(".mmpb"), ("x", X), "y")
    plain = run(memmapped_env, quantized, ("x", X), "y")
    np.testing.assert_array_equal(ran.output, plain.output)
    with Session(graph()) as session:
        (exact,) = session.evaluate(["y:0"], {"x:0": X})
    assert 0 < np.abs(ran.output - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.e2e
def test_a_mapped_graph_takes_a_tenth_of_the_anonymous_memory(tmp_path: Path, memmapped_env) -> None:
    from tests.native.memmapped_env import run

    made = graph_text.parse(GRAPH.replace("splat = Const float32[60,60]", "splat = Const float32[60,60] ~2"))
    made.set_constant("large", np.random.default_rng(1).normal(size=(60, 400_000)).astype(np.float32))  # 96 MB
    made.nodes["wide"] = NodeDef(name="wide", op="MatMul", input=["m", "large"])
    made.nodes["wide"].attr["T"].type = 1
    path = tmp_path / "large.pb"
    with path.open("wb") as written:
        write_graph_def(written, made)
    convert(path)
    mapped, plain = (run(memmapped_env, file, ("x", X), "wide") for file in (path.with_suffix(".mmpb"), path))
    np.testing.assert_array_equal(mapped.output, plain.output)
    assert mapped.load_bytes < plain.load_bytes / 10
