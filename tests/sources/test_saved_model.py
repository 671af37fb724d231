"""SavedModels of TensorFlow 1 and 2 and both Kerases answer as in TensorFlow's own loader; and bad ones."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph, TensorSpec
from mobile_export.graphs.protos import AssetFileDef, SavedModel
from mobile_export.network.forward import forward_graph
from mobile_export.network.trained import Trained
from mobile_export.session import Session
from mobile_export.sources import detect, source_of
from mobile_export.target import Model
from tests.sources.training import ROWS, dense, load, tf, tf1, variable

Build = Callable[[Path], object]
"""Saves a SavedModel in a folder."""


def model(source: Path, **keys: Any) -> Model:
    return Model.model_validate({"source": source, **keys})


def read(source: Path, **keys: Any) -> Trained:
    target = model(source, **keys)
    return source_of(target)[1].read(target)


def named(*outputs: str) -> tuple[dict[str, str], ...]:
    """Outputs of a target, by what the signature calls them."""
    return tuple({"name": name} for name in outputs)


def samples(edge: TensorSpec) -> np.ndarray:
    rng = np.random.default_rng(0)
    shape = [ROWS if size < 0 else size for size in edge.shape or ()]
    return (rng.integers(0, 4, shape) if edge.dtype.startswith("int") else rng.normal(size=shape)).astype(edge.dtype)


def assert_serves(folder: Path, **keys: Any) -> Graph:
    """The graph answers as TensorFlow's own loader makes the signature answer; returns it."""
    graph = load(folder, **keys)
    assert not [n for n in graph.nodes.values() if "Variable" in n.op or n.op.endswith("PartitionedCall")]
    feeds = {edge.name: samples(edge) for edge in graph.inputs}
    with Session(graph) as session:
        answers = session(feeds)
    with tf.Graph().as_default(), tf1.Session() as session:
        signed = tf1.saved_model.load(session, keys.get("tags", ["serve"]), str(folder)).signature_def[
            keys.get("signature", "serving_default")
        ]
        fetches = {name: signed.outputs[name].name for name in answers}
        expected = session.run(fetches, {signed.inputs[name].name: value for name, value in feeds.items()})
    assert expected.keys() == {edge.name for edge in graph.outputs}
    for name, answer in answers.items():
        np.testing.assert_allclose(answer, expected[name], rtol=1e-6, atol=1e-6)
    return graph


# TensorFlow 2


def spec(*shape: int | None, dtype: Any = tf.float32, **named: str) -> Any:
    return tf.TensorSpec(shape, dtype, **named)


def weights(*shape: int) -> Any:
    return tf.Variable(np.random.default_rng(1).normal(size=shape).astype(np.float32), name="same_name")


