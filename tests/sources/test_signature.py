"""Inputs and outputs as the graph shows them, and what an error says where it does not."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mobile_export.errors import ModelError
from mobile_export.graph import Graph
from mobile_export.protos import NodeDef
from mobile_export.sources import signature
from mobile_export.target import Choices, load_target
from tests.sources.training import Net, assert_serves, dense, load, mlp, save, tf, tf1, trained, variable


def graph_of(build: Callable[[], Any]) -> Graph:
    with tf.Graph().as_default() as graph:
        build()
    return Graph.from_graph_def(graph.as_graph_def())


# What is an answer


def image() -> Any:
    return tf1.placeholder(tf.float32, [None, 6], "image")


def regression() -> None:
    x, y = image(), tf1.placeholder(tf.float32, [None, 1], "target")
    value = tf.identity(dense(x, 1, "value"), "answer")
    loss = tf.reduce_mean(tf.square(value - y)) + 0.1 * tf.nn.l2_loss(variable("value/unused", 3))
    tf1.train.MomentumOptimizer(0.1, 0.9).minimize(loss)


def logits_alone() -> None:
    x = image()
    trained(x, tf.identity(dense(x, 3, "dense"), "logits"), {}, {})  # with probabilities behind them


def classes() -> None:
    x = image()
    tf.argmax(tf.nn.softmax(dense(x, 3, "dense")), 1, name="classes")


def gated() -> None:
    x = image()
    kept = tf1.placeholder_with_default(1.0, [], "keep")
    tf.nn.softmax(dense(tf.nn.dropout(x, rate=1 - kept), 3, "dense"), name="probabilities")


def flattened() -> None:
    x = image()
    answer = tf.nn.sigmoid(dense(x, 1, "dense"), name="answer")
    y = tf1.placeholder(tf.float32, [None], "target")
    tf1.losses.absolute_difference(y, tf.reshape(answer, [-1]))


def in_a_function() -> None:
    x = image()
    weights = variable("weights", 6, 3)
    tf.identity(tf.function(lambda value: tf.matmul(value, weights))(x), "answer")


def autoencoder() -> None:
    x = image()
    decoded = tf.nn.sigmoid(dense(tf.nn.relu(dense(x, 2, "encoder")), 6, "decoder"))
    loss = tf.reduce_mean(tf.square(x - decoded)) + 0.1 * tf.nn.l2_loss(tf1.trainable_variables()[0])
    tf1.train.AdamOptimizer().minimize(loss)


def cross_entropy() -> None:
    x = image()
    logits = dense(tf.nn.relu(dense(x, 2, "encoder")), 6, "decoder")
    tf.nn.sigmoid(logits, name="decoded")
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
    tf1.train.AdamOptimizer().minimize(tf.reduce_mean(tf.reduce_sum(losses, 1)))


def denoiser() -> None:
    x, y = image(), tf1.placeholder(tf.float32, [None, 6], "clean")
    tf1.train.AdamOptimizer().minimize(tf.reduce_sum(tf.abs(tf.subtract(x, dense(x, 6, "noise"), "denoised") - y)))


def two_inputs() -> None:
    x, y = image(), tf1.placeholder(tf.int32, [None], "word")
    h = tf.concat([x, tf.nn.embedding_lookup(variable("table", 5, 2), y)], 1)
    trained(x, dense(h, 3, "dense"), {}, {})


def heads() -> None:
    x = image()
    hidden = tf.nn.relu(dense(x, 8, "hidden"))
    tf.nn.softmax(dense(hidden, 3, "kind"), name="kind/out")
    tf.cast(tf.argmax(dense(hidden, 4, "color"), 1), tf.int32, name="color/out")


@pytest.mark.parametrize(
    ("build", "outputs", "inputs"),
    [
        (mlp, ["probabilities:0"], ["image:0"]),
        (regression, ["answer:0"], ["image:0"]),
        (logits_alone, ["probabilities:0"], ["image:0"]),
        (classes, ["classes:0"], ["image:0"]),
        (gated, ["probabilities:0"], ["image:0"]),
        (flattened, ["answer:0"], ["image:0"]),
        (in_a_function, ["answer:0"], ["image:0"]),
        (autoencoder, ["Sigmoid:0"], ["image:0"]),
        (cross_entropy, ["decoded:0"], ["image:0"]),
        (denoiser, ["denoised:0"], ["image:0"]),
        (two_inputs, ["probabilities:0"], ["image:0", "word:0"]),
        (heads, ["kind/out:0", "color/out:0"], ["image:0"]),
    ],
)
def test_find(build: Callable[[], Any], outputs: Sequence[str], inputs: Sequence[str]) -> None:
    graph = graph_of(build)
    found = signature.find_outputs(graph)
    assert found == outputs
    graph.outputs = tuple(signature.declared(graph, "y", tensor) for tensor in found)
    assert signature.find_inputs(graph) == inputs


@pytest.mark.parametrize(
    ("tensors", "names"),
    [
        (["a/b/scores:0"], ["scores"]),
        (["tower/Softmax:0"], ["tower"]),
        (["tower/Softmax_1:0", "tower/other:0"], ["tower", "other"]),
        (["Softmax:0"], ["Softmax"]),
        (["a/out:0", "b/out:0"], ["out", "out_1"]),
        (["1st-place:0"], ["_1st_place"]),
    ],
)
def test_public_names(tensors: Sequence[str], names: Sequence[str]) -> None:
    graph = Graph()
    graph.nodes = {name: NodeDef(name=name, op="Softmax") for name in (tensor.partition(":")[0] for tensor in tensors)}
    assert signature.public_names(graph, tensors) == names


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *[
            (name, True)
            for name in "is_training istraining training train phase phase_train keras_learning_phase_1".split()
        ],
        *[(name, True) for name in "model/is_training Placeholder/training_mode tower_train is_train_2".split()],
        *[(name, False) for name in "constrain trained strain is_training/x retrain training_images".split()],
    ],
)
def test_training_switches(name: str, is_one: bool) -> None:
    graph = graph_of(lambda: (tf1.placeholder(tf.bool, [], name), tf1.placeholder(tf.float32, [], "is_train")))
    assert signature.training_switches(graph) == [name] * is_one


# Where it is not clear


def two_heads() -> Net:
    x = image()
    hidden = tf.nn.relu(dense(x, 8, "hidden"))
    kind = tf.nn.softmax(dense(hidden, 3, "kind"), name="kind/out")
    color = tf.argmax(dense(hidden, 4, "color"), 1, output_type=tf.int32, name="color/out")
    step = tf1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(kind))
    return Net([x], [kind, color], {}, {}, step)


LISTED = """\
the model has 2 candidates for its outputs:
  kind/out:0  float32[?,3]
  color/out:0  int32[?]
