"""The network in models of which nothing is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.inspection.discovery import Found, find_network
from mobile_export.sources import source_of
from mobile_export.target import Model
from tests.sources.training import Net, dense, mlp, save, tf, tf1, trained


def find(build: Callable[[], Net], folder: Path, **keys: Any) -> Found:
    model = Model.model_validate({"source": save(build, folder).prefix, **keys})
    return find_network(source_of(model)[1].read(model), model)


def edges(found: Found) -> list[list[tuple[str, str, tuple[int, ...] | None]]]:
    return [[(s.name, s.tensor, s.shape) for s in side.chosen] for side in (found.inputs, found.outputs)]


def image() -> Any:
    return tf1.placeholder(tf.float32, [None, 6], "image")


def test_one_choice_is_inferred_and_shows_the_layer_before_it(tmp_path: Path) -> None:
    found = find(mlp, tmp_path)
    assert (found.inputs.how, found.outputs.how) == ("inferred", "inferred")
    assert edges(found) == [[("image", "image:0", (-1, 6))], [("probabilities", "probabilities:0", (-1, 3))]]
    first, second = found.outputs.edges
    assert first.why == "Softmax behind the last layer; only training and metrics read it; named as answers are"
    assert (second.spec.name, second.spec.tensor, second.chosen) == ("logits", "logits/add:0", False)
    assert found.model is not None
    assert [o.tensor for o in found.model.outputs] == ["probabilities:0"]
    assert not found.problem
    assert not found.obstacles


def test_several_heads_are_candidates_and_all_taken(tmp_path: Path) -> None:
    def build() -> Net:
        x = image()
        hidden = tf.nn.relu(dense(x, 8, "hidden"))
        kind, box = tf.nn.softmax(dense(hidden, 3, "kind"), name="kind/out"), dense(hidden, 4, "box")
        step = tf1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(kind) + tf.reduce_mean(tf.square(box)))
        return Net([x], [kind, box], {}, {}, step)

    found = find(build, tmp_path)
    assert found.outputs.how == "candidates"
    assert [spec.tensor for spec in found.outputs.chosen] == ["kind/out:0", "box/add:0"]
    assert found.model is not None
    assert [o.name for o in found.model.outputs] == ["out", "box"]


def test_a_shallow_end_is_the_less_likely(tmp_path: Path) -> None:
    def build() -> Net:
        x = image()
        first = tf.nn.relu(dense(x, 8, "first"))
        hidden = tf.nn.relu(dense(tf.nn.relu(dense(first, 8, "second")), 8, "third"))
        probe = tf.reduce_max(first, axis=1, name="probe")
        net = trained(x, dense(hidden, 3, "logits"), {}, {})
        return Net([x], [*net.outputs, probe], net.training, net.serving, net.step)

    found = find(build, tmp_path)
    assert [(e.spec.tensor, e.chosen) for e in found.outputs.edges][:2] == [
        ("probabilities:0", True),
        ("probe:0", False),
    ]


def test_what_an_input_pipeline_brings_is_an_input(tmp_path: Path) -> None:
    def build() -> Net:
        data = tf1.data.Dataset.from_tensor_slices(np.ones((8, 6), np.float32)).batch(4).repeat()
        x = tf1.data.make_one_shot_iterator(data).get_next()
        answer = tf.nn.softmax(dense(x, 3, "logits"), name="answer")
        return Net([], [answer], {}, {}, tf1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(answer)))

    found = find(build, tmp_path)
    assert found.inputs.how == "candidates"
    assert edges(found)[0] == [("IteratorGetNext", "IteratorGetNext:0", (-1, 6))]
    assert "input pipeline" in found.inputs.edges[0].why
    assert found.model is not None


def test_a_boolean_beside_other_inputs_is_a_switch(tmp_path: Path) -> None:
    def build() -> Net:
        x, switch = image(), tf1.placeholder(tf.bool, [], "odd_name")
        hidden = tf1.cond(switch, lambda: dense(x, 8, "hidden") * 2, lambda: tf.zeros([tf.shape(x)[0], 8]) + x[:, :1])
        return trained(x, dense(hidden, 3, "logits"), {switch: True}, {switch: False})

    found = find(build, tmp_path)
    assert found.model is not None
    assert [(c.tensor, c.value) for c in found.model.constants] == [("odd_name:0", False)]
    assert [spec.name for spec in found.inputs.chosen] == ["image"]
    assert {e.why for e in found.inputs.edges if not e.chosen} == {"a switch of training, as it seems, and off"}


def test_a_string_input_is_cut_off(tmp_path: Path) -> None:
    def build() -> Net:
        text = tf1.placeholder(tf.string, [], "text")
        x = tf.reshape(tf.io.decode_raw(text, tf.float32), [-1, 6], "decoded")
        answer = tf.nn.softmax(dense(x, 3, "logits"), name="answer")
        return Net([], [answer], {text: b"\0" * 24}, {text: b"\0" * 24}, tf.no_op())

    found = find(build, tmp_path)
    assert found.inputs.how == "cut"
    assert edges(found)[0] == [("DecodeRaw", "DecodeRaw:0", (-1,))]
    assert any("'text'" in obstacle for obstacle in found.obstacles)
    assert 'tensor = "DecodeRaw:0"' in found.cut
    assert found.model is not None
    assert [(i.name, i.tensor) for i in found.model.inputs] == [("DecodeRaw", "DecodeRaw:0")]


def test_random_numbers_become_an_input(tmp_path: Path) -> None:
    def build() -> Net:
        x = image()
        mean = dense(x, 8, "mean")
        return trained(x, dense(mean + tf.random.normal(tf.shape(mean), name="noise"), 3, "logits"), {}, {})

    found = find(build, tmp_path)
    assert found.inputs.how == "cut"
    assert [spec.tensor for spec in found.inputs.chosen] == ["noise/RandomStandardNormal:0", "image:0"]


def test_a_hostile_model_has_no_network_and_shows_why(tmp_path: Path) -> None:
    written = tmp_path / "written"

    def build() -> Net:
        x = image()
        with tf.control_dependencies([tf.io.write_file(str(written), "x")]):
            return trained(x, dense(x, 3, "logits"), {}, {})

    found = find(build, tmp_path)
    written.unlink()  # by training
    model = Model.model_validate({"source": tmp_path / "model.ckpt"})
    find_network(source_of(model)[1].read(model), model)
    assert not written.exists()
    assert found.model is None
    assert "WriteFile" in found.problem
    assert [spec.tensor for spec in found.outputs.chosen] == ["probabilities:0"]


def test_without_any_output(tmp_path: Path) -> None:
    def build() -> Net:
        x = image()
        total = tf1.get_variable("total", [], initializer=tf1.zeros_initializer())
        return Net([x], [], {}, {}, tf1.assign_add(total, tf.reduce_sum(x)))

    found = find(build, tmp_path)
    assert found.model is None
    assert found.problem.startswith("no output was found")


def find_in(build: Callable[[], Any], folder: Path) -> Found:
    """In a frozen graph."""
    with tf.Graph().as_default() as graph:
        build()
    (folder / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    model = Model.model_validate({"source": folder / "net.pb"})
    return find_network(source_of(model)[1].read(model), model)


def test_a_graph_without_layers(tmp_path: Path) -> None:
    found = find_in(lambda: tf.multiply(image(), 2.0, name="twice"), tmp_path)
    assert edges(found) == [[("image", "image:0", (-1, 6))], [("twice", "twice:0", (-1, 6))]]
    assert found.model is not None


def test_thousands_of_ends_are_not_all_ranked(tmp_path: Path) -> None:
    def build() -> None:
        x, weights = image(), tf.ones([6, 2])
        for index in range(1000):
            tf.matmul(x, weights, name=f"end_{index}")

    found = find_in(build, tmp_path)
    assert found.outputs.how == "candidates"
    assert len(found.outputs.edges) == 64


def test_an_operator_that_nobody_knows_is_named(tmp_path: Path) -> None:
    def build() -> None:
        tf.matmul(tf.exp(image(), name="strange"), tf.ones([6, 2]), name="answer")

    find_in(build, tmp_path)
    graph = tf1.GraphDef.FromString((tmp_path / "net.pb").read_bytes())
    next(node for node in graph.node if node.name == "strange").op = "Mystery"
    (tmp_path / "net.pb").write_bytes(graph.SerializeToString())
    model = Model.model_validate({"source": tmp_path / "net.pb"})
    found = find_network(source_of(model)[1].read(model), model)
    assert found.model is None
    assert found.problem.startswith("Mystery (node 'strange') is never run here; where that is cut off, ")


def test_public_names_of_both_sides_differ(tmp_path: Path) -> None:
    def build() -> None:
        tf.matmul(tf1.placeholder(tf.float32, [None, 6], "x"), tf.ones([6, 2]), name="scope/x")

    found = find_in(build, tmp_path)
    assert found.model is not None
    assert [named.name for named in (*found.model.inputs, *found.model.outputs)] == ["x", "x_out"]


def test_what_the_user_names_is_kept(tmp_path: Path) -> None:
    found = find(mlp, tmp_path, outputs=({"name": "logits", "tensor": "logits/add:0"},))
    assert found.outputs.how == "user"
    assert edges(found)[1] == [("logits", "logits/add:0", (-1, 3))]