class Scorer(tf.Module):
    """Two inputs, whose order is not that of their names, three outputs, and words from a file."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        self.w, self.b = weights(4, 3), weights(3)
        filler = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
        )
        self.table = tf.lookup.StaticHashTable(filler, "?")

    @tf.function(input_signature=[spec(None, 4, name="zeta"), spec(None, 3, name="alpha")])
    def score(self, x: Any, y: Any) -> Any:
        logits = tf.matmul(x, self.w) + self.b
        return {"sum": logits + y, "prob": tf.nn.softmax(logits), "label": self.table.lookup(tf.argmax(logits, 1))}


def scorer(folder: Path) -> None:
    vocabulary = folder.parent / "words.txt"
    vocabulary.write_text("cat\ndog\nbird\n")
    module = Scorer(vocabulary)
    tf.saved_model.save(module, str(folder), signatures=module.score)
    vocabulary.unlink()


def saved_function(function: Callable[..., Any], *signature: Any, **captured: Any) -> Build:
    """A module with the variables that `function` captures."""

    def build(folder: Path) -> None:
        module = tf.Module()
        variables = {name: make() for name, make in captured.items()}
        module.kept = list(variables.values())
        module.serve = tf.function(lambda *given: function(*given, **variables), input_signature=signature)
        tf.saved_model.save(module, str(folder), signatures=module.serve)

    return build


def controlled(x: Any, w: Any, b: Any) -> Any:
    """A loop with a branch and a choice in it, all over variables that they capture; a function in a function."""
    step = tf.function(lambda h: tf.tanh(tf.matmul(h, w) + b))

    def turn(i: Any, h: Any) -> Any:
        h = tf.cond(tf.reduce_sum(h) > 0, lambda: step(h), lambda: step(h * b))
        return i + 1, tf.switch_case(i % 3, [lambda: h, lambda: h + w[0], lambda: step(h)])

    return {"y": tf.while_loop(lambda i, _: i < 4, turn, [0, x])[1]}


def many(x: Any) -> Any:
    return tuple(x + index for index in range(12))


FUNCTIONS: dict[str, Build] = {
    "plain": saved_function(lambda x, w: {"y": tf.nn.relu(x @ w)}, spec(None, 4), w=lambda: weights(4, 3)),
    "embedding": saved_function(
        lambda i, w: {"y": tf.nn.embedding_lookup(w, i)}, spec(None, dtype=tf.int64), w=lambda: weights(9, 3)
    ),
    "constants": saved_function(lambda x: {"y": x @ tf.ones([4, 2])}, spec(None, 4)),
    "controlled": saved_function(controlled, spec(None, 4), w=lambda: weights(4, 4), b=lambda: weights(4)),
    "names": saved_function(lambda x: {"class/1": x, "2nd": x * 2, "class.1": x * 3}, spec(None, 4, name="input-x")),
}


@pytest.mark.parametrize("build", [FUNCTIONS[k] for k in ("plain", "embedding", "constants", "controlled")])
def test_functions(build: Build, tmp_path: Path) -> None:
    build(tmp_path)
    assert_serves(tmp_path)


def keras3_cnn(folder: Path) -> None:
    import keras

    layers = keras.layers
    net = [keras.Input([8, 8, 3], name="image"), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Dropout(0.5)]
    keras.Sequential([*net, layers.Flatten(), layers.Dense(3)]).export(folder, verbose=False)


def keras3_lstm(folder: Path) -> None:
    import keras

    net = [keras.Input([5, 4], name="steps"), keras.layers.LSTM(6), keras.layers.Dense(3)]
    keras.Sequential(net).export(folder, verbose=False)


def tf_keras_gru(folder: Path) -> None:
    import tf_keras

    layers = tf_keras.layers
    net = [tf_keras.Input([5, 4], name="steps"), layers.GRU(6), layers.Dense(3, name="scores")]
    tf_keras.Sequential(net).save(folder, save_format="tf")


def tf_keras_two_inputs(folder: Path) -> None:
    """Trained a little, so that there is an optimizer, too."""
    import tf_keras

    layers = tf_keras.layers
    left, right = tf_keras.Input([4], name="z_left"), tf_keras.Input([3], name="a_right")
    hidden = layers.Dropout(0.5)(layers.BatchNormalization()(layers.Concatenate()([left, right])))
    net = tf_keras.Model([left, right], [layers.Dense(2, name="first")(hidden), layers.Dense(1, name="second")(hidden)])
    net.compile("adam", "mse")
    net.fit([np.ones([4, 4]), np.ones([4, 3])], [np.ones([4, 2]), np.ones([4, 1])], verbose=0)
    net.save(folder, save_format="tf")


@pytest.mark.parametrize(
    ("build", "inputs", "outputs"),
    [
        (keras3_cnn, ["image"], ["output_0"]),
        (keras3_lstm, ["steps"], ["output_0"]),
        (tf_keras_gru, ["steps"], ["scores"]),
        (tf_keras_two_inputs, ["z_left", "a_right"], ["first", "second"]),
    ],
)
def test_keras(build: Build, inputs: list[str], outputs: list[str], tmp_path: Path) -> None:
    """Inputs are in the model's own order, and the batch stays dynamic."""
    build(tmp_path)
    graph = assert_serves(tmp_path)
    assert [edge.name for edge in graph.inputs] == inputs
    assert [edge.name for edge in graph.outputs] == outputs
    assert all(edge.shape and edge.shape[0] == -1 for edge in (*graph.inputs, *graph.outputs))


