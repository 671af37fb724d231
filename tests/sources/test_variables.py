"""Moving averages in the place of weights, wherever a training program keeps them."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.protos import GraphDef, MetaGraphDef
from mobile_export.network.trained import Trained
from mobile_export.sources import source_of
from mobile_export.sources.variables import SHADOW
from mobile_export.target import Model
from tests.sources.training import Net, Saved, assert_serves, dense, load, mlp, save, tf, tf1, trained, variable


def averaging(program: Callable[[], Net], only: str = "") -> Net:
    """`program` with moving averages of those variables whose names contain `only`."""
    net = program()
    average = tf1.train.ExponentialMovingAverage(0.5)
    kept = average.apply([v for v in tf1.trainable_variables() if only in v.op.name])
    return Net(net.inputs, net.outputs, net.training, net.serving, [net.step, kept])


def partitioned(resource: bool) -> Net:
    with tf1.variable_scope("", partitioner=tf1.fixed_size_partitioner(3)):
        x = tf1.placeholder(tf.float32, [None, 6], "image")
        return trained(x, dense(x, 3, "logits", resource=resource), {}, {})


def renamed() -> Any:
    """A saver that calls variables otherwise, whole ones and partitioned ones alike."""
    return tf1.train.Saver({f"other/{v.op.name}": v for v in tf1.global_variables()})


def with_averages(saved: Saved) -> Saved:
    """What TensorFlow answers when each variable that has a moving average takes its value."""
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.train.import_meta_graph(f"{saved.prefix}.meta").restore(session, str(saved.prefix))
        variables = {v.op.name: v for v in tf1.global_variables()}
        shadowed = {name: v for name, v in variables.items() if name + SHADOW in variables}
        assert shadowed
        for name, variable in shadowed.items():
            variable.load(session.run(variables[name + SHADOW]), session)
        answers = dict(zip(saved.answers, session.run(list(saved.answers), saved.samples), strict=True))
    for tensor, answer in answers.items():
        assert np.abs(answer - saved.answers[tensor]).max() > 1e-4
    return replace(saved, answers=answers)


def read(path: Path, **model: Any) -> Trained:
    described = Model.model_validate({"source": path, "moving_average": True, **model})
    return source_of(described)[1].read(described)


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize(
    "saver",
    [tf1.train.Saver, renamed, lambda: tf1.train.Saver(write_version=tf1.train.SaverDef.V1)],
    ids=["plain", "renamed", "V1"],
)
def test_averages_in_the_training_graph(saver: Callable[[], Any], resource: bool, tmp_path: Path) -> None:
    saved = save(partial(averaging, partial(mlp, resource)), tmp_path, saver)
    assert_serves(with_averages(saved), load(saved.prefix, moving_average=True))
    assert read(saved.prefix).notes == ("4 of 4 variables are their exponential moving averages",)
    assert_serves(saved, load(saved.prefix))
    assert read(saved.prefix, moving_average=False).notes == ()


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
def test_averages_of_partitioned_variables(resource: bool, tmp_path: Path) -> None:
    saved = save(partial(averaging, partial(partitioned, resource)), tmp_path)
    assert_serves(with_averages(saved), load(saved.prefix, moving_average=True))


def test_variables_without_an_average_keep_their_weights(tmp_path: Path) -> None:
    saved = save(partial(averaging, mlp, "weights"), tmp_path)
    assert_serves(with_averages(saved), load(saved.prefix, moving_average=True))
    assert read(saved.prefix).notes == (
        "2 of 4 variables are their exponential moving averages; the rest has none, and is as trained",
    )
    outputs = ({"name": "hidden", "tensor": "hidden/add:0"},)
    assert read(saved.prefix, outputs=outputs).notes == (
        "1 of 2 variables are their exponential moving averages; the rest has none, and is as trained",
    )


@pytest.fixture
def evaluated(tmp_path: Path) -> tuple[Saved, Path]:
    """A checkpoint with averages, and its network's GraphDef, which has none, nor a saver."""
    saved = save(partial(averaging, mlp), tmp_path)
    with tf.Graph().as_default() as graph:
        mlp()
        tf1.train.write_graph(graph.as_graph_def(), str(tmp_path), "graph.pbtxt")
    return saved, tmp_path / "graph.pbtxt"


