"""Graphs without a MetaGraph: frozen, or with a checkpoint beside them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.protos import GraphDef, MetaGraphDef
from mobile_export.session import Session
from mobile_export.sources import source_of
from mobile_export.target import Model
from tests.sources.training import Net, Saved, assert_serves, dense, edit, load, mlp, save, tf, tf1, trained, variable


def graph_def(saved: Saved) -> GraphDef:
    return MetaGraphDef.FromString(Path(f"{saved.prefix}.meta").read_bytes()).graph_def


def v1() -> Any:
    return tf1.train.Saver(write_version=tf1.train.SaverDef.V1)


def sharded_v1() -> Any:
    return tf1.train.Saver(sharded=True, write_version=tf1.train.SaverDef.V1)


def partitioned(resource: bool) -> Net:
    with tf1.variable_scope("", partitioner=tf1.fixed_size_partitioner(3)):
        return mlp(resource)


def branching(resource: bool) -> Net:
    """A branch and a loop as functions, which read variables."""
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    tf1.enable_control_flow_v2()
    try:
        weights = variable("loop/weights", 6, 6, resource=resource, trainable=False)
        looped = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ weights)), [0, x])[1]
        hidden = tf.cond(tf.reduce_sum(looped) > 1e9, lambda: looped, lambda: looped @ weights)
    finally:
        tf1.disable_control_flow_v2()
    return trained(x, dense(tf.nn.relu(hidden), 3, "logits", resource=resource), {}, {})


@pytest.mark.parametrize("form", ["pb", "pbtxt"])
@pytest.mark.parametrize("saver", [tf1.train.Saver, v1, sharded_v1], ids=["V2", "V1", "sharded V1"])
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_with_a_checkpoint(resource: bool, saver: Callable[[], Any], form: str, tmp_path: Path) -> None:
    saved = save(partial(mlp, resource), tmp_path, saver)
    tf1.train.write_graph(graph_def(saved), str(tmp_path), f"graph.{form}", as_text=form == "pbtxt")
    model = Model(source=tmp_path / f"graph.{form}", checkpoint=saved.prefix)
    name, source = source_of(model)
    assert name == "graphdef"
    assert source.files(model)[0] == model.source
    assert saved.prefix.name in source.files(model)[1].name
    assert_serves(saved, load(model.source, checkpoint=model.checkpoint))


@pytest.mark.parametrize("program", [partitioned, branching])
@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_variables_of_other_kinds(program: Callable[[bool], Net], resource: bool, tmp_path: Path) -> None:
    saved = save(partial(program, resource), tmp_path)
    (tmp_path / "graph.pb").write_bytes(graph_def(saved).SerializeToString())
    graph = load(tmp_path / "graph.pb", checkpoint=saved.prefix)
    answers = Session(graph)({spec.name: x for spec, x in zip(graph.inputs, saved.samples.values(), strict=True)})
    for spec in graph.outputs:
        np.testing.assert_allclose(answers[spec.name], saved.answers[spec.tensor], rtol=1e-6, atol=1e-6)


def frozen(saved: Saved) -> GraphDef:
    """As TensorFlow freezes it."""
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        tf1.train.import_meta_graph(f"{saved.prefix}.meta").restore(session, str(saved.prefix))
        names = [tensor.partition(":")[0] for tensor in saved.answers]
        return tf1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), names)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save(mlp, tmp_path_factory.mktemp("saved"))


@pytest.mark.parametrize("form", ["pb", "pbtxt"])
def test_frozen(saved: Saved, form: str, tmp_path: Path) -> None:
    tf1.train.write_graph(frozen(saved), str(tmp_path), f"frozen.{form}", as_text=form == "pbtxt")
    assert_serves(saved, load(tmp_path / f"frozen.{form}"))


def test_frozen_without_a_suffix(saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "frozen").write_bytes(frozen(saved).SerializeToString())
    assert source_of(Model(source=tmp_path / "frozen"))[0] == "graphdef"
    assert_serves(saved, load(tmp_path / "frozen"))


def test_cut_in_the_middle(saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "frozen.pb").write_bytes(frozen(saved).SerializeToString())
    hidden = ({"name": "hidden", "tensor": "Relu:0", "shape": (-1, 8)},)
    graph = load(tmp_path / "frozen.pb", inputs=hidden)
    assert [str(spec) for spec in graph.inputs] == ["hidden: float32[?,8] (Relu:0)"]
    assert "image" not in graph.nodes


def old(graph: GraphDef) -> None:
    """What graphs of TensorFlow 0.x have: no versions, operators that are gone, and shapes that nobody believes."""
    graph.ClearField("versions")
    for node in graph.node:
        node.attr["_output_shapes"].list.shape.add().dim.add(size=77)
    joined = graph.node.add(name="joined", op="Concat", input=["axis", "probabilities", "probabilities"])
    joined.attr["T"].type, joined.attr["N"].i = 1, 2
    axis = graph.node.add(name="axis", op="Const")
    axis.attr["dtype"].type = axis.attr["value"].tensor.dtype = 3
    axis.attr["value"].tensor.tensor_shape.SetInParent()
    axis.attr["value"].tensor.int_val.append(1)
    for name in ("mean", "variance", "beta", "gamma"):
        constant = graph.node.add(name=name, op="Const")
        constant.attr["dtype"].type = constant.attr["value"].tensor.dtype = 1
        constant.attr["value"].tensor.tensor_shape.dim.add(size=6)
        constant.attr["value"].tensor.float_val.append({"mean": 0.0, "beta": 0.0}.get(name, 1.0))
    shape = graph.node.add(name="shape", op="Const")
    shape.attr["dtype"].type = shape.attr["value"].tensor.dtype = 3
    shape.attr["value"].tensor.tensor_shape.dim.add(size=4)
    shape.attr["value"].tensor.int_val.extend([-1, 1, 1, 6])
    picture = graph.node.add(name="picture", op="Reshape", input=["joined", "shape"])
    picture.attr["T"].type, picture.attr["Tshape"].type = 1, 3
    inputs = ["picture", "mean", "variance", "beta", "gamma"]
    normalized = graph.node.add(name="normalized", op="BatchNormWithGlobalNormalization", input=inputs)
    normalized.attr["T"].type = 1
    normalized.attr["variance_epsilon"].f = 1e-3
    normalized.attr["scale_after_normalization"].b = True


@pytest.mark.parametrize("form", ["pb", "pbtxt"])
def test_graphs_of_old_tensorflows(saved: Saved, form: str, tmp_path: Path) -> None:
    graph_def = frozen(saved)
    old(graph_def)
    tf1.train.write_graph(graph_def, str(tmp_path), f"old.{form}", as_text=form == "pbtxt")
    graph = load(tmp_path / f"old.{form}", outputs=({"name": "normalized", "tensor": "normalized:0"},))
    with Session(graph) as session:
        (answer,) = session({"image": next(iter(saved.samples.values()))}).values()
    (expected,) = saved.answers.values()
    np.testing.assert_allclose(answer.reshape(-1, 6), np.tile(expected, 2) / np.sqrt(1 + 1e-3), rtol=1e-5, atol=1e-6)


# What is missing or wrong


def test_variables_without_a_checkpoint(saved: Saved, tmp_path: Path) -> None:
    for form, content in (
        ("graph.pb", graph_def(saved).SerializeToString()),
        ("graph.pbtxt", text_format.MessageToString(graph_def(saved)).encode()),
        ("alone.meta", Path(f"{saved.prefix}.meta").read_bytes()),
    ):
        (tmp_path / form).write_bytes(content)
        with pytest.raises(
            ModelError, match=rf"{form}: the value of the variable '\S+' is not in it; add checkpoint to"
        ):
            load(tmp_path / form)


def test_averages_without_a_checkpoint(saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(graph_def(saved).SerializeToString())
    with pytest.raises(
        TargetError, match=r"model\.moving_average: moving averages lie in a checkpoint; add checkpoint"
    ):
        load(tmp_path / "graph.pb", moving_average=True)


def test_a_checkpoint_for_a_checkpoint(saved: Saved) -> None:
    with pytest.raises(TargetError, match=r"model\.checkpoint: has no meaning for .*the form checkpoint"):
        load(saved.prefix, checkpoint=saved.prefix)


def test_a_checkpoint_of_another_model(saved: Saved, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [None, 6], "image")
        tf.nn.softmax(dense(x, 3, "other"), name="probabilities")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(ModelError, match=r"model\.ckpt\.index: has no variable 'other/\w+' \(near it: "):
        load(tmp_path / "graph.pb", checkpoint=saved.prefix)
    with pytest.raises(ModelError, match=r"gone\.index: missing; name one of .*model\.ckpt"):
        load(tmp_path / "graph.pb", checkpoint=saved.prefix.with_name("gone"))


def test_a_missing_file(tmp_path: Path) -> None:
    model = Model(source=tmp_path / "gone.pb")
    with pytest.raises(ModelError, match=r"gone\.pb: no such model"):
        source_of(model)


def test_a_meta_graph_with_a_checkpoint_from_elsewhere(saved: Saved, tmp_path: Path) -> None:
    other = Path(f"{tmp_path}/elsewhere.meta")
    other.write_bytes(Path(f"{saved.prefix}.meta").read_bytes())
    assert source_of(Model(source=other))[0] == "graphdef"
    assert_serves(saved, load(other, checkpoint=saved.prefix))
    edit(Saved(tmp_path / "elsewhere", {}, {}), lambda meta: meta.ClearField("saver_def"))
    assert_serves(saved, load(other, checkpoint=saved.prefix))