def test_outputs_of_a_tuple_come_in_its_order(tmp_path: Path) -> None:
    saved_function(many, spec(None, 2))(tmp_path)
    assert [spec.name for spec in read(tmp_path).graph.outputs] == [f"output_{index}" for index in range(12)]


def test_names_become_identifiers(tmp_path: Path) -> None:
    FUNCTIONS["names"](tmp_path)
    graph = read(tmp_path).graph
    assert [spec.name for spec in (*graph.inputs, *graph.outputs)] == ["input_x", "_2nd", "class_1", "class_1_1"]


def test_a_tensor_in_the_middle_can_be_named(tmp_path: Path) -> None:
    FUNCTIONS["plain"](tmp_path)
    (relu,) = [node.name for node in read(tmp_path).graph.nodes.values() if node.op == "Relu"]
    graph = load(tmp_path, outputs=({"name": "hidden", "tensor": f"{relu}:0"},))
    assert [str(spec) for spec in graph.outputs] == [f"hidden: float32[?,3] ({relu}:0)"]


@pytest.mark.parametrize("kind", [tf.RaggedTensorSpec([None, None], tf.float32), tf.SparseTensorSpec([None, 4])])
def test_an_input_of_several_tensors_is_several_inputs(kind: Any, tmp_path: Path) -> None:
    sums = lambda x: {"y": tf.reduce_sum(x.values)}  # noqa: E731
    saved_function(sums, kind)(tmp_path)
    trained = read(tmp_path)
    assert len(trained.graph.inputs) == len(tf.nest.flatten(kind, expand_composites=True))
    assert len(load(tmp_path).inputs) == 1  # the others are not needed


# TensorFlow 1


def saved_by_session(
    program: Callable[[], tuple[dict[str, Any], dict[str, Any]]],
    folder: Path,
    *others: tuple[tuple[str, ...], dict[str, str]],
) -> None:
    """What `program` builds, as the MetaGraph "serve"; and `others` of it, tags and the outputs of each signature."""
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.set_random_seed(1)
        inputs, outputs = program()
        session.run([tf1.global_variables_initializer(), tf1.tables_initializer()])
        builder = tf1.saved_model.Builder(str(folder))
        signature = tf1.saved_model.predict_signature_def(inputs, outputs)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            assets_collection=tf1.get_collection(tf1.GraphKeys.ASSET_FILEPATHS),
            main_op=tf1.tables_initializer(),
        )
        for tags, signatures in others:
            made = {
                name: tf1.saved_model.predict_signature_def(
                    inputs, {"y": tf1.get_default_graph().get_tensor_by_name(y)}
                )
                for name, y in signatures.items()
            }
            builder.add_meta_graph(list(tags), made)
        builder.save()


