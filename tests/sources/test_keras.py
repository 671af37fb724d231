"""Keras files of both generations give the answers of the model that was saved; hostile ones run nothing."""

import json
import os
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mobile_export.errors import ModelError
from mobile_export.sources import detect, keras_file, source_of
from tests.sources.keras_models import (
    GENERATIONS,
    MODELS,
    answers,
    declare,
    keras,
    mlp,
    own_answers,
    samples,
    tf_keras,
    trained,
)

pytestmark = [  # Keras's own
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning"),
    pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`:UserWarning"),
]


def saved(model: Any, path: Path) -> Path:
    model.save(path)
    return path


def read(path: Path, **model: Any) -> Any:
    declared = declare(path, **model)
    return source_of(declared)[1].read(declared)


def refusal(path: Path, **model: Any) -> str:
    with pytest.raises(ModelError) as caught:
        read(path, **model)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_answers_are_those_of_the_model(make, generation: str, suffix: str, tmp_path: Path) -> None:
    model = trained(GENERATIONS[generation], make)
    feeds = samples(model)
    path = saved(model, tmp_path / f"model{suffix}")
    for ours, own in zip(answers(path, feeds), own_answers(model, feeds), strict=True):
        np.testing.assert_allclose(ours, own, rtol=1e-5, atol=1e-5)


def test_a_signature_has_the_models_own_names(tmp_path: Path) -> None:
    graph = read(saved(trained(keras, MODELS["several"]), tmp_path / "model.keras")).graph
    assert [(spec.name, spec.dtype, spec.shape) for spec in graph.inputs] == [
        ("left", "float32", (-1, 4)),
        ("right_hand", "float32", (-1, 4)),
    ]
    assert [spec.name for spec in graph.outputs] == ["shared", "sum", "last"]


def test_a_dictionary_gives_its_keys_as_names(tmp_path: Path) -> None:
    graph = read(saved(trained(tf_keras, MODELS["dictionaries"]), tmp_path / "model.keras")).graph
    assert {spec.name for spec in graph.inputs} == {"a", "b"}
    assert [spec.name for spec in graph.outputs] == ["y", "z"]


def test_variables_are_nodes_under_their_names(tmp_path: Path) -> None:
    model = trained(keras, mlp)
    read_back = read(saved(model, tmp_path / "model.keras"))
    kernel = next(name for name in read_back.graph.nodes if name.endswith("hidden/kernel"))
    assert read_back.graph.nodes[kernel].op == "VarHandleOp"
    np.testing.assert_array_equal(read_back.value(kernel), model.get_weights()[0])
    with pytest.raises(ModelError, match="no value is known for the variable 'other'"):
        read_back.value("other")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_operators_between_layers(generation: str, tmp_path: Path) -> None:
    def scaled(k: Any) -> Any:
        features = k.Input((4,), name="features")
        return k.Model(features, k.layers.Dense(2)(features * 2.0 + 1.0)[:, 1:])

    model = trained(GENERATIONS[generation], scaled)
    feeds = samples(model)
    ours = answers(saved(model, tmp_path / "model.keras"), feeds)
    np.testing.assert_allclose(ours[0], own_answers(model, feeds)[0], atol=1e-6)


def test_training_does_not_matter(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("somewhere")
    def strange_loss(wanted: Any, given: Any) -> Any:
        return keras.ops.mean(given - wanted)

    inside = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    inside.compile("adam", strange_loss)
    model = keras.Sequential([keras.Input((4,), name="features"), inside])
    model.compile("adam", strange_loss, metrics=["mae"])
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    path = saved(model, tmp_path / "model.keras")
    keras.saving.get_custom_objects().clear()
    feeds = samples(model)
    np.testing.assert_allclose(answers(path, feeds)[0], own_answers(model, feeds)[0], atol=1e-6)


# What a file is


@pytest.mark.parametrize(("suffix", "name"), [(".keras", "model.h5"), (".h5", "model.bin"), (".keras", "model")])
def test_the_name_does_not_matter(suffix: str, name: str, tmp_path: Path) -> None:
    model = trained(keras, mlp)
    path = saved(model, tmp_path / f"model{suffix}").rename(tmp_path / f"renamed_{name}")
    feeds = samples(model)
    np.testing.assert_allclose(answers(path, feeds)[0], own_answers(model, feeds)[0], atol=1e-6)


def test_why_a_file_is_of_this_form(tmp_path: Path) -> None:
    assert detect(saved(mlp(keras), tmp_path / "a.keras")) == ("keras", "it is an archive with config.json in it")
    assert detect(saved(mlp(keras), tmp_path / "a.h5")) == ("keras", "it is an HDF5 file")


def test_what_only_the_older_keras_loads(tmp_path: Path) -> None:
    """Files of its time say `groups` of a DepthwiseConv2D."""
    path = saved(trained(tf_keras, MODELS["convolutional"]), tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        next(layer for layer in config["config"]["layers"] if layer["class_name"] == "DepthwiseConv2D")["config"][
            "groups"
        ] = 1
        file.attrs["model_config"] = json.dumps(config)
    (note,) = read(path).notes
    assert note.startswith("loaded with tf_keras, since Keras 3 refuses it: TypeError: Unrecognized keyword arguments")


def test_what_neither_loads(tmp_path: Path) -> None:
    path = saved(mlp(keras), tmp_path / "model.keras")
    rewrite(path, lambda config: config["config"]["layers"][1]["config"].update(strange=1))
    said = refusal(path)
    assert "neither Keras 3 (" in said and "nor tf_keras (" in said and len(said) < 1000


def test_whatever_the_users_settings_of_keras_are(tmp_path: Path) -> None:
    path = saved(mlp(keras), tmp_path / "model.keras")
    (tmp_path / "home").mkdir()
    settings = {"backend": "jax", "floatx": "float16", "epsilon": 0.5, "image_data_format": "channels_first"}
    (tmp_path / "home" / "keras.json").write_text(json.dumps(settings))
    script = f"""
from pathlib import Path
from mobile_export.sources import source_of
from mobile_export.target import Model
model = Model(source=Path({str(path)!r}))
print(source_of(model)[1].read(model).graph.inputs[0])
import keras
print(keras.config.backend(), keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path / "home")}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stdout.splitlines() == [
        "features: float32[?,6] (features:0)",
        "tensorflow float32 1e-07 channels_last",
    ], ended.stderr


# Code


def rewrite(path: Path, change: Any) -> None:
    """Change the config of a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def writing(path: Path) -> str:
    return f"lambda x: (open({str(path)!r}, 'w').close(), x)[1]"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_lambda_does_not_run_unless_it_is_trusted(generation: str, suffix: str, tmp_path: Path) -> None:
    k, witness = GENERATIONS[generation], tmp_path / "witness"
    code = eval(writing(witness))
    features = k.Input((4,), name="features")
    inside = k.Sequential([k.Input((4,)), k.layers.Lambda(code, output_shape=(4,), name="sly")])
    model = k.Model(features, k.layers.Dense(2)(k.layers.Activation("relu")(inside(features))))
    path = saved(model, tmp_path / f"model{suffix}")
    witness.unlink(missing_ok=True)
    said = refusal(path)
    assert "layer 'sly' is Python code that the file carries (Lambda)" in said
    assert "trusted = true" in said
    assert not witness.exists()
    assert len(read(path, trusted=True).graph.outputs) == 1
    assert witness.exists()


CODE = {"class_name": "__lambda__", "config": {"code": "", "defaults": None, "closure": None}}
DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 4}, "registered_name": None}
HOSTILE = {
    "lambda": {"config": {"activation": CODE}},
    "function of another module": {
        "config": {
            "activation": {
                "module": "os",
                "class_name": "function",
                "config": "system",
                "registered_name": "system",
            }
        }
    },
    "function of Keras that is no part of models": {
        "config": {
            "activation": {
                "module": "keras.saving",
                "class_name": "function",
                "config": "load_model",
                "registered_name": "load_model",
            }
        }
    },
    "own name, other registered name": {"registered_name": "get_file", "module": "keras.utils"},
    "own name, other module": {"module": "subprocess"},
    "module with an own name before it": {"module": "keras;os"},
    "class of another module": {"module": "os", "class_name": "_wrap_close"},
    "TFSMLayer": {"class_name": "TFSMLayer", "config": {"filepath": "/tmp"}},
    "torch": {"class_name": "TorchModuleWrapper", "config": {"module": "x"}},
    "type spec": {"config": {"kernel_initializer": {"class_name": "__typespec__", "config": []}}},
    "words of a file": {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    "wide values": {
        "config": {"kernel_initializer": {"class_name": "__numpy__", "config": {"value": "x", "dtype": "U1000000000"}}}
    },
    "old function layer": {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}},
    "old operator layer": {"class_name": "TensorFlowOpLayer", "config": {"node_def": {"op": "ReadFile"}}},
    "name that is a list": {"class_name": ["Dense"]},
    "registered name that is a dictionary": {"registered_name": {"class_name": "Dense"}},
    "hidden in the build": {"build_config": {"input_shape": [CODE]}},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_keras_own_is_refused_before_any_loader_sees_it(change, tmp_path: Path, monkeypatch) -> None:
    path = saved(mlp(keras), tmp_path / "model.keras")
    layer = {**DENSE, **change, "config": {"name": "sly", "units": 4, **change.get("config", {})}}
    rewrite(path, lambda config: config["config"]["layers"].insert(2, layer))
    for k in GENERATIONS.values():
        monkeypatch.setattr(k.models, "load_model", lambda *_, **__: pytest.fail("a loader saw it"))
    assert "layer 'sly' " in refusal(path)


def code(folder: Path, name: str, text: str, attribute: str) -> str:
    """A module of the user's in `folder`, and a name in it."""
    (folder / f"{name}.py").write_text(text)
    return f"{name}:{attribute}"


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_custom_objects(generation: str, registered: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    k = GENERATIONS[generation]
    module = f"""
import {generation} as keras

class Doubled(keras.layers.Layer):
    def call(self, x):
        return x * 2

def thrice(x):
    return x * 3

if {registered}:
    keras.saving.register_keras_serializable("mine")(Doubled)
    keras.saving.register_keras_serializable("mine")(thrice)

OBJECTS = {{"Doubled": Doubled, "thrice": thrice}}
"""
    named = code(tmp_path, f"custom_{generation}_{registered}", module, "OBJECTS")
    monkeypatch.syspath_prepend(str(tmp_path))
    objects = __import__(named.partition(":")[0]).OBJECTS
    features = k.Input((4,), name="features")
    model = k.Model(features, k.layers.Dense(2, objects["thrice"])(objects["Doubled"](name="twice")(features)))
    feeds = samples(model)
    path = saved(model, tmp_path / "model.keras")
    own = own_answers(model, feeds)
    if not registered:
        assert "layer 'twice' is of the class 'Doubled', which is not Keras's own" in refusal(path)
    np.testing.assert_allclose(answers(path, feeds, custom_objects=named)[0], own[0], atol=1e-6)
    k.saving.get_custom_objects().clear()


def test_custom_objects_that_are_none(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = saved(mlp(keras), tmp_path / "model.keras")
    named = code(tmp_path, "custom_list", "OBJECTS = []", "OBJECTS")
    with pytest.raises(ModelError, match="custom_list:OBJECTS is a list; make it a dict"):
        read(path, custom_objects=named)


def test_words_in_the_model_are_no_code(tmp_path: Path) -> None:
    """Tables are refused later, by name; an asset is read by Keras alone."""
    words = keras.Input((1,), dtype="string", name="words")
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"], name="lookup")
    model = keras.Model(words, keras.layers.Embedding(4, 2)(lookup(words)))
    read_back = read(saved(model, tmp_path / "model.keras"))
    assert read_back.graph.inputs[0].dtype == "string"
    assert "HashTableV2" in {node.op for node in read_back.graph.nodes.values()}


# Damage


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_cut_at_any_byte(suffix: str, tmp_path: Path) -> None:
    whole = saved(mlp(keras), tmp_path / f"model{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    for size in [*range(0, 64, 7), *range(64, len(whole), len(whole) // 40), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError):
            read(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_changed_bytes_never_crash(suffix: str, tmp_path: Path) -> None:
    whole = saved(mlp(keras), tmp_path / f"model{suffix}").read_bytes()
    path, rng = tmp_path / f"changed{suffix}", np.random.default_rng(3)
    for _ in range(40):
        changed = bytearray(whole)
        for at in rng.integers(0, len(whole), 8):
            changed[at] = rng.integers(256)
        path.write_bytes(bytes(changed))
        try:
            read(path)
        except ModelError:
            continue


def packed(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name",
    ["../outside", "/outside", "assets/../../outside", "evil.pkl", "model.weights.npz", "assets\\..\\x", "assets/.x"],
)
def test_archives_with_other_members(name: str, tmp_path: Path) -> None:
    path = saved(mlp(keras), tmp_path / "model.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    assert "has no place in a Keras file" in refusal(path)
    assert not (tmp_path / "outside").exists()


def test_archives_that_lack_a_part(tmp_path: Path) -> None:
    path = packed(tmp_path / "model.keras", {"config.json": b"{}"})
    assert "there is no model.weights.h5 in the archive" in refusal(path)


def test_archives_that_unfold(tmp_path: Path) -> None:
    content = {"config.json": b"{}", "model.weights.h5": bytes(50 << 20)}
    path = packed(tmp_path / "model.keras", content, zipfile.ZIP_DEFLATED)
    assert "the archive would unfold to 52428802 bytes" in refusal(path)


def test_archives_with_a_wrong_checksum(tmp_path: Path) -> None:
    model = trained(keras, mlp)
    path = saved(model, tmp_path / "model.keras")
    whole, weights = path.read_bytes(), model.get_weights()[0].tobytes()
    assert whole.count(weights) == 1
    path.write_bytes(whole.replace(weights, weights[::-1]))
    assert "the archive is damaged (Bad CRC-32 for file 'model.weights.h5')" in refusal(path)


def test_archives_of_very_many_members(tmp_path: Path) -> None:
    path = packed(tmp_path / "model.keras", {f"assets/{index}": b"" for index in range(60_000)} | {"config.json": b""})
    started = time.monotonic()
    assert "model.weights.h5" in refusal(path)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "{}", '{"config": 1}', "[" * 100_000, "nul", '{"a": ' * 100_000, "[" * 600 + "]" * 600]
)
def test_configs_that_are_none(text: str, tmp_path: Path) -> None:
    path = saved(mlp(keras), tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        file.attrs.create("model_config", text[:60_000])
    assert "config" in refusal(path)


def link_out(file: h5py.File, elsewhere: Path) -> None:
    file["model_weights/hidden/more"] = h5py.ExternalLink(str(elsewhere), "/model_weights")


def soft_link(file: h5py.File, elsewhere: Path) -> None:
    file["model_weights/hidden/more"] = h5py.SoftLink("/model_weights")


def external_values(file: h5py.File, elsewhere: Path) -> None:
    file.create_dataset("more", (10,), "u1", external=[(str(elsewhere), 0, 10)])


def virtual_values(file: h5py.File, elsewhere: Path) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource(str(elsewhere), "x", (2,))
    file.create_virtual_dataset("more", layout)


def objects(file: h5py.File, elsewhere: Path) -> None:
    file.create_dataset("more", data=["words"], dtype=h5py.string_dtype())


def huge(file: h5py.File, elsewhere: Path) -> None:
    file.create_dataset("more", (1 << 40,), "f4", chunks=(1 << 10,), compression="gzip")


def many(file: h5py.File, elsewhere: Path) -> None:
    for index in range(200):
        file.create_dataset(f"more{index}", (1 << 20,), "u1", chunks=(1 << 10,), compression="gzip")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (link_out, "is a link to elsewhere, which is not followed"),
        (soft_link, "is a link to elsewhere, which is not followed"),
        (external_values, "lie in other files, which are not read"),
        (virtual_values, "lie in other files, which are not read"),
        (objects, "is no plain array of numbers"),
        (huge, "would unfold to"),
        (many, "would unfold to"),
    ],
)
def test_hdf5_that_leads_elsewhere(change, said: str, tmp_path: Path) -> None:
    elsewhere = saved(mlp(keras), tmp_path / "elsewhere.h5")
    path = saved(mlp(keras), tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        change(file, elsewhere)
    assert said in refusal(path)


def test_a_heap_without_an_end(tmp_path: Path, monkeypatch) -> None:
    """HDF5's own library goes round in such a file for ever."""
    path = saved(mlp(tf_keras), tmp_path / "model.h5")
    data = bytearray(path.read_bytes())
    while (at := data.find(b"GCOL")) >= 0:
        data[at : at + 4096] = b"gcol" + data[at + 4 : at + 16] + bytes(4080)
    path.write_bytes(data.replace(b"gcol", b"GCOL"))
    monkeypatch.setattr(keras_file, "_PATIENCE", 3.0)
    assert "damaged: its contents have no end" in refusal(path)


def test_groups_that_hold_each_other(tmp_path: Path) -> None:
    path = saved(mlp(keras), tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights/again"] = file["/"]
    assert len(read(path).graph.outputs) == 1


def test_weights_of_any_size_that_the_file_does_not_have(tmp_path: Path) -> None:
    path = saved(mlp(keras), tmp_path / "model.keras")
    rewrite(path, lambda config: config["config"]["layers"][1]["config"].update(units=1 << 40))
    assert "loads it" in refusal(path)


# Weights alone


def builder(folder: Path, generation: str, name: str, body: str) -> str:
    text = f"import {generation} as keras\nimport tensorflow as tf\n\ndef build():\n"
    return code(folder, name, text + "".join(f"    {line}\n" for line in body.splitlines()), "build")


MLP = """return keras.Sequential(
    [keras.Input((6,), name="features"), keras.layers.Dense(5, "relu", name="hidden"), keras.layers.Dense(3)]
)"""


@pytest.fixture
def path_of_modules(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.usefixtures("path_of_modules")
@pytest.mark.parametrize("name", ["model.weights.h5", "model.h5", "copied.hdf5"])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_weights_with_a_builder(generation: str, name: str, tmp_path: Path) -> None:
    model = trained(GENERATIONS[generation], mlp)
    path = tmp_path / name
    if name == "model.h5" and generation == "keras":
        model.save(path)  # Keras 3 writes no bare weights in this layout
    else:
        model.save_weights(tmp_path / ("model.h5" if name == "model.h5" else "model.weights.h5"))
        (tmp_path / ("model.h5" if name == "model.h5" else "model.weights.h5")).rename(path)
    feeds = samples(model)
    if not (name == "model.h5" and generation == "keras"):
        assert "holds weights and no model; add builder" in refusal(path)
    made = builder(tmp_path, generation, f"weights_{generation}_{name.partition('.')[0]}", MLP)
    np.testing.assert_allclose(answers(path, feeds, builder=made)[0], own_answers(model, feeds)[0], atol=1e-6)


@pytest.mark.usefixtures("path_of_modules")
@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("raises", "raise RuntimeError('no such data')", "raises:build failed: RuntimeError: no such data"),
        ("nothing", "return None", "nothing:build returned nothing; let it return the model"),
        ("unbuilt", "return keras.Sequential([keras.layers.Dense(3)])", "a model that has no weights yet"),
        ("number", "return 5", "takes a Keras model, and the model that number:build makes is a int"),
        ("wider", MLP.replace("5", "7"), "its weights do not fit the model that wider:build makes: ValueError"),
        ("wrong", "return keras.nothing", "wrong:build failed: AttributeError"),
    ],
)
def test_builders_that_do_not_fit(name: str, body: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    trained(keras, mlp).save_weights(path)
    made = builder(tmp_path, "keras", name, body)
    with pytest.raises(ModelError) as caught:
        read(path, builder=made)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


NEST = """
class Nest(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.blocks = [[keras.layers.Dense(4)], [keras.layers.Dense(4)]]
    def build(self, shape):
        for (block,) in self.blocks:
            block.build(shape)
    def call(self, x):
        return self.blocks[1][0](self.blocks[0][0](x))
OBJECTS = {"Nest": Nest}
def nest():
    return keras.Sequential([keras.Input((4,), name="features"), Nest(name="nest")])
"""


@pytest.mark.usefixtures("path_of_modules")
@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("name", ["model.keras", "only.weights.h5"])
def test_weights_that_keras_only_warns_of(name: str, tmp_path: Path) -> None:
    """Keras leaves a layer as it was made when an older Keras has left its weights out."""
    module = f"nest_{name.partition('.')[0]}"
    (tmp_path / f"{module}.py").write_text("import keras\n" + NEST)
    sys.path.insert(0, str(tmp_path))
    model, path = __import__(module).nest(), tmp_path / name
    model.save(path) if name == "model.keras" else model.save_weights(path)
    weights = path
    if name == "model.keras":
        with zipfile.ZipFile(path) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        weights = tmp_path / "weights.h5"
        weights.write_bytes(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        del file["layers/nest/blocks/container"]
    if name == "model.keras":
        packed(path, {**members, "model.weights.h5": weights.read_bytes()})
        assert "Skipping nested container" in refusal(path, custom_objects=f"{module}:OBJECTS")
    else:
        assert "has no weights for '" in refusal(path, builder=f"{module}:nest")
