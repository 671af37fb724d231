"""Files for a TensorFlow that the target names: refused where it lacks a kernel, and with a header for its build."""

from pathlib import Path

import pytest

from mobile_export.graphs.protos import GraphDef
from mobile_export.kernels.header import read_header
from mobile_export.published.manifest import load_manifest
from tests.e2e.conftest import tree
from tests.graph_text import parse

pytestmark = pytest.mark.e2e

MOBILE = "tensorflow-android-1.13.1"
MODEL = """
x = Placeholder float32[?,8]
w = Const float32[8,400] ~1
s = Const int32[]: 1
h = MatMul(x, w) transpose_a=false transpose_b=false
e = {op}(h) T=float32
p = Softmax(e)
output p = p:0
"""


@pytest.fixture
def build(tmp_path: Path, mobile_export):
    """Builds the model with this activation as artifacts (format, other lines) to `out`."""

    def run(op: str, *artifacts: tuple[str, str]):
        (tmp_path / "model.pb").write_bytes(parse(MODEL.format(op=op)).to_graph_def().SerializeToString())
        lines = ['name = "t"\n[model]\nsource = "model.pb"']
        lines += ['[[model.inputs]]\nname = "features"\ntensor = "x:0"']
        lines += ['[[model.outputs]]\nname = "probabilities"\ntensor = "p:0"']
        lines += [f'[[artifacts]]\nname = "{kind}"\nformat = "{kind}"\n{more}' for kind, more in artifacts]
        (tmp_path / "t.toml").write_text("\n".join(lines))
        return mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out")

    return run


def test_a_runtime_with_all_kernels(build, tmp_path, mobile_export) -> None:
    ran = build("Relu", ("graphdef", f'kernels = "{MOBILE}"'), ("memmapped", f'kernels = "{MOBILE}"'), ("tflite", ""))
    assert ran.code == 0, ran.err
    folder = tmp_path / "out/t"
    entries = {entry.name: entry for entry in load_manifest(folder).artifacts}
    assert [(c.name, c.value, c.passed) for c in entries["graphdef"].checks if c.check == "kernels"] == [
        ("kernels", 0, True)
    ]
    assert entries["memmapped"].kernels["ImmutableConst"] == ("ImmutableConstantOp",)
    assert entries["memmapped"].kernels["MatMul"] == ("MatMulOp<CPUDevice,float,false>",)
    assert entries["tflite"].kernels == {}
    graph_def = GraphDef.FromString((folder / entries["graphdef"].file).read_bytes())
    assert all(not set(node.attr) & {"grad_a", "grad_b"} for node in graph_def.node)
    registered = read_header((folder / "ops_to_register.h").read_text())
    assert {"MatMul", "Relu", "Softmax", "Identity", "Const", "ImmutableConst", "NoOp"} <= registered.ops
    assert "MatMulOp<CPUDevice,float,false>" in registered.kernels
    before = tree(folder)
    assert mobile_export("verify", folder).code == 0

    ran = build("Relu", ("graphdef", f'kernels = "{MOBILE}"'), ("memmapped", f'kernels = "{MOBILE}"'), ("tflite", ""))
    assert "t: current" in ran.out
    ran = mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out", "--artifact", "graphdef", "--no-cache")
    assert ran.code == 0, ran.err
    assert tree(folder) == before


def test_a_kernel_that_is_lacking_fails_the_build(build, tmp_path) -> None:
    (tmp_path / "phone.txt").write_text("Placeholder\nConst\nMatMul<T=float16>\nSoftmax\nIdentity\n")
    ran = build("Relu", ("graphdef", 'kernels = "phone.txt"'))
    said = " ".join(ran.out.split())
    assert ran.code == 1
    assert "MatMul<T=float32> (node 'h'): its kernels are for T=float16" in said
    assert "there is no kernel for Relu" in said
    assert not (tmp_path / "out/t").exists()


def test_a_changed_list_is_looked_at_again(build, tmp_path) -> None:
    phone = tmp_path / "phone.txt"
    phone.write_text("Placeholder\nConst\nMatMul\nSoftmax\nIdentity\nRelu\n")
    assert build("Relu", ("graphdef", 'kernels = "phone.txt"')).code == 0
    phone.write_text("Placeholder\nConst\nMatMul\nSoftmax\nIdentity\n")
    assert build("Relu", ("graphdef", 'kernels = "phone.txt"')).code == 1
    assert (tmp_path / "out/t/ops_to_register.h").exists()  # what was published stays


def test_the_published_header_is_a_list_for_the_next_build(build, tmp_path) -> None:
    assert build("Relu", ("graphdef", ""), ("memmapped", "")).code == 0
    (tmp_path / "ours.h").write_bytes((tmp_path / "out/t/ops_to_register.h").read_bytes())
    assert build("Relu", ("graphdef", 'kernels = "ours.h"')).code == 0
    ran = build("Elu", ("graphdef", 'kernels = "ours.h"'))
    assert (ran.code, "the operator Elu is not registered" in " ".join(ran.out.split())) == (1, True)


def test_a_header_that_was_changed_or_lost(build, tmp_path, mobile_export) -> None:
    assert build("Relu", ("graphdef", "")).code == 0
    header = tmp_path / "out/t/ops_to_register.h"
    published = header.read_bytes()
    for damage in (lambda: header.write_bytes(published + b"\n"), header.unlink):
        damage()
        ran = mobile_export("verify", tmp_path / "out")
        assert (ran.code, "ops_to_register.h: is not the file that was published" in ran.err) == (3, True)
        assert "t: published" in build("Relu", ("graphdef", "")).out
        assert header.read_bytes() == published


def test_targets_without_such_files_have_no_header(build, tmp_path) -> None:
    assert build("Relu", ("tflite", "")).code == 0
    assert not (tmp_path / "out/t/ops_to_register.h").exists()


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("tflite", MOBILE, "artifacts[0].kernels: TensorFlow's kernels do not run tflite; leave it out"),
        ("graphdef", "tensorflow-android", "artifacts[0].kernels: "),
        ("graphdef", "t.toml", "t.toml: line 1: "),
    ],
)
def test_wrong_values(kind: str, value: str, said: str, build) -> None:
    ran = build("Relu", (kind, f'kernels = "{value}"'))
    assert (ran.code, said in ran.err) == (2, True), ran.err