def session_mlp(resource: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    x = tf1.placeholder(tf.float32, [None, 6], "image")
    keep = tf1.placeholder_with_default(1.0, [], "keep")
    hidden = tf1.nn.dropout(tf.nn.relu(dense(x, 8, "hidden", resource=resource)), keep_prob=keep)
    y = tf.nn.softmax(dense(hidden, 3, "logits", resource=resource), name="y")
    tf1.train.AdamOptimizer().minimize(tf.reduce_mean(y))
    return {"x": x}, {"y": y}


def session_embedding(resource: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """A table in three parts, which the checkpoint holds as one."""
    tokens = tf1.placeholder(tf.int32, [None, 4], "tokens")
    with tf1.variable_scope("", partitioner=tf1.fixed_size_partitioner(3)):
        words = tf.nn.embedding_lookup(variable("table", 10, 6, resource=resource), tokens)
    return {"tokens": tokens}, {"y": tf.reduce_mean(words, 1)}


class Cell:
    """A gated cell, as `dynamic_rnn` takes one."""

    state_size = output_size = 6

    def __init__(self, resource: bool) -> None:
        self._resource = resource

    def get_initial_state(self, inputs: Any, batch_size: Any, dtype: Any) -> Any:
        return tf.zeros([batch_size, 6], dtype)

    zero_state = get_initial_state

    def __call__(self, x: Any, state: Any, scope: Any = None) -> tuple[Any, Any]:
        both = tf.concat([x, state], 1)
        gate = tf.sigmoid(dense(both, 6, "gate", resource=self._resource))
        state = gate * state + (1 - gate) * tf.tanh(dense(both, 6, "new", resource=self._resource))
        return state, state


def session_rnn(resource: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """A recurrent network as a loop of nodes, which TensorFlow 1 knows alone."""
    x = tf1.placeholder(tf.float32, [None, 5, 4], "steps")
    tf1.disable_control_flow_v2()
    try:
        states, _ = tf1.nn.dynamic_rnn(Cell(resource), x, dtype=tf.float32)
    finally:
        tf1.enable_control_flow_v2()
    return {"x": x}, {"y": states}


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("program", [session_mlp, session_embedding, session_rnn])
def test_session(program: Callable[[bool], Any], resource: bool, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    saved_by_session(lambda: program(resource), folder)
    assert_serves(folder)


def test_a_whole_graph_stays(tmp_path: Path) -> None:
    """What the target names may be elsewhere than between the signature's inputs and outputs."""
    saved_by_session(lambda: session_mlp(True), tmp_path / "saved")
    graph = read(tmp_path / "saved").graph
    assert {"keep", "hidden/weights/Adam"} <= graph.nodes.keys()


# Words


def session_words(folder: Path) -> None:
    """Scores, and the word of the best, from a file."""

    def program() -> tuple[dict[str, Any], dict[str, Any]]:
        inputs, outputs = session_mlp(False)
        vocabulary = folder.parent / "words.txt"
        vocabulary.write_text("cat\ndog\nbird\n")
        filler = tf1.lookup.TextFileInitializer(
            str(vocabulary),
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
        )
        table = tf1.lookup.StaticHashTable(filler, "?", name="words")
        return inputs, {**outputs, "label": table.lookup(tf.argmax(outputs["y"], 1))}

    saved_by_session(program, folder)
    (folder.parent / "words.txt").unlink()


@pytest.mark.parametrize(
    ("build", "table", "outputs"),
    [(scorer, "hash_table", ("prob", "sum")), (session_words, "words", ("y",))],
    ids=["function", "session"],
)
def test_a_table_has_its_file_and_vanishes(build: Build, table: str, outputs: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    build(folder)
    trained = read(folder)
    assert trained.tables == {table: folder / "assets" / "words.txt"}
    assert trained.graph.nodes[table].op == "HashTableV2"
    assert folder / "assets" / "words.txt" in source_of(model(folder))[1].files(model(folder))
    graph = assert_serves(folder, outputs=named(*outputs))
    assert not [node for node in graph.nodes.values() if "Table" in node.op or "string" in str(node.attr)]


def rename_asset(name: str) -> Callable[[Any], None]:
    """An edit: the asset has another name, as each version of TensorFlow has it."""

    def change(meta: Any) -> None:
        for asset in meta.asset_file_def:
            asset.filename = name
        for packed in meta.collection_def["saved_model_assets"].any_list.value:
            asset = AssetFileDef.FromString(packed.value)
            asset.filename = name
            packed.value = asset.SerializeToString()

    return change


OUTSIDE = ["../words.txt", "/etc/passwd", "a/../../words.txt", "..\\words.txt", "C:\\words.txt", ""]


@pytest.mark.parametrize("build", [scorer, session_words])
def test_an_asset_outside_of_the_folder_is_refused(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    build(folder)
    (tmp_path / "words.txt").write_text("cat\ndog\nbird\n")
    for name in OUTSIDE:
        edit(folder, rename_asset(name))
        with pytest.raises(ModelError, match=r"assets: the model names the asset '.*', which is not in that folder"):
            source_of(model(folder))[1].files(model(folder))


def test_a_file_that_is_no_asset_is_nobodys(tmp_path: Path) -> None:
    session_words(tmp_path / "saved")
    edit(tmp_path / "saved", lambda meta: meta.collection_def.pop("saved_model_assets"))
    assert read(tmp_path / "saved").tables == {}


def test_a_missing_asset(tmp_path: Path) -> None:
    session_words(tmp_path / "saved")
    (tmp_path / "saved" / "assets" / "words.txt").unlink()
    with pytest.raises(ModelError, match=r"words\.txt: missing; .* copy the whole folder"):
        read(tmp_path / "saved")


# Which graph, and which signature


def several(folder: Path) -> None:
    other = (("gpu", "serve"), {"scores": "y:0", "hidden": "hidden/MatMul:0"})
    saved_by_session(lambda: session_mlp(False), folder, other)


def test_tags_and_signature_are_chosen(tmp_path: Path) -> None:
    several(tmp_path / "saved")
    assert_serves(tmp_path / "saved")
    assert_serves(tmp_path / "saved", tags=("serve", "gpu"), signature="hidden")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"tags": ("gpu",)}, r'no graph with the tags \["gpu"\]; set model.tags to \["gpu", "serve"\] or \["serve"\]'),
        (
            {"tags": ("serve", "gpu")},
            r"no signature 'serving_default'; set model.signature to \"hidden\" or \"scores\"",
        ),
        ({"signature": "train"}, r"no signature 'train'; set model.signature to \"serving_default\""),
    ],
)
def test_what_is_not_there_is_said(keys: dict[str, Any], said: str, tmp_path: Path) -> None:
    several(tmp_path / "saved")
    with pytest.raises(ModelError, match=said):
        read(tmp_path / "saved", **keys)


def test_the_only_tags_and_the_only_signature_need_no_name(tmp_path: Path) -> None:
    FUNCTIONS["plain"](tmp_path)

    def rename(meta: Any) -> None:
        meta.meta_info_def.tags[:] = ["mine"]
        meta.signature_def["mine"].CopyFrom(meta.signature_def.pop("serving_default"))

    edit(tmp_path, rename)
    assert [edge.name for edge in load(tmp_path).outputs] == ["y"]


def test_a_model_without_a_signature(tmp_path: Path) -> None:
    """One of sessions can still be cut out by names; one of functions has nothing to cut out."""
    saved_by_session(lambda: session_mlp(False), tmp_path / "one")
    edit(tmp_path / "one", lambda meta: meta.signature_def.clear())
    assert [edge.tensor for edge in load(tmp_path / "one", outputs=({"name": "y", "tensor": "y:0"},)).inputs] == [
        "image:0"
    ]
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(ModelError, match="has no signature that says what it computes; export it with signatures="):
        read(tmp_path / "other")


# What a path means


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    FUNCTIONS["plain"](folder)
    return folder


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (".", "the folder holds saved_model.pb"),
        ("saved_model.pb", "it is named saved_model.pb"),
        ("variables", "it lies in the SavedModel"),
        ("variables/variables", "it lies in the SavedModel"),
        ("variables/variables.index", "it lies in the SavedModel"),
    ],
)
def test_detected(path: str, why: str, plain: Path) -> None:
    form, said = detect(plain / path)
    assert (form, said.startswith(why)) == ("saved_model", True)


