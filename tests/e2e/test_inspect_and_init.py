"""`inspect` and `init` as they are typed, on models that nobody described; and what `init` wrote, built."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sources.training import Net, dense, mlp, save, tf, tf1, trained

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:.*copy keyword:DeprecationWarning"),  # Keras, while it saves
]


def image(rows: int | None = None) -> Any:
    return tf1.placeholder(tf.float32, [rows, 6], "image")


def heads() -> Net:
    """A batch of five baked in, and two heads."""
    x = image(5)
    hidden = tf.nn.relu(dense(tf.reshape(x, [5, 6]), 8, "hidden"))
    kind, box = tf.nn.softmax(dense(hidden, 3, "kind"), name="kind/out"), dense(hidden, 4, "box")
    step = tf1.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_mean(kind) + tf.reduce_mean(tf.square(box)))
    return Net([x], [kind, box], {}, {}, step)


def pipeline() -> Net:
    data = tf1.data.Dataset.from_tensor_slices(np.ones((8, 6), np.float32)).batch(4).repeat()
    answer = tf.nn.softmax(dense(tf1.data.make_one_shot_iterator(data).get_next(), 3, "logits"), name="answer")
    return Net([], [answer], {}, {}, tf1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(answer)))


def noisy() -> Net:
    x = image()
    mean = dense(x, 8, "mean")
    return trained(x, dense(mean + tf.random.normal(tf.shape(mean), name="noise"), 3, "logits"), {}, {})


def checkpoint(build: Callable[[], Net]) -> Callable[[Path], Path]:
    return lambda folder: save(build, folder).prefix


class Words(tf.Module):
    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        words = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table, self.asset = tf.lookup.StaticHashTable(words, 0), words
        self.vectors = tf.Variable(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def __call__(self, word: Any) -> Any:
        return {"scores": tf.nn.softmax(tf.gather(self.vectors, self.table.lookup(word)))}


def with_a_vocabulary(folder: Path) -> Path:
    (folder / "words.txt").write_text("a\nb\nc\n")
    module = Words(folder / "words.txt")
    tf.saved_model.save(module, str(folder / "words"), signatures=module.__call__)
    return folder / "words"


def keras(folder: Path) -> Path:
    layers = [tf.keras.Input([8, 8, 3]), tf.keras.layers.Conv2D(4, 3, activation="relu"), tf.keras.layers.Flatten()]
    tf.keras.Sequential([*layers, tf.keras.layers.Dense(3, activation="softmax")]).save(folder / "net.keras")
    return folder / "net.keras"


MODELS = {
    "checkpoint": checkpoint(mlp),
    "heads": checkpoint(heads),
    "pipeline": checkpoint(pipeline),
    "noisy": checkpoint(noisy),
    "words": with_a_vocabulary,
    "keras": keras,
}


@pytest.mark.parametrize("name", MODELS)
def test_what_init_writes_builds_as_it_is(name: str, tmp_path: Path, mobile_export) -> None:
    path = tmp_path / "t.toml"
    ran = mobile_export("init", MODELS[name](tmp_path), "--out", path, "--name", name)
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{path}: 9 artifacts; build them with: mobile-export build ")
    built = mobile_export("build", path, "--out", tmp_path / "out")
    assert built.code == 0, built.err
    assert (tmp_path / "out" / name / "manifest.json").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="there, no file has such a name")
def test_any_path_will_do(tmp_path: Path, mobile_export, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = 'two words, "quoted", it\'s back\\slash #[x] = é🙂'
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "plain").mkdir()
    save(mlp, tmp_path / "plain")
    monkeypatch.chdir(tmp_path)
    Path("plain").rename(folder)  # TensorFlow itself takes brackets for a pattern
    ran = mobile_export("init", Path(folder, "model.ckpt"), "--name", "x", "--platform", "ios")
    assert ran.code == 0, ran.err
    monkeypatch.chdir(tmp_path / "elsewhere")
    ran = mobile_export("build", "../x.toml", "--artifact", "x_graphdef")
    assert ran.code == 0, ran.err


def test_init_overwrites_nothing(tmp_path: Path, mobile_export) -> None:
    path = tmp_path / "t.toml"
    path.write_text("mine")
    ran = mobile_export("init", save(mlp, tmp_path).prefix, "--out", path)
    assert (ran.code, ran.err) == (
        6,
        f"error: {path}: is there already, and is not overwritten; choose another file with --out\n",
    )
    assert path.read_text() == "mine"


def test_inspect_shows_candidates_where_a_build_asks(tmp_path: Path, mobile_export) -> None:
    ran = mobile_export("inspect", save(heads, tmp_path).prefix)
    assert ran.code == 0, ran.err
    for shown in ("not clear; candidates", "*  out  ", "kind/out:0", "box/add:0", "image float32[1,6]", "ok  "):
        assert shown in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100


def test_inspect_as_json(tmp_path: Path, mobile_export) -> None:
    ran = mobile_export("inspect", save(mlp, tmp_path).prefix, "--format", "json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["network"]["parameters"] == 83
    assert {v["format"]: v["outcome"] for v in found["formats"]} == dict.fromkeys(
        ["tflite", "onnx", "ort", "graphdef", "memmapped", "saved_model"], "ok"
    )
    ran = mobile_export("inspect", tmp_path / "model.ckpt", "--format", "json", "--no-convert")
    assert json.loads(ran.out)["formats"] == []


def test_inspect_shows_what_a_hostile_model_is(tmp_path: Path, mobile_export) -> None:
    written = tmp_path / "written"

    def build() -> Net:
        x = image()
        with tf.control_dependencies([tf.io.write_file(str(written), "x")]):
            return trained(x, dense(x, 3, "logits"), {}, {})

    prefix = save(build, tmp_path).prefix
    written.unlink()  # by training
    ran = mobile_export("inspect", prefix)
    assert ran.code == 0, ran.err
    assert "1 WriteFile" in ran.out
    assert "a model that reads or writes files is not let in" in ran.out
    assert not written.exists()
    ran = mobile_export("init", prefix, "--out", tmp_path / "t.toml")
    assert ran.code == 3
    assert not (tmp_path / "t.toml").exists()


def test_what_cannot_be_read(tmp_path: Path, mobile_export) -> None:
    prefix = save(mlp, tmp_path).prefix
    meta = Path(f"{prefix}.meta")
    meta.write_bytes(meta.read_bytes()[:1000])
    for command in ("inspect", "init"):
        ran = mobile_export(command, prefix)
        assert (ran.code, ran.out) == (3, "")
        assert str(meta) in ran.err
        assert ran.err.count("\n") == 1
    assert mobile_export("inspect", tmp_path / "none").code == 3
    assert mobile_export("inspect", prefix, "--builder", "no code").code == 2


def test_code_is_looked_for_beside_the_target(tmp_path: Path, mobile_export) -> None:
    (tmp_path / "maker_of_nets.py").write_text(
        "import tensorflow as tf\n"
        "def build():\n"
        "    return tf.keras.Sequential([tf.keras.Input([4]), tf.keras.layers.Dense(3)])\n"
    )
    model = tf.keras.Sequential([tf.keras.Input([4]), tf.keras.layers.Dense(3)])
    model.save_weights(tmp_path / "net.weights.h5")
    target = tmp_path / "t.toml"
    ran = mobile_export("init", tmp_path / "net.weights.h5", "--builder", "maker_of_nets:build", "--out", target)
    assert ran.code == 0, ran.err
    assert 'builder = "maker_of_nets:build"' in target.read_text()
    ran = mobile_export("build", target, "--out", tmp_path / "out", "--artifact", "net_graphdef")
    assert ran.code == 0, ran.err