keep those that the app needs of these lines in the target:
[[model.outputs]]
name = "out"
tensor = "kind/out:0"
[[model.outputs]]
name = "out_1"
tensor = "color/out:0\""""


def test_several_candidates_are_listed_with_lines_that_work_when_pasted(tmp_path: Path) -> None:
    saved = save(two_heads, tmp_path)
    with pytest.raises(ModelError) as caught:
        load(saved.prefix)
    assert str(caught.value) == LISTED
    pasted = LISTED[LISTED.index("[[") :]
    target = tmp_path / "target.toml"
    target.write_text(
        f'name = "t"\nplatform = "any"\n[model]\nsource = "model.ckpt"\n{pasted}\n'
        '[[artifacts]]\nname = "a"\nformat = "graphdef"\nprecision = "float32"\n'
    )
    model = load_target(target, Choices()).model
    assert_serves(saved, load(model.source, outputs=model.outputs))
    assert tomllib.loads(pasted)["model"]["outputs"][1]["name"] == "out_1"


def test_candidates_that_cannot_be_imported_are_listed_as_their_nodes_declare_them(tmp_path: Path) -> None:
    def build() -> Net:
        net = two_heads()
        tf1.py_func(lambda v: v, [net.outputs[0]], tf.float32, name="strange")
        return net

    with pytest.raises(ModelError, match=r"strange:0  float32\[\.\.\.\]\n") as caught:
        load(save(build, tmp_path).prefix)
    assert "  color/out:0  int32[?]\n" in str(caught.value)


def test_no_candidate(tmp_path: Path) -> None:
    def build() -> Net:
        x = image()
        step = tf1.assign_add(variable("w", initializer=tf1.zeros_initializer()), tf.reduce_sum(x))
        return Net([x], [step], {}, {}, step)

    with pytest.raises(ModelError, match=r"no output was found.*:\n\[\[model\.outputs\]\]"):
        load(save(build, tmp_path).prefix)


def test_no_input(tmp_path: Path) -> None:
    def build() -> Net:
        x = tf1.placeholder_with_default(tf.ones([5, 6]), [None, 6], "image")
        return trained(x, dense(x, 3, "logits"), {}, {})

    saved = save(build, tmp_path)
    with pytest.raises(ModelError, match=r"no input was found"):
        load(saved.prefix)
    assert_serves(saved, load(saved.prefix, inputs=({"name": "image", "tensor": "image:0"},)))