@pytest.mark.parametrize("path", ["variables", "variables/variables", "variables/variables.index"])
def test_the_weights_alone_are_refused(path: str, plain: Path) -> None:
    with pytest.raises(ModelError, match=rf"the weights of the SavedModel {plain}; name that folder"):
        read(plain / path)


def test_the_graph_may_be_text(copy: Path) -> None:
    from google.protobuf import text_format

    file = copy / "saved_model.pb"
    text = text_format.MessageToString(SavedModel.FromString(file.read_bytes()))
    file.unlink()
    written = copy / "saved_model.pbtxt"
    written.write_text(text)
    assert detect(copy) == ("saved_model", "the folder holds saved_model.pbtxt")
    assert_serves(copy)
    for wrong in (text[: len(text) // 2].encode(), b"\xff\xfe", b"meta_graphs {" * 3000):
        written.write_bytes(wrong)
        with pytest.raises(
            ModelError, match=r"saved_model\.pbtxt: (line \d+, column \d+|neither a message|nested too deeply)"
        ):
            read(copy)


def test_large_constants_in_text_are_read_fast(tmp_path: Path) -> None:
    """Protobuf's own parser would take 20 s and more than a GB for this one; it is in a function."""
    from google.protobuf import text_format

    values = np.random.default_rng(0).normal(size=(4, 1_000_000)).astype(np.float32)
    saved_function(lambda x: x @ tf.constant(values)[:, :3], spec(None, 4))(tmp_path)
    file = tmp_path / "saved_model.pb"
    text = text_format.MessageToString(SavedModel.FromString(file.read_bytes()))
    file.unlink()
    (tmp_path / "saved_model.pbtxt").write_text(text)
    started = time.monotonic()
    graph = read(tmp_path).graph
    assert time.monotonic() - started < 10
    assert any(np.array_equal(array, values) for array in graph.constants.values())


def test_the_file_means_its_folder(plain: Path) -> None:
    source = source_of(model(plain))[1]
    variables = plain / "variables"
    files = [plain / "saved_model.pb", variables / "variables.index", variables / "variables.data-00000-of-00001"]
    assert source.files(model(plain)) == source.files(model(plain / "saved_model.pb")) == files
    assert len(load(plain / "saved_model.pb").outputs) == 1


# Damage


def edit(folder: Path, change: Callable[[Any], object]) -> None:
    """Change the first MetaGraph."""
    file = folder / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    change(saved.meta_graphs[0])
    file.write_bytes(saved.SerializeToString())


def test_a_file_cut_at_any_byte_is_refused(copy: Path) -> None:
    file = copy / "saved_model.pb"
    content = file.read_bytes()
    for length in range(0, len(content), 41):
        file.write_bytes(content[:length])
        with pytest.raises(
            ModelError, match=r"saved_model.pb: (not a SavedModel, or cut short|there is no graph in it)"
        ):
            read(copy)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>not found</html>", "not a SavedModel, or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "it is a Git LFS pointer"),
        (b"\x0a" * 1000, "not a SavedModel, or cut short|there is no graph"),
    ],
)
def test_another_file_of_that_name_is_refused(content: bytes, said: str, copy: Path) -> None:
    (copy / "saved_model.pb").write_bytes(content)
    with pytest.raises(ModelError, match=said):
        read(copy)


