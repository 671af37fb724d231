"""A servable among the artifacts of a target: a folder is built, kept, verified and run as files are."""

import json
from pathlib import Path

import numpy as np
import pytest

from mobile_export.published.artifact_files import artifact_hash
from mobile_export.published.manifest import load_manifest
from mobile_export.session import import_tensorflow
from tests.e2e.conftest import tree
from tests.graph_text import parse

pytestmark = pytest.mark.e2e

MODEL = """
x = Placeholder float32[?,8]
w = Const float32[8,3] ~1
logits = MatMul(x, w) transpose_a=false transpose_b=false
p = Softmax(logits)
output p = p:0
"""
TARGET = """
name = "server"
[model]
source = "model.pb"
[[model.inputs]]
name = "features"
tensor = "x:0"
[[model.outputs]]
name = "probabilities"
tensor = "p:0"
labels = "names.txt"
[[artifacts]]
name = "classifier"
format = "saved_model"
[[artifacts]]
name = "graph"
format = "graphdef"
"""


@pytest.fixture
def built(tmp_path: Path, mobile_export) -> Path:
    """The published folder, of a target in `tmp_path`."""
    (tmp_path / "model.pb").write_bytes(parse(MODEL).to_graph_def().SerializeToString())
    (tmp_path / "names.txt").write_text("cat\ndog\nowl\n")
    (tmp_path / "t.toml").write_text(TARGET)
    ran = mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    return tmp_path / "out/server"


def servable(built: Path) -> Path:
    return built / "assets/models/server/classifier.savedmodel"


def test_it_is_published_and_serves(built: Path) -> None:
    entry = load_manifest(built).artifacts[0]
    assert entry.file == "assets/models/server/classifier.savedmodel"
    files = tree(servable(built))
    assert set(files) == {"saved_model.pb", "assets/probabilities_labels.txt"}
    assert files["assets/probabilities_labels.txt"] == b"cat\ndog\nowl\n"
    assert entry.bytes == sum(map(len, files.values()))
    assert 0 < entry.zipped_bytes < entry.bytes
    assert entry.sha256 == artifact_hash(servable(built))
    assert [edge.shape for edge in (*entry.inputs, *entry.outputs)] == [(-1, 8), (-1, 3)]
    with np.load(built / "golden.npz") as golden:
        features, answers = golden["inputs/features"], golden["answers/classifier/probabilities"]
    tf = import_tensorflow()
    served = tf.saved_model.load(str(servable(built))).signatures["serving_default"](features=tf.constant(features))
    np.testing.assert_allclose(served["probabilities"], answers, rtol=1e-5)


def test_it_is_kept_and_built_again_alike(built: Path, mobile_export) -> None:
    target, before = built.parent.parent / "t.toml", tree(built)
    times = {path: path.stat().st_mtime_ns for path in built.rglob("*")}
    assert mobile_export("build", target, "--out", built.parent).code == 0
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == times
    for options in (("--artifact", "graph", "--no-cache"), ("--no-cache",)):
        ran = mobile_export("build", target, "--out", built.parent, *options)
        assert ran.code == 0, ran.err
        assert tree(built) == before


def test_other_labels_are_another_servable(built: Path, mobile_export) -> None:
    (built.parent.parent / "names.txt").write_text("cat\ndog\ncow\n")
    assert mobile_export("build", built.parent.parent / "t.toml", "--out", built.parent).code == 0
    assert tree(servable(built))["assets/probabilities_labels.txt"] == b"cat\ndog\ncow\n"


@pytest.mark.parametrize("change", ["content", "more", "fewer", "gone", "file"])
def test_verify_sees_every_change(built: Path, change: str, mobile_export) -> None:
    ran = mobile_export("verify", built)
    assert (ran.code, ran.out.count(": ok")) == (0, 2)
    labels = servable(built) / "assets/probabilities_labels.txt"
    match change:
        case "content":
            labels.write_text("dog\ncat\nowl\n")
        case "more":
            (labels.parent / "more.txt").touch()
        case "fewer":
            labels.unlink()
        case "gone" | "file":
            servable(built).rename(built / "elsewhere")
    if change == "file":
        servable(built).write_bytes(b"")
    ran = mobile_export("verify", built)
    said = "missing" if change == "gone" else "not the file that was published"
    assert (ran.code, ran.out.count(": ok")) == (1, 1)
    assert f"server/assets/models/server/classifier.savedmodel: is {said}" in ran.out


def test_run(built: Path, tmp_path: Path, mobile_export) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, features=np.ones((4, 8), np.float32))
    ran = mobile_export("run", servable(built), "--data", data, "--format", "json")
    assert ran.code == 0, ran.err
    (output,) = json.loads(ran.out)["outputs"]
    assert (output["name"], output["shape"]) == ("probabilities", [4, 3])
    for wrong, said in ((built / "none.savedmodel", "no such folder"), (built / "none.pb", "no such file")):
        ran = mobile_export("run", wrong, "--data", data)
        assert (ran.code, said in ran.err) == (2, True)
    (tmp_path / "folder.pb").mkdir()
    assert mobile_export("run", tmp_path / "folder.pb", "--data", data).code == 2
