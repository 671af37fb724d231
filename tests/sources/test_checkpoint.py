"""Training programs of every kind, loaded from what they saved; and files that are missing, damaged or not a pair."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from mobile_export.errors import ModelError
from mobile_export.graphs.protos import MetaGraphDef
from mobile_export.sources import detect, source_of
from mobile_export.target import Model
from tests.sources.training import Net, Saved, assert_serves, dense, edit, load, mlp, save, tf, tf1, trained, variable


def moving_averages() -> Net:
    net = mlp()
    average = tf1.train.ExponentialMovingAverage(0.5)
    return Net(net.inputs, net.outputs, net.training, net.serving, [net.step, average.apply(tf1.trainable_variables())])


def schedule(resource: bool) -> Net:
    rate = tf1.train.exponential_decay(0.1, tf1.train.get_or_create_global_step(), 2, 0.9)
    return mlp(resource, tf1.train.MomentumOptimizer(rate, 0.9))


def watched(resource: bool) -> Net:
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    with tf.control_dependencies([tf1.assert_less(x, 1e6), tf1.debugging.assert_all_finite(x, "finite")]):
        hidden = tf.nn.relu(dense(x, 8, "hidden", resource=resource))
    hidden = tf1.Print(tf1.check_numerics(hidden, "hidden"), [tf.shape(hidden)], "never printed")
    return trained(x, dense(hidden, 3, "logits", resource=resource), {}, {})


def embedded(resource: bool) -> Net:
    tokens = tf1.placeholder(tf.int32, [None, 4], "tokens")
    table = variable("table", 10, 6, resource=resource)
    words = tf.nn.embedding_lookup(table, tokens)
    return trained(tokens, dense(tf.reduce_mean(words, 1), 3, "logits", resource=resource), {}, {})


def partitioned(resource: bool) -> Net:
    with tf1.variable_scope("", partitioner=tf1.fixed_size_partitioner(3)):
        return embedded(resource)


def pinned(resource: bool) -> Net:
    with tf.device("/device:GPU:3"):
        x = tf1.placeholder(tf.float32, [None, 6], "image")
        hidden = tf.nn.relu(dense(x, 8, "hidden", resource=resource))
    with tf.device("/device:CPU:1"):
        logits = dense(hidden, 3, "logits", resource=resource)
    return trained(x, logits, {}, {})


def dropped(resource: bool) -> Net:
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    keep = tf1.placeholder(tf.float32, name="keep_prob")
    hidden = tf1.nn.dropout(tf.nn.relu(dense(x, 8, "hidden", resource=resource)), keep_prob=keep)
    return trained(x, dense(hidden, 3, "logits", resource=resource), {keep: 0.5}, {keep: 1.0})


PROGRAMS: dict[str, Callable[[bool], Net]] = {
    "plain": mlp,
    "adam": lambda resource: mlp(resource, tf1.train.AdamOptimizer(0.01)),
    "momentum": schedule,
    "watched": watched,
    "embedded": embedded,
    "partitioned": partitioned,
    "pinned": pinned,
    "dropped": dropped,
}


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_program(program: Callable[[bool], Net], resource: bool, tmp_path: Path) -> None:
    saved = save(partial(program, resource), tmp_path)
    graph = load(saved.prefix)
    assert [spec.tensor for spec in graph.inputs] == list(saved.samples)
    assert [(spec.name, spec.dtype, spec.shape) for spec in graph.outputs] == [("probabilities", "float32", (-1, 3))]
    assert_serves(saved, graph)


def renamed() -> Any:
    return tf1.train.Saver({f"other/{v.op.name}": v for v in tf1.global_variables()})


def averages() -> Any:
    tf1.train.Saver()  # another one, under the variables' own names
    return tf1.train.Saver(tf1.train.ExponentialMovingAverage(0.5).variables_to_restore())


def v1(**options: Any) -> Any:
    return tf1.train.Saver(write_version=tf1.train.SaverDef.V1, **options)


def of_the_averages() -> Any:
    saver = averages()
    tf1.train.Saver()  # and one behind it
    return saver


@pytest.mark.parametrize(
    ("program", "saver"),
    [
        (mlp, renamed),
        (mlp, lambda: tf1.train.Saver(sharded=True)),
        (partial(pinned, True), lambda: tf1.train.Saver(sharded=True)),
        (partial(partitioned, True), lambda: tf1.train.Saver(sharded=True)),
        (moving_averages, averages),
        (moving_averages, of_the_averages),
        (mlp, v1),
        (partial(mlp, False), v1),
        (partial(partitioned, True), v1),
        (partial(partitioned, False), lambda: v1(sharded=True)),
        (partial(pinned, False), lambda: v1(sharded=True)),
    ],
    ids=[
        "renamed", "sharded", "two shards", "slices", "averages", "averages first",
        "V1", "V1 ref", "V1 slices", "V1 sharded slices", "V1 two shards",
    ],
)  # fmt: skip
def test_saver(program: Callable[[], Net], saver: Callable[[], Any], tmp_path: Path) -> None:
    saved = save(program, tmp_path, saver)
    assert_serves(saved, load(saved.prefix))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save(mlp, tmp_path_factory.mktemp("pristine"))


@pytest.fixture
def saved(pristine: Saved, tmp_path: Path) -> Saved:
    """A copy of it to break."""
    shutil.copytree(pristine.prefix.parent, tmp_path, dirs_exist_ok=True)
    return Saved(tmp_path / pristine.prefix.name, pristine.samples, pristine.answers)


@pytest.mark.parametrize(
    "named", ["", "model.ckpt", "model.ckpt.meta", "model.ckpt.index", SHARD := "model.ckpt.data-00000-of-00001"]
)
def test_every_way_to_name_it(saved: Saved, named: str) -> None:
    path = saved.prefix.parent / named
    model = Model(source=path)
    form, source = source_of(model)
    assert form == "checkpoint"
    assert sorted(file.name for file in source.files(model)) == [SHARD, "model.ckpt.index", "model.ckpt.meta"]
    assert_serves(saved, load(path))


def test_the_checkpoint_file_names_the_latest(saved: Saved) -> None:
    for file in list(saved.prefix.parent.glob("model.ckpt.*")):
        file.with_name(file.name.replace("model", "older")).write_bytes(b"not read")
    assert_serves(saved, load(saved.prefix.parent))


@pytest.mark.parametrize("named", ["saved", "saved/", "saved/.index", "saved/.meta", "saved/.data-00000-of-00001"])
def test_a_base_name_that_is_empty(saved: Saved, named: str) -> None:
    folder = saved.prefix.parent / "saved"
    folder.mkdir()
    for file in saved.prefix.parent.glob("model.ckpt.*"):
        file.rename(folder / file.name.removeprefix("model.ckpt"))
    assert_serves(saved, load(Path(f"{saved.prefix.parent}/{named}")))


def test_a_trailing_slash(saved: Saved) -> None:
    assert_serves(saved, load(Path(f"{saved.prefix.parent}/")))


@pytest.mark.parametrize("named", ["", "model.ckpt", "model.ckpt.meta"])
def test_every_way_to_name_a_v1_checkpoint(tmp_path: Path, named: str) -> None:
    saved = save(mlp, tmp_path, v1)
    model = Model(source=tmp_path / named)
    form, source = source_of(model)
    assert form == "checkpoint"
    assert [file.name for file in source.files(model)] == ["model.ckpt.meta", "model.ckpt"]
    (tmp_path / "checkpoint").unlink()
    assert_serves(saved, load(tmp_path / named))


# Graphs that TensorFlow itself does not import


def an_unknown_operator_in_the_input_pipeline(meta: Any) -> None:
    reader = meta.graph_def.node.add(name="pipeline/records", op="FutureReader")
    reader.attr["kind"].type = 999
    reader.attr["plan"].func.name = "gone"
    (labels,) = [node for node in meta.graph_def.node if node.name == "labels"]
    labels.op = "PlaceholderWithDefault"
    labels.input.append("pipeline/records:3")


def shapes_that_disagree(meta: Any) -> None:
    for node in meta.graph_def.node:
        shapes = node.attr["_output_shapes"].list.shape
        del shapes[:]
        shapes.add().dim.add(size=77)


def a_colocation_with_a_node_that_is_gone(meta: Any) -> None:
    for node in meta.graph_def.node:
        node.attr["_class"].list.s.append(b"loc:@gone")


def a_function_library_that_is_absent(meta: Any) -> None:
    call = meta.graph_def.node.add(name="augmented", op="PartitionedCall", input=["image"])
    call.attr["f"].func.name = "__inference_augment_12"
    call.attr["Tin"].list.type.append(1)
    call.attr["Tout"].list.type.append(1)
    meta.graph_def.node.add(name="watched", op="__inference_watch_3", input=["augmented"])


@pytest.mark.parametrize(
    "change",
    [
        an_unknown_operator_in_the_input_pipeline,
        shapes_that_disagree,
        a_colocation_with_a_node_that_is_gone,
        a_function_library_that_is_absent,
    ],
)
def test_only_the_forward_graph_has_to_make_sense(saved: Saved, change: Callable[[Any], None]) -> None:
    edit(saved, change)
    with tf.Graph().as_default(), pytest.raises((ValueError, KeyError, tf.errors.OpError)):
        tf1.train.import_meta_graph(f"{saved.prefix}.meta")
    assert_serves(saved, load(saved.prefix))


def test_a_meta_graph_in_text_form(saved: Saved) -> None:
    path = Path(f"{saved.prefix}.meta")
    path.write_text(text_format.MessageToString(MetaGraphDef.FromString(path.read_bytes())))
    assert_serves(saved, load(saved.prefix))


def remove(suffix: str) -> Callable[[Path], None]:
    return lambda prefix: Path(f"{prefix}{suffix}").unlink()


def truncate(prefix: Path) -> None:
    meta = Path(f"{prefix}.meta")
    meta.write_bytes(meta.read_bytes()[:-100])


def rename_variable(prefix: Path) -> None:
    def change(meta: Any) -> None:
        (names,) = [node for node in meta.graph_def.node if node.name == "save/RestoreV2/tensor_names"]
        values = names.attr["value"].tensor.string_val
        values[:] = [name.replace(b"hidden/weights", b"hidden/kernel") for name in values]

    edit(Saved(prefix, {}, {}), change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove(".meta"), r"model\.ckpt\.meta: missing"),
        (truncate, r"model\.ckpt\.meta: neither a GraphDef nor a MetaGraph, or cut short"),
        (lambda prefix: Path(f"{prefix}.meta").write_bytes(b""), r"model\.ckpt\.meta: there is no graph in it"),
        (remove(".index"), r"model\.ckpt\.index: missing"),
        (remove(".data-00000-of-00001"), r"model\.ckpt\.data-00000-of-00001: missing"),
        (rename_variable, r"model\.ckpt\.index: has no variable 'hidden/kernel' \(near it: .*'hidden/weights'"),
    ],
    ids=["meta", "cut", "empty", "index", "data", "variable"],
)
def test_broken_files_are_named(saved: Saved, change: Callable[[Path], object], said: str) -> None:
    change(saved.prefix)
    with pytest.raises(ModelError, match=said):
        load(saved.prefix)


def test_no_model_and_no_form(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.ckpt: no such model; \[model\] source takes a.* checkpoint prefix"):
        detect(tmp_path / "model.ckpt")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ModelError, match=r"notes\.txt: the form of this model is not known"):
        detect(tmp_path / "notes.txt")