def test_changed_bytes_are_refused_or_mean_something(copy: Path) -> None:
    """Never another error, whatever they say."""
    file = copy / "saved_model.pb"
    content = file.read_bytes()
    rng = random.Random(0)
    for _ in range(150):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] = rng.choice(b"\x00\x01\x0a\x12:/^\x7f\xff")
        file.write_bytes(bytes(changed))
        try:
            forward_graph(read(copy), model(copy))
        except ModelError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("variables", r"variables\.index: missing; the weights are there, so copy the whole folder"),
        ("variables/variables.index", r"variables\.index: missing; the weights are there, so copy the whole folder"),
        ("variables/variables.data-00000-of-00001", r"variables\.data-00000-of-00001: missing"),
    ],
)
def test_missing_weights(lost: str, said: str, copy: Path) -> None:
    path = copy / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ModelError, match=said):
        load(copy)


def without_function(infix: str) -> Callable[[Any], None]:
    def change(meta: Any) -> None:
        functions = meta.graph_def.library.function
        (lost,) = [function for function in functions if infix in function.signature.name]
        functions.remove(lost)

    return change


def restoring_nothing(meta: Any) -> None:
    for function in meta.graph_def.library.function:
        for node in function.node_def:
            if node.op == "AssignVariableOp":
                node.op = "NoOp"
                del node.input[:]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            without_function("traced_restore"),
            r"restores the variables through the function '__inference__traced_restore",
        ),
        (restoring_nothing, r"nothing restores the variable 'same_name', so it has no trained value"),
        (lambda meta: meta.graph_def.ClearField("node"), "there is no graph in it"),
        (lambda meta: meta.graph_def.node.pop(0), "which does not exist; export it again"),
    ],
    ids=["restore function", "restore", "nodes", "node"],
)
def test_a_damaged_graph_is_refused(change: Callable[[Any], Any], said: str, copy: Path) -> None:
    edit(copy, change)
    with pytest.raises(ModelError, match=said):
        load(copy)
