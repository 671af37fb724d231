"""Object checkpoints restored into what a builder makes, wherever in them its model is; and those that do not fit."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.checkpoints.bundle import Bundle
from mobile_export.checkpoints.table import read_index
from mobile_export.errors import ModelError
from mobile_export.graphs.protos import BundleEntryProto
from mobile_export.session import import_tensorflow
from mobile_export.sources import detect, source_of
from tests.sources.checkpoints import block, table
from tests.sources.keras_models import (
    GENERATIONS,
    answers,
    declare,
    keras,
    mlp,
    own_answers,
    samples,
    tf_keras,
    trained,
)

tf = import_tensorflow()

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own

HEAD = """import {generation} as keras
import tensorflow as tf
def mlp():
    return keras.Sequential(
        [keras.Input((6,), name="features"), keras.layers.Dense(5, "relu", name="hidden"), keras.layers.Dense(3)]
    )
class Scaled(tf.Module):
    def __init__(self):
        self.scale = tf.Variable(tf.ones([6]), name="scale")
        self.table = tf.constant(range(300), tf.float32)
    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, name="features")])
    def __call__(self, features):
        return {{"scaled": features * self.scale, "shifted": features * self.scale + self.table[7]}}
"""


@pytest.fixture
def builder(tmp_path: Path, monkeypatch):
    """Writes a builder's module, and gives the target's name for it."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(body: str, generation: str = "keras") -> str:
        name = f"builder_{abs(hash((str(tmp_path), body)))}"
        (tmp_path / f"{name}.py").write_text(HEAD.format(generation=generation) + f"def build():\n    {body}\n")
        return f"{name}:build"

    return write


def refusal(path: Path, **model: Any) -> str:
    declared = declare(path, **model)
    with pytest.raises(ModelError) as caught:
        source_of(declared)[1].read(declared)
    assert "\n" not in str(caught.value)
    return str(caught.value)


PLACES = {
    "root": lambda model: tf.train.Checkpoint(model),
    "model": lambda model: tf.train.Checkpoint(model=model, step=tf.Variable(3)),
    "any name": lambda model: tf.train.Checkpoint(net=model, other=tf.train.Checkpoint(x=tf.Variable(1.0))),
    "deeper": lambda model: tf.train.Checkpoint(a=tf.train.Checkpoint(b=tf.train.Checkpoint(c=model))),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_model_is_found_by_its_structure(generation: str, place, builder, tmp_path: Path) -> None:
    model = trained(GENERATIONS[generation], mlp)
    path = Path(place(model).save(str(tmp_path / "ckpt")))
    feeds = samples(model)
    ours = answers(path, feeds, builder=builder("return mlp()", generation))
    np.testing.assert_allclose(ours[0], own_answers(model, feeds)[0], atol=1e-6)


def test_weights_that_tf_keras_saves_in_this_form(builder, tmp_path: Path) -> None:
    model = trained(tf_keras, mlp)
    model.compile("adam", "mse")
    model.fit(np.ones((4, 6)), np.ones((4, 3)), verbose=0)
    model.save_weights(tmp_path / "weights")
    feeds = samples(model)
    ours = answers(tmp_path / "weights", feeds, builder=builder("return mlp()", "tf_keras"))
    np.testing.assert_allclose(ours[0], own_answers(model, feeds)[0], atol=1e-6)


def test_a_managers_folder_names_the_latest(builder, tmp_path: Path) -> None:
    model = mlp(keras)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=model), str(tmp_path / "run"), max_to_keep=3)
    for _ in range(3):
        model.set_weights([value + 0.1 for value in model.get_weights()])
        manager.save()
    feeds = samples(model)
    ours = answers(tmp_path / "run", feeds, builder=builder("return mlp()"))
    np.testing.assert_allclose(ours[0], own_answers(model, feeds)[0], atol=1e-6)


@pytest.mark.parametrize("body", ["return Scaled()", "m = Scaled(); return tf.train.Checkpoint(module=m)"])
def test_a_module_with_a_signature(body: str, builder, tmp_path: Path) -> None:
    module = tf.Module()
    module.scale = tf.Variable(np.arange(6, dtype="float32"))
    path = Path(tf.train.Checkpoint(module=module).save(str(tmp_path / "ckpt")))
    feeds = {"features": np.full((2, 6), 0.5, "float32")}
    scaled, shifted = answers(path, feeds, builder=builder(body))
    np.testing.assert_array_equal(scaled, feeds["features"] * np.arange(6))
    np.testing.assert_array_equal(shifted, scaled + 7)


def test_a_subclassed_model_that_was_called_once(builder, tmp_path: Path) -> None:
    class Twice(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x) * 2

    model = Twice()
    x = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    model(x)
    path = Path(tf.train.Checkpoint(model=model).save(str(tmp_path / "ckpt")))
    body = """class Twice(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)
        def call(self, x):
            return self.dense(x) * 2
    model = Twice(); model(tf.zeros([1, 6])); return model"""
    np.testing.assert_allclose(answers(path, {"input": x}, builder=builder(body))[0], model(x), atol=1e-6)


