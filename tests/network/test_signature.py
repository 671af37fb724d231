"""Inputs and outputs as the graph shows them, and what an error says where it does not."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.protos import NodeDef
from mobile_export.network import signature
from mobile_export.target import Choices, load_target
from tests.sources.training import Net, assert_serves, dense, graph_of, load, save, tf, tf1, trained, variable


def image() -> Any:
    return tf1.placeholder(tf.float32, [None, 6], "image")


# Names


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


def test_what_a_pipeline_brings_is_called_as_its_identities_call_it() -> None:
    def build() -> None:
        x, y = tf1.train.batch([tf.zeros([6]), tf.zeros([], tf.int64)], 4)
        tf.nn.softmax(dense(tf.identity(tf.identity(x, "image_batch"), "input"), 3, "dense"), name="scores")
        tf.identity(y, "labels")

    graph = graph_of(build)
    graph.outputs = (signature.declared(graph, "scores", "scores:0"),)
    assert [(found.tensor, found.likely) for found in signature.rank_inputs(graph)] == [("input:0", True)]


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
