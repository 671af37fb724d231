"""One build for every form in which a model comes: all files answer as the model does in its own framework.

`pytest -rP` prints the table of differences.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.published.manifest import GOLDEN
from mobile_export.samples import load_samples
from mobile_export.session import import_tensorflow
from mobile_export.sources.keras_import import import_keras

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # Keras's own

tf = import_tensorflow()
tf1 = tf.compat.v1
FORMATS = ("tflite", "onnx", "graphdef", "memmapped", "saved_model")
TOLERANCE = 1e-5

Answers = Mapping[str, np.ndarray]
Own = Mapping[str, np.ndarray] | Mapping[int, np.ndarray]


@dataclass(frozen=True)
class Saved:
    """What a target says of a model, and the model itself, from public inputs to public outputs (or their places)."""

    model: str
    run: Callable[[Answers], Own]


# One TF1 program with two inputs, three outputs and training around it, saved in each form of its time


INPUTS = {"image": "image:0", "extra": "extra:0"}
OUTPUTS = {"probabilities": "probabilities:0", "embedding": "embedding:0", "score": "score:0"}
EDGES = "\n".join(
    [f'[[model.inputs]]\nname = "{name}"\ntensor = "{tensor}"' for name, tensor in INPUTS.items()]
    + [f'[[model.outputs]]\nname = "{name}"\ntensor = "{tensor}"' for name, tensor in OUTPUTS.items()]
)


def network() -> None:
    image, extra = (
        tf1.placeholder(tf.float32, shape, n) for n, shape in (("image", [None, 8, 8, 3]), ("extra", [None, 4]))
    )
    switch = tf1.placeholder(tf.bool, [], "is_training")

    def weights(name: str, *shape: int) -> Any:
        return tf1.get_variable(name, shape, initializer=tf1.random_normal_initializer(stddev=0.5, seed=len(shape)))

    x = tf.nn.relu(tf.nn.conv2d(image, weights("kernel", 3, 3, 3, 6), 2, "SAME") + weights("bias", 6))
    x = tf1.cond(switch, lambda: tf.nn.dropout(x, rate=0.5), lambda: x)
    x = tf.concat([tf.reduce_mean(x, [1, 2]), extra], 1)
    tf.nn.l2_normalize(x, 1, name="embedding")
    logits = tf.matmul(x, weights("head", 10, 3))
    tf.nn.softmax(logits, name="probabilities")
    tf.sigmoid(tf.matmul(x, weights("side", 10, 1)), name="score")
    labels = tf1.placeholder(tf.int64, [None], "labels")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits), name="loss")
    step = tf1.train.AdamOptimizer(0.1).minimize(loss)
    averages = tf1.train.ExponentialMovingAverage(0.5)
    with tf.control_dependencies([step]):
        averages.apply(tf1.trainable_variables())


def session_model(save: Callable[[Any, Path], str]) -> Callable[[Path], Saved]:
    """The model of a target from what `save` writes of a session."""

    def make(folder: Path) -> Saved:
        with tf.Graph().as_default() as graph:
            network()
            session = tf1.Session()
            averages = [v for v in tf1.global_variables() if "ExponentialMovingAverage" in v.name]
            session.run(tf1.variables_initializer([v for v in tf1.global_variables() if v not in averages]))
            session.run(tf1.variables_initializer(averages))
            model = save(session, folder)

        def run(samples: Answers) -> Answers:
            feeds = {INPUTS[name]: array for name, array in samples.items()}
            with graph.as_default():
                found = session.run(list(OUTPUTS.values()), {**feeds, "is_training:0": False})
            return dict(zip(OUTPUTS, found, strict=True))

        return Saved(model, run)

    return make


def checkpoint(version: int) -> Callable[[Any, Path], str]:
    def save(session: Any, folder: Path) -> str:
        tf1.train.Saver(write_version=version).save(session, str(folder / "model.ckpt"))
        return f'source = "model.ckpt"\n{EDGES}'

    return save


def averaged(session: Any, folder: Path) -> str:
    """The averages are what the weights are trained to; the weights themselves are spoiled."""
    trained = tf1.trainable_variables()
    held = session.run(trained)
    shadows = {
        v.op.name.removesuffix("/ExponentialMovingAverage"): v for v in tf1.global_variables() if "Exp" in v.name
    }
    for variable, value in zip(trained, held, strict=True):
        shadows[variable.op.name].load(value, session)
        variable.load(value + 1, session)
    model = checkpoint(tf1.train.SaverDef.V2)(session, folder)
    for variable, value in zip(trained, held, strict=True):
        variable.load(value, session)
    return f"moving_average = true\n{model}"


def graph_and_checkpoint(text: bool) -> Callable[[Any, Path], str]:
    def save(session: Any, folder: Path) -> str:
        tf1.train.Saver().save(session, str(folder / "model.ckpt"), write_meta_graph=False)
        name = "graph.pbtxt" if text else "graph.pb"
        tf1.train.write_graph(session.graph_def, str(folder), name, as_text=text)
        return f'source = "{name}"\ncheckpoint = "model.ckpt"\n{EDGES}'

    return save


def frozen(text: bool) -> Callable[[Any, Path], str]:
    def save(session: Any, folder: Path) -> str:
        nodes = [tensor.partition(":")[0] for tensor in OUTPUTS.values()]
        graph_def = tf1.graph_util.convert_variables_to_constants(session, session.graph_def, nodes)
        name = "frozen.pbtxt" if text else "frozen.pb"
        tf1.train.write_graph(graph_def, str(folder), name, as_text=text)
        return f'source = "{name}"\n{EDGES}'

    return save


def simple_saved_model(session: Any, folder: Path) -> str:
    tensors = session.graph.get_tensor_by_name
    edges = [{name: tensors(tensor) for name, tensor in named.items()} for named in (INPUTS, OUTPUTS)]
    tf1.saved_model.simple_save(session, str(folder / "saved"), *edges)
    return 'source = "saved"'


# Models of TF2


def module(folder: Path) -> Saved:
    """Two inputs, three outputs, and a fourth that is looked up in a vocabulary and left out."""
    (folder / "words.txt").write_text("one\ntwo\nthree\n")

    class Scorer(tf.Module):
        def __init__(self) -> None:
            table = tf.lookup.TextFileInitializer(
                str(folder / "words.txt"),
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
            )
            self.words = tf.lookup.StaticHashTable(table, "?")
            self.weights = tf.Variable(np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec([None, 6], name="left"), tf.TensorSpec([None, 6], name="right")])
        def score(self, left: Any, right: Any) -> dict[str, Any]:
            first, second = tf.matmul(left, self.weights), tf.matmul(right, self.weights)
            label = self.words.lookup(tf.argmax(first, 1))
            return {"first": first, "second": tf.nn.softmax(second), "both": first * second, "label": label}

    scorer = Scorer()
    tf.saved_model.save(scorer, str(folder / "saved"), scorer.score)
    names = ("first", "second", "both")
    model = 'source = "saved"\n' + "\n".join(f'[[model.outputs]]\nname = "{name}"' for name in names)

    def run(samples: Answers) -> Answers:
        answers = scorer.score(**{name: tf.constant(array) for name, array in samples.items()})
        return {name: answers[name].numpy() for name in names}

    return Saved(model, run)


def convolutional(k: Any) -> Any:
    image = x = k.Input((12, 12, 3), name="image")
    for filters in (4, 6):
        x = k.layers.Conv2D(filters, 3, use_bias=False)(x)
        x = k.layers.ReLU()(k.layers.BatchNormalization()(x))
    x = k.layers.Dropout(0.5)(k.layers.GlobalAveragePooling2D()(x))
    return k.Model(image, [k.layers.Dense(3, "softmax", name="probabilities")(x), k.layers.Dense(1, name="score")(x)])


def recurrent(k: Any) -> Any:
    steps = k.Input((7, 3), name="steps")
    return k.Model(steps, k.layers.Dense(2, name="scores")(k.layers.LSTM(4)(steps)))


BUILDER = (
    "import {0} as k\ndef build():\n    image = x = k.Input((12, 12, 3), name='image')\n"
    + "".join(
        f"    x = k.layers.Conv2D({filters}, 3, use_bias=False)(x)\n"
        "    x = k.layers.ReLU()(k.layers.BatchNormalization()(x))\n"
        for filters in (4, 6)
    )
    + (
        "    x = k.layers.Dropout(0.5)(k.layers.GlobalAveragePooling2D()(x))\n"
        "    p, s = k.layers.Dense(3, 'softmax', name='probabilities'), k.layers.Dense(1, name='score')\n"
        "    return k.Model(image, [p(x), s(x)])\n"
    )
)


def keras_model(
    package: str, save: Callable[[Any, Path], object], said: str, make: Callable[[Any], Any] = convolutional
) -> Callable[[Path], Saved]:
    def build(folder: Path) -> Saved:
        k = import_keras(package)
        k.utils.set_random_seed(1)
        model = make(k)
        save(model, folder)
        (folder / "builders.py").write_text(BUILDER.format(package))

        def run(samples: Answers) -> Own:
            (sample,) = samples.values()
            found = model(tf.constant(sample), training=False)
            return dict(enumerate(map(np.asarray, found if isinstance(found, list) else [found])))

        return Saved(said, run)

    return build


BUILT = '\nbuilder = "builders:build"'
ONE = '\n[[model.inputs]]\nname = "steps"\nshape = [1, 7, 3]'
FORMS = {
    "V2 checkpoint": session_model(checkpoint(tf1.train.SaverDef.V2)),
    "V1 checkpoint": session_model(checkpoint(tf1.train.SaverDef.V1)),
    "checkpoint, moving averages": session_model(averaged),
    "GraphDef + checkpoint": session_model(graph_and_checkpoint(text=False)),
    "text GraphDef + checkpoint": session_model(graph_and_checkpoint(text=True)),
    "frozen GraphDef": session_model(frozen(text=False)),
    "frozen text GraphDef": session_model(frozen(text=True)),
    "SavedModel of TF1": session_model(simple_saved_model),
    "SavedModel of TF2": module,
    "SavedModel of Keras 3": keras_model(
        "keras", lambda m, f: m.export(f / "saved", verbose=False), 'source = "saved"'
    ),
    "SavedModel of tf_keras": keras_model("tf_keras", lambda m, f: m.save(f / "saved"), 'source = "saved"'),
    ".keras": keras_model("keras", lambda m, f: m.save(f / "m.keras"), 'source = "m.keras"'),
    ".keras, LSTM": keras_model("keras", lambda m, f: m.save(f / "m.keras"), 'source = "m.keras"' + ONE, recurrent),
    ".h5": keras_model("keras", lambda m, f: m.save(f / "m.h5"), 'source = "m.h5"'),
    ".h5 of tf_keras": keras_model("tf_keras", lambda m, f: m.save(f / "m.h5"), 'source = "m.h5"'),
    ".weights.h5 + builder": keras_model(
        "keras", lambda m, f: m.save_weights(f / "m.weights.h5"), 'source = "m.weights.h5"' + BUILT
    ),
    "TF2 checkpoint + builder": keras_model(
        "keras", lambda m, f: tf.train.Checkpoint(net=m).save(str(f / "ckpt")), 'source = "ckpt-1"' + BUILT
    ),
}


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("form", FORMS)
def test_every_form_builds_to_every_format(form: str, tmp_path: Path, mobile_export) -> None:
    saved = FORMS[form](tmp_path)
    artifacts = "\n".join(f'[[artifacts]]\nname = "{kind}"\nformat = "{kind}"' for kind in FORMATS)
    (tmp_path / "t.toml").write_text(f'name = "model"\n[model]\n{saved.model}\n{artifacts}\n')
    ran = mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    golden = load_samples(tmp_path / "out/model" / GOLDEN)
    inputs = {name.removeprefix("inputs/"): array for name, array in golden.items() if name.startswith("inputs/")}
    own = saved.run(inputs)
    for kind in FORMATS:
        answers = {n.rpartition("/")[2]: array for n, array in golden.items() if n.startswith(f"answers/{kind}/")}
        assert len(answers) == len(own)
        order = list(answers) if 0 in own else list(own)  # a Keras model knows its outputs by their places
        worst = max(np.abs(answers[name] - mine).max() for name, mine in zip(order, own.values(), strict=True))
        print(f"| {form} | {kind} | {worst:.1e} |")
        assert worst <= TOLERANCE