def test_a_graph_that_knows_of_no_averages(evaluated: tuple[Saved, Path]) -> None:
    saved, path = evaluated
    assert_serves(with_averages(saved), load(path, checkpoint=saved.prefix, moving_average=True))
    assert_serves(saved, load(path, checkpoint=saved.prefix))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_partitioned_graph_without_a_saver(axis: int, tmp_path: Path) -> None:
    def build() -> Net:
        x = tf1.placeholder(tf.float32, [None, 6], "image")
        with tf1.variable_scope("", partitioner=tf1.fixed_size_partitioner(13, axis)):
            hidden = x @ variable("wide", 6, 13) if axis else tf.transpose(variable("wide", 13, 6) @ tf.transpose(x))
        return trained(x, dense(hidden, 3, "logits"), {}, {})

    saved = save(build, tmp_path)
    with tf.Graph().as_default() as graph:
        build()
        (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert_serves(saved, load(tmp_path / "graph.pb", checkpoint=saved.prefix))


def test_parts_that_do_not_make_the_whole(tmp_path: Path) -> None:
    saved = save(partial(partitioned, True), tmp_path)
    graph = MetaGraphDef.FromString(Path(f"{saved.prefix}.meta").read_bytes()).graph_def
    kept = [node for node in graph.node if not node.name.startswith("save/")]
    for node in kept:
        if node.name == "logits/weights/part_1":
            node.attr["shape"].shape.dim[0].size = 7
    (tmp_path / "graph.pb").write_bytes(GraphDef(node=kept, versions=graph.versions).SerializeToString())
    with pytest.raises(ModelError, match=r"has no variable 'logits/\w+/part_\d' \(near it: 'logits/weights"):
        load(tmp_path / "graph.pb", checkpoint=saved.prefix)


def averages_alone() -> Any:
    """As an evaluation program restores, that has variables alone."""
    average = tf1.train.ExponentialMovingAverage(0.5)
    return tf1.train.Saver(average.variables_to_restore(tf1.trainable_variables()))


def test_a_checkpoint_of_averages_alone(evaluated: tuple[Saved, Path], tmp_path: Path) -> None:
    folder = tmp_path / "averages"
    folder.mkdir()
    saved = save(mlp, folder, averages_alone)
    for averaged in (False, True):  # its saver says what is what
        assert_serves(saved, load(saved.prefix, moving_average=averaged))
    _, path = evaluated
    assert_serves(saved, load(path, checkpoint=saved.prefix, moving_average=True))
    with pytest.raises(ModelError, match=r"has the moving average of '\S+' and not its weights; set moving_average"):
        load(path, checkpoint=saved.prefix)


def test_no_average_at_all(tmp_path: Path) -> None:
    saved = save(mlp, tmp_path)
    with pytest.raises(ModelError, match=r"no weight of the model has a moving average .* take moving_average out of"):
        load(saved.prefix, moving_average=True)


def test_averages_of_another_part_of_the_graph(tmp_path: Path) -> None:
    saved = save(partial(averaging, mlp, "logits"), tmp_path)
    outputs = ({"name": "hidden", "tensor": "hidden/add:0"},)
    with pytest.raises(ModelError, match="no weight of the model has a moving average"):
        load(saved.prefix, moving_average=True, outputs=outputs)


def test_a_graph_with_several_savers_and_none_named(tmp_path: Path) -> None:
    """A GraphDef does not say which saver wrote the checkpoint: a variable's own name comes first."""
    saved = save(mlp, tmp_path, lambda: (tf1.train.Saver(), renamed())[0])
    path = tmp_path / "graph.pb"
    path.write_bytes(MetaGraphDef.FromString(Path(f"{saved.prefix}.meta").read_bytes()).graph_def.SerializeToString())
    assert_serves(saved, load(path, checkpoint=saved.prefix))


def test_a_saver_that_renames_and_is_not_named(tmp_path: Path) -> None:
    saved = save(mlp, tmp_path, renamed)
    path = tmp_path / "graph.pb"
    path.write_bytes(MetaGraphDef.FromString(Path(f"{saved.prefix}.meta").read_bytes()).graph_def.SerializeToString())
    assert_serves(saved, load(path, checkpoint=saved.prefix))
    meta = shutil.copy(f"{saved.prefix}.meta", tmp_path / "meta.pb")
    assert_serves(saved, load(Path(meta), checkpoint=saved.prefix))
