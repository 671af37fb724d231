"""Every command of docs/classic.md, run as it stands there, one after another, on models like those it names."""

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import GraphDef
from mobile_export.session import Session, import_tensorflow

pytestmark = pytest.mark.e2e

DOCS = Path(__file__).parent.parent.parent / "docs" / "classic.md"
COMMANDS = [line.strip() for line in DOCS.read_text().splitlines() if line.startswith("    mobile-export ")]
OUTPUT_FLAGS = ("header", "out_graph", "output", "output_graph", "output_saved_model_dir")
X = np.random.default_rng(0).normal(size=(256, 64)).astype(np.float32)

tf = import_tensorflow()
tf1 = tf.compat.v1


def network(x, output: str):
    """A hidden layer with batch normalization as TF1 computes it, checked, and one of classes."""
    rng = np.random.default_rng(1)
    w = tf.Variable(rng.normal(size=(64, 200)).astype(np.float32) * 0.1, name="hidden/w")
    hidden = tf.nn.batch_normalization(
        x @ w,
        tf.Variable(rng.normal(size=200).astype(np.float32), name="hidden/mean"),
        tf.Variable(rng.random(200).astype(np.float32) + 0.5, name="hidden/variance"),
        tf.Variable(rng.normal(size=200).astype(np.float32), name="hidden/beta"),
        tf.Variable(rng.random(200).astype(np.float32) + 0.5, name="hidden/gamma"),
        1e-3,
    )
    hidden = tf1.check_numerics(tf.nn.relu(tf.identity(hidden)), "not a number")
    logits = hidden @ tf.Variable(rng.normal(size=(200, 10)).astype(np.float32) * 0.1, name="w")
    return tf.nn.softmax(logits, name=output)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The files that the commands read: CTNModel.pb; model.pbtxt and model.ckpt; exported, a SavedModel."""
    folder = tmp_path_factory.mktemp("classic")
    with tf.Graph().as_default() as graph, tf1.variable_scope("", use_resource=False), tf1.Session() as session:
        answer = network(tf1.placeholder(tf.float32, [None, 64], "inputs/X"), "output/predict")
        session.run(tf1.global_variables_initializer())
        np.save(folder / "answers.npy", session.run(answer, {"inputs/X:0": X}))
        frozen = tf1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["output/predict"])
        (folder / "CTNModel.pb").write_bytes(frozen.SerializeToString())
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        network(tf1.placeholder(tf.float32, [None, 64], "x"), "output")
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(folder / "model.ckpt"))
        tf1.train.write_graph(graph, str(folder), "model.pbtxt")
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        x = tf1.placeholder(tf.float32, [None, 64], "Placeholder")
        chosen = tf.argmax(network(x, "head/predictions/probabilities"), -1, name="head/predictions/class_ids")
        session.run(tf1.global_variables_initializer())
        tf1.saved_model.simple_save(session, str(folder / "exported"), {"image": x}, {"class_ids": chosen})
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.split()[1] + "-" + str(COMMANDS.index(c)))
def test_command(folder: Path, command: str) -> None:
    words = shlex.split(command)[1:]
    done = subprocess.run([sys.executable, "-m", "mobile_export", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = dict(word.lstrip("-").split("=", 1) for word in words[1:] if "=" in word)
    assert any((folder / written[flag]).exists() for flag in OUTPUT_FLAGS if flag in written)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("optimized_graph.pb", 1e-5), ("rounded_graph.pb", 0.05), ("quantized_graph.pb", 0.05)],
)
def test_what_the_commands_left_answers_as_the_model_does(folder: Path, name: str, tolerance: float) -> None:
    """After the commands above."""
    graph = Graph.from_graph_def(GraphDef.FromString((folder / name).read_bytes()))
    with Session(graph) as session:
        (found,) = session.evaluate(["output/predict:0"], {"inputs/X": X})
    np.testing.assert_allclose(found, np.load(folder / "answers.npy"), atol=tolerance)


@pytest.mark.parametrize("name", ["optimized", "quantized"])
def test_the_servable_answers_as_the_model_does(folder: Path, name: str) -> None:
    """After the commands above."""
    expected, found = (
        tf.saved_model.load(str(folder / each)).signatures["serving_default"](image=tf.constant(X))["class_ids"].numpy()
        for each in ("exported", name)
    )
    assert np.mean(expected == found) > (0.99 if name == "optimized" else 0.9)


def test_the_shape_that_is_found_in_the_wild(folder: Path) -> None:
    """The original refuses it without a word of what was meant."""
    words = [
        "transform_graph",
        "--in_graph=CTNModel.pb",
        "--out_graph=x.pb",
        "--inputs=inputs/X",
        "--outputs=output/predict",
    ]
    words.append('--transforms=strip_unused_nodes(type=float, shape="256*64")')
    done = subprocess.run([sys.executable, "-m", "mobile_export", *words], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "was 256,64 meant?" in done.stderr
