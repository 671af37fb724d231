"""Recurrent models in every form and with both kinds of loops, built to all formats."""

from pathlib import Path

import pytest

from mobile_export.session import import_tensorflow
from tests.loops import bidirectional, control_flow, recurrent, weights

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # Keras's own

FILES = [(f"lite_{p}", "tflite", p) for p in ("float32", "float16", "dynamic")]
FILES += [(f, f, "float32") for f in ("onnx", "graphdef", "memmapped")]


@pytest.fixture
def build(tmp_path, mobile_export):
    """Builds a target with these lines in `[model]` to all formats; the limits of each precision are checked."""

    def run(model: str):
        lines = ['name = "t"', "[model]", model]
        lines += [f'[[artifacts]]\nname = "{n}"\nformat = "{f}"\nprecision = "{p}"' for n, f, p in FILES]
        (tmp_path / "t.toml").write_text("\n".join(lines))
        return mobile_export("build", tmp_path / "t.toml", "--out", tmp_path / "out")

    return run


def published(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "out/t/assets/models/t").iterdir()}


@pytest.fixture(params=[1, 2], ids=["Enter and Exit", "While"])
def checkpoint(request, tmp_path) -> Path:
    """Convolution, two recurrent layers in opposite directions, one more, softmax; any batch."""
    tf = import_tensorflow()
    tf1, prefix = tf.compat.v1, tmp_path / "model.ckpt"
    with control_flow(request.param), tf.Graph().as_default():
        x = tf1.placeholder(tf.float32, [None, 6, 8, 1], "input")
        w = tf1.get_variable("w", initializer=weights(3, 3, 1, 4))
        y = tf.reshape(tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME")), [-1, 6, 32])
        y = recurrent(bidirectional(y), 4)
        tf.nn.softmax(tf.tensordot(y, weights(4, 3), 1), name="probabilities")
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            tf1.train.Saver().save(session, str(prefix))
    return prefix


EDGES = """[[model.inputs]]
name = "image"
tensor = "input:0"
{shape}
[[model.outputs]]
name = "probabilities"
tensor = "probabilities:0"
"""


def test_a_checkpoint(checkpoint, build, tmp_path) -> None:
    source = f'source = "{checkpoint.as_posix()}"\n'
    ran = build(source + EDGES.format(shape="shape = [1, 6, 8, 1]"))
    assert ran.code == 0, ran.err
    assert published(tmp_path) == {name for name, *_ in FILES}


def test_a_checkpoint_with_any_batch_is_refused_with_what_to_do(checkpoint, build) -> None:
    ran = build(f'source = "{checkpoint.as_posix()}"\n' + EDGES.format(shape=""))
    assert ran.code == 4
    assert "give 'image' a shape without -1 in [[model.inputs]], such as a batch of 1" in ran.err


def test_keras_layers(build, tmp_path) -> None:
    """LSTM in both directions, GRU, a convolutional LSTM, layers applied to each step; with what comes before it."""
    import_tensorflow()
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    frames = keras.Input((4, 8, 8, 1), name="frames")
    x = layers.ConvLSTM2D(2, 3, return_sequences=True)(frames)
    x = layers.TimeDistributed(layers.Flatten())(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.RNN([layers.LSTMCell(4), layers.GRUCell(4)], return_sequences=True)(x)
    y = layers.GRU(4, reset_after=True, name="last")(layers.Masking()(x))
    keras.Model(frames, layers.Dense(3, activation="softmax", name="scores")(y)).save(tmp_path / "model.keras")
    ran = build('source = "model.keras"\n[[model.inputs]]\nname = "frames"\nshape = [1, 4, 8, 8, 1]')
    assert ran.code == 0, ran.err
    assert published(tmp_path) == {name for name, *_ in FILES}