def test_why_a_checkpoint_is_of_this_form(tmp_path: Path) -> None:
    path = Path(tf.train.Checkpoint(model=mlp(keras)).save(str(tmp_path / "ckpt")))
    why = "ckpt-1.index has an object graph, and there is no .meta beside it"
    for named in (path, Path(f"{path}.index"), tmp_path):
        assert detect(named) == ("object_checkpoint", why)
    Path(f"{path}.meta").touch()
    assert detect(path)[0] == "checkpoint"


def test_without_a_builder(tmp_path: Path) -> None:
    path = Path(tf.train.Checkpoint(model=mlp(keras)).save(str(tmp_path / "ckpt")))
    assert 'holds variables and no model; add builder = "module:function" to [model]' in refusal(path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return None", "returned nothing; let it return the model"),
        ("return 7", "returned a int, in which no models are; return a Keras model"),
        ("return tf.Module()", "returned a Module, in which no models are"),
        ("raise OSError('gone')", "failed: OSError: gone"),
        ("return keras.Sequential([keras.layers.Dense(3)])", "returned a model that has no weights yet"),
        (
            "return keras.Sequential([mlp(), keras.layers.Dense(2, name='more')])",
            "has no value for ",
        ),
        (
            "return keras.Sequential([keras.Input((6,)), keras.layers.Dense(9), keras.layers.Dense(3)])",
            "has no value for ",
        ),
    ],
)
def test_builders_that_do_not_fit(body: str, said: str, builder, tmp_path: Path) -> None:
    path = Path(tf.train.Checkpoint(model=trained(keras, mlp)).save(str(tmp_path / "ckpt")))
    assert said in refusal(path, builder=builder(body))


def test_the_other_generation_of_keras(builder, tmp_path: Path) -> None:
    path = Path(tf.train.Checkpoint(model=trained(tf_keras, mlp)).save(str(tmp_path / "ckpt")))
    assert "and the Keras (keras, tf_keras) that wrote it" in refusal(path, builder=builder("return mlp()"))


def test_two_models_that_fit(builder, tmp_path: Path) -> None:
    average, model = mlp(keras), trained(keras, mlp)
    path = Path(tf.train.Checkpoint(average=average, model=model).save(str(tmp_path / "ckpt")))
    said = refusal(path, builder=builder("return mlp()"))
    assert "'average' and 'model' both fit the builder's model" in said
    feeds = samples(model)
    ours = answers(path, feeds, builder=builder("return tf.train.Checkpoint(model=mlp())"))
    np.testing.assert_allclose(ours[0], own_answers(model, feeds)[0], atol=1e-6)


def test_damage_at_any_byte(builder, tmp_path: Path) -> None:
    path = Path(tf.train.Checkpoint(model=trained(keras, mlp)).save(str(tmp_path / "ckpt")))
    made = builder("return mlp()")
    for file in sorted(tmp_path.glob("ckpt-1.*")):
        whole = file.read_bytes()
        for size in range(0, len(whole), max(1, len(whole) // 12)):
            file.write_bytes(whole[:size])
            refusal(path, builder=made)
        file.write_bytes(whole)


def test_objects_that_are_missing(builder, tmp_path: Path, monkeypatch) -> None:
    """An object graph whose numbers lead nowhere."""
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    path = Path(tf.train.Checkpoint(model=mlp(keras)).save(str(tmp_path / "ckpt")))
    graph = TrackableObjectGraph()
    graph.nodes.add().children.add(node_id=5, local_name="model")
    monkeypatch.setattr(Bundle, "read_string", lambda *_: graph.SerializeToString())
    assert "its object graph is damaged (an object is missing)" in refusal(path, builder=builder("return mlp()"))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("save_counter/.ATTRIBUTES/VARIABLE_VALUE", lambda entry: entry.shape.dim.add(size=-1)),
        ("save_counter/.ATTRIBUTES/VARIABLE_VALUE", lambda entry: entry.shape.dim.add(size=1 << 62)),
        ("save_counter/.ATTRIBUTES/VARIABLE_VALUE", lambda entry: setattr(entry, "dtype", 20)),
        ("save_counter/.ATTRIBUTES/VARIABLE_VALUE", lambda entry: entry.slices.add().extent.add(start=3, length=9)),
        ("_CHECKPOINTABLE_OBJECT_GRAPH", lambda entry: entry.shape.dim.add(size=2)),
        ("_CHECKPOINTABLE_OBJECT_GRAPH", lambda entry: setattr(entry, "dtype", 1)),
        ("_CHECKPOINTABLE_OBJECT_GRAPH", lambda entry: setattr(entry, "crc32c", 1)),
        ("_CHECKPOINTABLE_OBJECT_GRAPH", lambda entry: setattr(entry, "size", 0)),
    ],
)
def test_an_index_over_which_tensorflow_ends_the_process(key, change, builder, tmp_path: Path) -> None:
    path = Path(tf.train.Checkpoint(model=mlp(keras)).save(str(tmp_path / "ckpt")))
    index = tmp_path / "ckpt-1.index"
    entries = read_index(index)
    entry = BundleEntryProto.FromString(entries[key.encode()])
    change(entry)
    entries[key.encode()] = entry.SerializeToString()
    index.write_bytes(table(block(entries.items())))
    said = refusal(path, builder=builder("return mlp()"))
    assert said.startswith(f"{index}: {key!r} ")
