"""Damaged and hostile models of every form: exit 3, one sentence that names the file, soon; nothing is written."""

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.protos import GraphDef
from mobile_export.network.forward import forward_graph
from mobile_export.session import import_tensorflow
from mobile_export.sources import source_of
from mobile_export.target import Model
from tests.e2e.conftest import tree
from tests.sources import keras_models, training

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Keras's own
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning"),
]

tf1 = import_tensorflow().compat.v1

SOON = 30.0
"""Seconds; most of them for the server of workers, which starts once."""

BUILDER = """import keras
def build():
    layers = [keras.Input((6,), name="features"), keras.layers.Dense(5, "relu"), keras.layers.Dense(3)]
    return keras.Sequential(layers)
"""


def frozen(folder: Path) -> None:
    model = Model(source=training.save(training.mlp, folder).prefix)
    graph = forward_graph(source_of(model)[1].read(model), model)
    for file in folder.iterdir():
        file.unlink()
    (folder / "graph.pb").write_bytes(graph.to_graph_def().SerializeToString())


def saved_model(folder: Path) -> None:
    tf = import_tensorflow()
    words = folder.parent / "words.txt"
    words.write_text("cat\ndog\nbird\n")
    module = tf.Module()
    module.w = tf.Variable(tf.ones([4, 3]))
    filler = tf.lookup.TextFileInitializer(str(words), tf.int64, -1, tf.string, -2)
    module.table = tf.lookup.StaticHashTable(filler, "?")

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
    def serve(x: Any) -> Any:
        y = x @ module.w
        return {"y": y, "word": module.table.lookup(tf.argmax(y, 1))}

    tf.saved_model.save(module, str(folder), signatures=serve)
    words.unlink()


def object_checkpoint(folder: Path) -> None:
    model = keras_models.trained(keras_models.keras, keras_models.mlp)
    import_tensorflow().train.Checkpoint(model=model).save(str(folder / "ckpt"))
    (folder / "hostile_builder.py").write_text(BUILDER)


def keras_file(generation: str, name: str) -> Callable[[Path], None]:
    k = keras_models.GENERATIONS[generation]
    return lambda folder: keras_models.trained(k, keras_models.mlp).save(folder / name)


FORMS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "V2 checkpoint": (lambda folder: training.save(training.mlp, folder), "", ""),
    "V1 checkpoint": (
        lambda folder: training.save(training.mlp, folder, lambda: tf1.train.Saver(write_version=1)),
        "",
        "",
    ),
    "frozen": (frozen, "graph.pb", ""),
    "SavedModel": (saved_model, "", '[[model.outputs]]\nname = "y"'),
    "object checkpoint": (object_checkpoint, "", 'builder = "hostile_builder:build"'),
    "keras": (keras_file("keras", "model.keras"), "model.keras", ""),
    "h5": (keras_file("tf_keras", "model.h5"), "model.h5", ""),
}
"""Of each form: what saves it, the path below its folder that is its source, and more of [model]."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name, (save, _, _) in FORMS.items():
        (root / name).mkdir()
        save(root / name)
    return root


@pytest.fixture
def copy(models: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A model of a form, to spoil, with a target beside its folder and something published before."""

    def make(form: str) -> Path:
        shutil.copytree(models / form, tmp_path / "model", symlinks=True)
        write_target(tmp_path, f"model/{FORMS[form][1]}", FORMS[form][2])
        for module in (tmp_path / "model").glob("*.py"):
            shutil.move(module, tmp_path)
        return tmp_path / "model"

    return make


def write_target(folder: Path, source: str, more: str) -> None:
    (folder / "out/other").mkdir(parents=True)
    (folder / "out/other/file").write_text("published before")
    (folder / "target.toml").write_text(
        f'name = "hostile"\n[model]\nsource = "{source}"\n{more}\n[[artifacts]]\nname = "a"\nformat = "graphdef"\n'
    )


def assert_refused(ran_in: Path, mobile_export: Any, *words: str, code: int = 3) -> None:
    before = tree(ran_in / "out")
    started = time.monotonic()
    ran = mobile_export("build", ran_in / "target.toml", "--out", ran_in / "out")
    assert ran.code == code, ran.err
    assert time.monotonic() - started < SOON
    assert "Traceback" not in ran.err
    assert "bug of mobile-export" not in ran.err
    (said,) = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    for word in words:
        assert word in said
    assert tree(ran_in / "out") == before


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".py"]


# Damage


DAMAGED = {
    "V2 checkpoint": "model.ckpt.meta",
    "V1 checkpoint": "model.ckpt",
    "frozen": "graph.pb",
    "SavedModel": "saved_model.pb",
    "object checkpoint": "ckpt-1.data-00000-of-00001",
    "keras": "model.keras",
    "h5": "model.h5",
}


@pytest.mark.parametrize(("form", "name"), DAMAGED.items())
def test_a_file_that_is_cut_short(form: str, name: str, copy, mobile_export) -> None:
    path = copy(form) / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert_refused(path.parent.parent, mobile_export, path.name)


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def changed(rng: random.Random, data: bytes) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.randrange(1, 9)):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)


