"""The command, on graphs and on what builds make of them."""

import json
from pathlib import Path

import pytest

from mobile_export.formats.format import Request
from mobile_export.formats.memmapped import Memmapped
from mobile_export.graphs.protos import GraphDef, NodeDef
from mobile_export.kernels.attributes import without_newer_defaults
from mobile_export.kernels.files import needed_by
from mobile_export.kernels.header import read_header
from mobile_export.kernels.runtimes import runtime_named
from tests.e2e.conftest import mobile_export  # noqa: F401
from tests.formats.tf_graphs import make_graph, weights
from tests.kernels.graphs import conv_net, half_precision

MOBILE = "tensorflow-android-1.13.1"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    (tmp_path / "graph.pb").write_bytes(half_precision().SerializeToString())
    return tmp_path / "graph.pb"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    def build(tf):
        x = tf.placeholder(tf.float32, [1, 64], name="x")
        return [x], [tf.nn.relu(tf.matmul(x, weights(0, 64, 64)))]

    path = tmp_path / "model.mmpb"
    graph = without_newer_defaults(make_graph(build, ["x"], ["y"]), runtime_named(MOBILE))
    Memmapped().write(graph, [Request("model", path)], None)
    return path


def test_a_package_needs_mapped_constants(package: Path) -> None:
    found = {str(need): need.kernel for need in needed_by(package)}
    assert found["ImmutableConst<dtype=float32>"] == "ImmutableConstantOp"
    assert "MatMul<T=float32>" in found


def test_the_table(graph: Path, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("kernels", graph)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == f"{graph}: 5 kernels"
    assert [line.split() for line in ran.out.splitlines()][1] == (
        ["AddV2<T=float16>", "BinaryOp<CPUDevice,", "functor::add<Eigen::half>>", "add"]
    )


def test_json(graph: Path, package: Path, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("kernels", graph, package, "--against", MOBILE, "--format", "json")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert said["runtime"] == MOBILE
    first, second = said["files"]
    assert (first["file"], first["lacking"], second["lacking"]) == (graph.as_posix(), [], [])
    assert {
        "op": "Sin",
        "types": {"T": ["float16"]},
        "kernel": "UnaryOp<CPUDevice,functor::sin<Eigen::half>>",
        "node": "y",
    } in first["kernels"]


def test_a_header_for_all_files(graph: Path, package: Path, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("kernels", graph, package, "--header", tmp_path / "ops_to_register.h")
    assert ran.code == 0, ran.err
    registered = read_header((tmp_path / "ops_to_register.h").read_text())
    assert {"Sin", "Cast", "MatMul", "ImmutableConst", "NoOp"} <= registered.ops
    assert any(kernel.startswith("BatchMatMulOp<") for kernel in registered.kernels)
    ran = mobile_export("kernels", graph, "--against", tmp_path / "ops_to_register.h")
    assert ran.code == 0, ran.err


def test_a_header_has_the_names_of_the_runtime_it_is_for(package: Path, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    ran = mobile_export("kernels", package, "--against", MOBILE, "--header", tmp_path / "h.h")
    assert ran.code == 0, ran.err
    assert "MatMulOp<CPUDevice,float,false>" in read_header((tmp_path / "h.h").read_text()).kernels


def test_what_is_lacking_ends_with_1_and_writes_nothing(tmp_path: Path, mobile_export) -> None:  # noqa: F811
    (tmp_path / "graph.pb").write_bytes(conv_net().SerializeToString())
    ran = mobile_export("kernels", tmp_path / "graph.pb", "--against", MOBILE, "--header", tmp_path / "h.h")
    assert ran.code == 1
    assert f"lacking in {MOBILE}:" in ran.out
    assert "FusedBatchNormV3<T=float32, U=float32> (node 'norm'): there is no kernel for FusedBatchNormV3" in ran.out
    assert f"error: {MOBILE} lacks 2 of what {tmp_path / 'graph.pb'} needs" in ran.err
    assert not (tmp_path / "h.h").exists()


def test_a_list_without_classes_makes_no_header(graph: Path, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    (tmp_path / "list.txt").write_text("\n".join(need.op for need in needed_by(graph)))
    ran = mobile_export("kernels", graph, "--against", tmp_path / "list.txt", "--header", tmp_path / "h.h")
    assert (ran.code, "does not name the classes of its kernels" in ran.err) == (2, True)


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"hello", b"\xff" * 4096])
def test_files_that_hold_no_graph(content: bytes, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    (tmp_path / "file").write_bytes(content)
    ran = mobile_export("kernels", tmp_path / "file")
    assert (ran.code, str(tmp_path / "file") in ran.err, "bug" in ran.err) == (3, True, False), ran.err


@pytest.mark.parametrize("kept", [1, 9, 200, -1, -9, -40])
def test_a_package_that_is_cut(kept: int, package: Path, mobile_export) -> None:  # noqa: F811
    package.write_bytes(package.read_bytes()[:kept])
    ran = mobile_export("kernels", package)
    assert (ran.code, "bug" in ran.err) == (3, False), ran.err


def test_files_that_cannot_be_written_or_read(graph: Path, tmp_path: Path, mobile_export) -> None:  # noqa: F811
    assert mobile_export("kernels", graph, "--header", tmp_path / "no/h.h").code == 6
    assert mobile_export("kernels", tmp_path / "nothing.pb").code == 3
    ran = mobile_export("kernels", graph, "--against", "tensorflow-android")
    assert (ran.code, "name a file, or one of tensorflow-android-" in ran.err) == (2, True)


def test_the_graph_is_not_run(tmp_path: Path) -> None:
    """Operators that are never run here may be asked about."""
    nodes = [NodeDef(name="name", op="Placeholder"), NodeDef(name="n", op="ReadFile", input=["name"])]
    (tmp_path / "g.pb").write_bytes(GraphDef(node=nodes).SerializeToString())
    assert [need.op for need in needed_by(tmp_path / "g.pb")] == ["Placeholder", "ReadFile"]
