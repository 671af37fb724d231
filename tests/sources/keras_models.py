"""Models of every kind, as either generation of Keras makes them, with weights that are not those of a fresh model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.network.forward import forward_graph
from mobile_export.session import Session
from mobile_export.sources import source_of
from mobile_export.sources.keras_import import import_keras
from mobile_export.target import Model

keras = import_keras("keras")
tf_keras = import_keras("tf_keras")
GENERATIONS = {"keras": keras, "tf_keras": tf_keras}

Make = Callable[[Any], Any]


def mlp(k: Any) -> Any:
    return k.Sequential(
        [k.Input((6,), name="features"), k.layers.Dense(5, "relu", name="hidden"), k.layers.Dense(3, name="scores")]
    )


def convolutional(k: Any) -> Any:
    x = image = k.Input((8, 8, 3), name="image")
    x = k.layers.Rescaling(1 / 255, offset=-0.5)(x)
    x = k.layers.RandomFlip()(x)
    x = k.layers.GaussianNoise(0.5)(x)
    x = k.layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.ReLU(6.0)(x)
    x = k.layers.DepthwiseConv2D(3, strides=2, activation="swish")(x)
    x = k.layers.SeparableConv2D(4, 3, padding="same", activation="gelu")(x)
    x = k.layers.GlobalAveragePooling2D()(x)
    x = k.layers.Dropout(0.5)(x)
    return k.Model(image, k.layers.Dense(3, activation="softmax", name="probabilities")(x))


def normalized(k: Any) -> Any:
    normalization = k.layers.Normalization(name="normalization")
    normalization.adapt(np.random.default_rng(0).normal(3, 2, (64, 4)).astype("float32"))
    x = features = k.Input((4,), name="features")
    return k.Model(features, k.layers.Dense(2)(normalization(x)))


def several(k: Any) -> Any:
    """Two inputs, three outputs, a layer that is used twice, and a name that is no identifier."""
    left, right = k.Input((4,), name="left"), k.Input((4,), name="right-hand")
    shared = k.layers.Dense(3, "tanh", name="shared")
    a, b = shared(left), shared(right)
    added = k.layers.Add(name="sum")([a, b])
    return k.Model([left, right], [a, added, k.layers.Dense(2, name="last")(added)])


def dictionaries(k: Any) -> Any:
    inputs = {"b": k.Input((4,), name="b"), "a": k.Input((2,), name="a")}
    joined = k.layers.Concatenate()([inputs["b"], inputs["a"]])
    return k.Model(inputs, {"z": k.layers.Dense(2)(joined), "y": k.layers.Dense(3)(joined)})


def nested(k: Any) -> Any:
    inside = k.Sequential([k.Input((4,)), k.layers.Dense(5), k.layers.BatchNormalization()], name="inside")
    features = k.Input((4,), name="features")
    x = k.layers.LeakyReLU()(inside(features))
    middle = k.Input((5,), name="middle")
    head = k.Model(middle, k.layers.Dense(2, kernel_regularizer="l2")(middle), name="head")
    return k.Model(features, head(x))


def recurrent(k: Any) -> Any:
    steps = k.Input((7, 3), name="steps")
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(steps)
    x = k.layers.GRU(5)(x)
    return k.Model(steps, k.layers.Dense(2)(x))


def attentive(k: Any) -> Any:
    tokens = k.Input((6,), dtype="int32", name="tokens")
    x = k.layers.Embedding(20, 8)(tokens)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, k.layers.MultiHeadAttention(2, 4)(x, x)]))
    return k.Model(tokens, k.layers.Dense(3)(k.layers.GlobalAveragePooling1D()(x)))


MODELS: dict[str, Make] = {
    make.__name__: make
    for make in (mlp, convolutional, normalized, several, dictionaries, nested, recurrent, attentive)
}


def trained(k: Any, make: Make) -> Any:
    """A model with weights that no initializer gives: biases, means and variances included."""
    model = make(k)
    rng = np.random.default_rng(7)
    model.set_weights(
        [
            rng.uniform(0.2, 0.8, value.shape).astype(value.dtype) if value.dtype.kind == "f" else value
            for value in model.get_weights()
        ]
    )
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # of Normalization, after its weights have changed
            layer.finalize_state()
    return model


def samples(model: Any) -> dict[str, Any]:
    """Three inputs for each of a model's own, by the names that they get."""
    rng = np.random.default_rng(1)
    found = {}
    for tensor in model.inputs:
        shape, dtype = (3, *tensor.shape[1:]), str(getattr(tensor.dtype, "name", tensor.dtype))
        values = rng.normal(size=shape) if dtype == "float32" else rng.integers(0, 20, shape)
        found[tensor.name.replace("-", "_")] = values.astype(dtype)
    return found


def declare(path: Path, **model: Any) -> Model:
    """`[model]` of a target beside the model."""
    return Model.model_validate({"source": path, **model}, context={"folder": path.parent})


def answers(path: Path, feeds: dict[str, Any], **model: Any) -> list[Any]:
    """What the exported graph of the model at `path` gives, in the order of its outputs."""
    declared = declare(path, **model)
    graph = forward_graph(source_of(declared)[1].read(declared), declared)
    assert {spec.name for spec in graph.inputs} == set(feeds)
    with Session(graph) as session:
        return list(session(feeds).values())


def own_answers(model: Any, feeds: dict[str, Any]) -> list[Any]:
    """What the live model gives, in the same order."""
    import tensorflow as tf

    try:
        structure = model.input
    except AttributeError:  # a Sequential that nothing has called
        structure = model.inputs[0]
    by_name = {t.name.replace("-", "_"): feeds[t.name.replace("-", "_")] for t in model.inputs}
    packed = tf.nest.map_structure(lambda t: by_name[t.name.replace("-", "_")], structure)
    return [np.asarray(answer) for answer in tf.nest.flatten(model(packed, training=False))]