def long_number(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + b"\xff" * 9 + b"\x01" + data[at:]


@pytest.mark.parametrize("form", FORMS)
def test_what_the_build_does_before_its_workers_never_fails(form: str, copy) -> None:
    """It detects the form and lists the files in its own process, which must stand anything."""
    folder = copy(form)
    model = Model(source=folder / FORMS[form][1])
    rng = random.Random(form)
    for path in files_of(folder):
        data = path.read_bytes()
        for _ in range(60):
            path.write_bytes(rng.choice((cut, changed, long_number))(rng, data))
            try:
                source_of(model)[1].files(model)
            except (ModelError, TargetError) as error:
                assert "\n" not in str(error)
        path.write_bytes(data)


# What is no file, or no file of that size


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("V2 checkpoint", "model.ckpt.index"),
        ("V2 checkpoint", "model.ckpt.meta"),
        ("V1 checkpoint", "model.ckpt.meta"),
        ("frozen", "graph.pb"),
        ("SavedModel", "variables/variables.index"),
    ],
)
def test_a_file_of_ten_terabytes_that_takes_no_room(form: str, name: str, copy, mobile_export) -> None:
    path = copy(form) / name
    os.truncate(path, 10 << 40)
    assert_refused(path.parents[name.count("/") + 1], mobile_export, path.name)


@pytest.mark.parametrize("content", [b"", b'model_checkpoint_path: "model.ckpt"\n', b"\n" * (1 << 20)])
def test_a_state_of_ten_terabytes(content: bytes, copy) -> None:
    folder = copy("V2 checkpoint")
    (folder / "checkpoint").write_bytes(content)
    os.truncate(folder / "checkpoint", 10 << 40)
    model = Model(source=folder)
    started = time.monotonic()
    assert source_of(model)[1].files(model)
    assert time.monotonic() - started < 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
@pytest.mark.parametrize("form", FORMS)
def test_a_pipe_in_place_of_a_file_is_not_waited_for(form: str, copy) -> None:
    folder = copy(form)
    model = Model(source=folder / FORMS[form][1])
    needed = source_of(model)[1].files(model)
    for path in needed:
        data = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        try:
            assert path not in source_of(model)[1].files(model)
        except ModelError as error:
            assert str(folder) in str(error)
        path.unlink()
        path.write_bytes(data)


# What leads elsewhere


def test_a_state_that_leaves_its_folder(copy, mobile_export) -> None:
    folder = copy("V2 checkpoint")
    (folder / "checkpoint").write_text('model_checkpoint_path: "../../elsewhere/other.ckpt"\n')
    assert_refused(folder.parent, mobile_export, "names 'other.ckpt', which is not in this folder")


def test_words_that_are_a_link_out_of_the_folder(copy, mobile_export) -> None:
    folder = copy("SavedModel")
    secret = folder.parent / "secret.txt"
    secret.write_text("not the model's\n")
    (folder / "assets/words.txt").unlink()
    (folder / "assets/words.txt").symlink_to(secret)
    assert_refused(folder.parent, mobile_export, "words.txt: is a link to", "secret.txt")


# Graphs that ask for too much


def constant(graph: GraphDef, name: str, dtype: int, *sizes: int, **values: Any) -> None:
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = node.attr["value"].tensor.dtype = dtype
    for size in sizes:
        node.attr["value"].tensor.tensor_shape.dim.add(size=size)
    for key, value in values.items():
        getattr(node.attr["value"].tensor, key).extend(value)


def add(graph: GraphDef, name: str, op: str, *inputs: str, **types: int) -> None:
    node = graph.node.add(name=name, op=op, input=inputs)
    for key, number in types.items():
        node.attr[key].type = number


def splat(graph: GraphDef) -> None:
    constant(graph, "big", 1, 1 << 40, float_val=[1.0])


def filled(graph: GraphDef) -> None:
    constant(graph, "sizes", 9, 1, int64_val=[1 << 40])
    constant(graph, "value", 1, float_val=[1.0])
    add(graph, "fill", "Fill", "sizes", "value", T=1, index_type=9)
    constant(graph, "axis", 3, 1, int_val=[0])
    add(graph, "big", "Sum", "fill", "axis", T=1, Tidx=3)


def words(graph: GraphDef) -> None:
    constant(graph, "big", 7, 4, string_val=[b"a"] * 4)


def circle(graph: GraphDef) -> None:
    add(graph, "big", "Neg", "y", T=1)


@pytest.mark.parametrize(
    ("build", "said"),
    [(splat, "'big'"), (filled, "'fill'"), (words, "string from big:0"), (circle, "cycle")],
    ids=["splat", "filled", "words", "circle"],
)
def test_a_graph_that_asks_for_too_much(build: Callable[[GraphDef], None], said: str, tmp_path, mobile_export) -> None:
    graph = GraphDef()
    graph.versions.producer = 1000
    add(graph, "x", "Placeholder", dtype=1)
    graph.node[0].attr["shape"].shape.dim.add(size=4)
    build(graph)
    add(graph, "y", "AddV2", "x", "big", T=1)
    (tmp_path / "model.pb").write_bytes(graph.SerializeToString())
    write_target(tmp_path, "model.pb", '[[model.outputs]]\nname = "y"\ntensor = "y:0"')
    assert_refused(tmp_path, mobile_export, said)
