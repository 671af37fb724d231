"""A model with an operator that TensorFlow Lite lacks: refused, or shipped where the target allows it, and marked."""

import json
from pathlib import Path

import numpy as np
import pytest

from mobile_export.published.manifest import load_manifest
from mobile_export.session import import_tensorflow
from tests.e2e.conftest import tree

pytestmark = pytest.mark.e2e

REASON = "not run: no interpreter here has the Flex delegate"
ALLOW, UNCHECKED = "allow_select_tf_ops = true\n", "allow_unchecked = true\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A checkpoint with the scores of two heads, `plain` and `inverse`; the latter inverts matrices."""
    prefix = tmp_path_factory.mktemp("model") / "model.ckpt"
    tf = import_tensorflow()
    tf1, rng = tf.compat.v1, np.random.default_rng(0)
    with tf.Graph().as_default():
        x = tf1.placeholder(tf.float32, [1, 16], "input")
        w = tf1.get_variable("w", initializer=rng.normal(size=(16, 1024)).astype(np.float32))
        h = tf.nn.tanh(tf.matmul(x, w), name="plain")
        tf.reshape(tf.linalg.inv(tf.reshape(h, [-1, 2, 2])), [1, 1024], name="inverse")
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            tf1.train.Saver().save(session, str(prefix))
    return prefix


@pytest.fixture
def build(model, tmp_path, mobile_export):
    """Builds a target `t` with these artifacts (name, precision, other lines) to `out`."""

    def run(*artifacts: tuple[str, str, str], output: str = "inverse", kind: str = "tflite", data: str = ""):
        lines = [f'name = "t"\n[model]\nsource = "{model.as_posix()}"\n{data}']
        lines += ['[[model.inputs]]\nname = "x"\ntensor = "input:0"']
        lines += [f'[[model.outputs]]\nname = "y"\ntensor = "{output}:0"']
        for name, precision, more in artifacts:
            lines += [f'[[artifacts]]\nname = "{name}"\nformat = "{kind}"\nprecision = "{precision}"\n{more}']
        (tmp_path / "t.toml").write_text("\n".join(lines))
        return mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out")

    return run


def test_without_leave_it_is_refused_and_the_key_is_named(build, tmp_path) -> None:
    ran = build(("a", "float32", ""))
    assert ran.code == 4
    assert "TensorFlow Lite has no operator for MatrixInverse (node" in ran.err
    assert "allow_select_tf_ops = true" in ran.err
    assert not (tmp_path / "out/t").exists()


def test_with_leave_it_fails_its_check_as_long_as_that_is_all(build, tmp_path) -> None:
    ran = build(("a", "float32", ALLOW))
    assert ran.code == 1, ran.err
    assert "failed" in ran.out
    assert REASON in " ".join(ran.out.split())
    assert "allow_unchecked = true" in " ".join(ran.out.split())
    assert not (tmp_path / "out/t").exists()


def test_unchecked_files_are_published_and_marked(build, tmp_path, mobile_export) -> None:
    files = [(p, p, ALLOW + UNCHECKED + "limits = { size = 100_000 }\n") for p in ("float32", "float16", "dynamic")]
    ran = build(*files)
    assert ran.code == 0, ran.err
    assert ran.out.count("not run") == 3
    assert "ok" not in ran.out.split()
    assert f"warning: t: float32 is unchecked: {REASON}" in ran.err
    manifest = load_manifest(tmp_path / "out/t")
    assert manifest.gate == "closed"
    for entry in manifest.artifacts:
        assert entry.unchecked == REASON
        assert {check.check for check in entry.checks} == {"size"}
        assert [(e.name, e.dtype, e.shape) for e in entry.inputs] == [("x", "float32", (1, 16))]
        assert [(e.name, e.dtype, e.shape) for e in entry.outputs] == [("y", "float32", (1, 1024))]
    sizes = {entry.precision: entry.bytes for entry in manifest.artifacts}
    assert sizes["float16"] < 0.7 * sizes["float32"]
    assert sizes["dynamic"] < 0.5 * sizes["float32"]
    before = tree(tmp_path / "out")

    ran = mobile_export("verify", tmp_path / "out", "--format", "json")
    assert ran.code == 0
    assert [(f["problem"], f["unchecked"]) for f in json.loads(ran.out)] == [(None, REASON)] * 3
    assert (
        mobile_export("verify", tmp_path / "out").out.splitlines()[0] == f"t/assets/models/t/float32.tflite: {REASON}"
    )

    ran = build(*files)
    assert (ran.code, "t: current" in ran.out) == (0, True)
    assert "is unchecked" in ran.err
    assert tree(tmp_path / "out") == before

    file = tmp_path / "out/t/assets/models/t/float32.tflite"
    np.savez(tmp_path / "x.npz", x=np.ones((2, 16), np.float32))
    ran = mobile_export("run", file, "--data", tmp_path / "x.npz")
    assert (ran.code, f"float32.tflite: {REASON}" in ran.err) == (4, True)

    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    ran = mobile_export("verify", tmp_path / "out")
    assert (ran.code, "float32.tflite: is not the file that was published" in ran.out) == (1, True)


def test_limits_hold_for_what_is_not_run(build) -> None:
    ran = build(("a", "float32", ALLOW + UNCHECKED + "limits = { size = 10_000 }\n"))
    assert (ran.code, "10.0 kB" in ran.out) == (1, True)
    ran = build(("a", "float32", ALLOW + UNCHECKED + "limits = { sqnr = 20 }\n"))
    assert (ran.code, "nothing to measure it with" in " ".join(ran.out.split())) == (1, True)


def test_what_needs_none_is_checked_as_ever(build, tmp_path) -> None:
    ran = build(("a", "float32", ALLOW + UNCHECKED), output="plain")
    assert ran.code == 0, ran.err
    (entry,) = load_manifest(tmp_path / "out/t").artifacts
    assert entry.unchecked is None
    assert {check.check for check in entry.checks} == {"parity", "accuracy", "size"} - {"accuracy"}
    assert "unchecked" not in (tmp_path / "out/t/manifest.json").read_text()


def test_int8_is_refused(build, tmp_path) -> None:
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32))
    data = '[data]\ncalibration = { source = "x.npz" }'
    ran = build(("a", "float32", ALLOW + UNCHECKED), ("b", "int8", ALLOW + UNCHECKED), data=data)
    assert ran.code == 4
    assert "artifact 'b': int8 needs value ranges" in ran.err
    assert "(MatrixInverse)" in ran.err


def test_other_formats_have_none(build) -> None:
    ran = build(("a", "float32", ALLOW), kind="onnx")
    assert ran.code == 2
    assert "artifacts[0].allow_select_tf_ops: only tflite has Select TF ops, not onnx; leave it out" in ran.err
