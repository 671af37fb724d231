"""What the converter writes without weights and with them has to be the same file, but for the order of its tables."""

from collections.abc import Callable
from typing import Any

import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats import tflite_converter, tflite_weights
from mobile_export.formats.flatbuffer import constant, operator_name, read_model, reads, walk
from mobile_export.formats.tflite_converter import convert
from mobile_export.formats.tflite_weights import put_back, skeletons
from mobile_export.graphs.graph import Graph
from mobile_export.transforms.fold_affine import fold_affine
from mobile_export.transforms.strip import strip
from tests.formats.tf_graphs import make_graph, mobile_net, weights

Layers = Callable[[Any, Any], Any]


def grouped(tf: Any, x: Any) -> Any:
    return tf.nn.relu(tf.nn.conv2d(x, weights(1, 3, 3, 4, 16), 1, "SAME"))


def dilated(tf: Any, x: Any) -> Any:
    return tf.nn.conv2d(x, weights(1, 3, 3, 8, 4), 1, "SAME", dilations=2) + weights(2, 4)


def depthwise(tf: Any, x: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, weights(1, 3, 3, 8, 2), [1, 1, 1, 1], "VALID")


def matrices(tf: Any, x: Any) -> Any:
    x = tf.nn.relu6(tf.matmul(tf.reshape(x, [1, -1]), weights(1, 512, 8)) + weights(2, 8))
    return tf.matmul(x, weights(3, 6, 8), transpose_b=True)


def one_square_matrix_twice(tf: Any, x: Any) -> Any:
    matrix = tf.constant(weights(1, 8, 8))
    x = tf.nn.relu(tf.matmul(tf.reduce_mean(x, [1, 2]), matrix))
    return tf.matmul(tf.nn.tanh(tf.matmul(x, matrix, transpose_b=True)), matrix)


def scaled_behind(tf: Any, x: Any) -> Any:
    return tf.nn.conv2d(x, weights(1, 1, 1, 8, 4), 1, "SAME") * weights(2, 4)


def scaled_before(tf: Any, x: Any) -> Any:
    return tf.matmul(tf.reduce_mean(x, [1, 2]) * weights(2, 8), weights(1, 8, 4))


def computed(tf: Any, x: Any) -> Any:
    return tf.nn.conv2d(x, tf.transpose(tf.constant(weights(1, 1, 1, 4, 8)), [0, 1, 3, 2]), 1, "SAME")


SAME = (grouped, dilated, depthwise, matrices)
OTHER = (scaled_behind, scaled_before, one_square_matrix_twice)


def graph_of(layers: Layers) -> Graph:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [1, 8, 8, 8], name="x")
        return [x], [layers(tf, x)]

    return make_graph(build, ["x"], ["y"])


def described(content: bytes) -> list[tuple[Any, ...]]:
    """Every operator with its version, its options, what it reads (constants by value), and what it writes."""
    model = read_model(content)
    found = []
    for subgraph, operator, code in walk(model):
        tensors = [subgraph.tensors[index] for index in reads(operator)]
        values = [None if constant(model, t) is None else bytes(constant(model, t)) for t in tensors]
        names = [t.name if value is None else b"" for t, value in zip(tensors, values, strict=True)]
        options = sorted(vars(operator.builtinOptions).items()) if operator.builtinOptions else []
        version = model.operatorCodes[operator.opcodeIndex].version
        written = [subgraph.tensors[index].name for index in operator.outputs]
        shapes = [tuple(t.shape) for t in tensors]
        found.append((operator_name(code), version, str(options), names, values, shapes, written))
    return found


def both(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """Files converted without weights, however small, and with them."""
    monkeypatch.setattr(tflite_converter, "skeletons", lambda whole: skeletons(whole, least=1))
    light = convert(graph)
    monkeypatch.setattr(tflite_converter, "skeletons", lambda whole: ())
    return light, convert(graph)


def tries(graph: Graph) -> list[bool]:
    """Whether the skeletons that were converted take their weights, one after the other."""
    found: list[bool] = []

    def watched(model: Any, held: tflite_weights.Held) -> bool:
        found.append(put_back(model, held))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tflite_converter, "skeletons", lambda whole: skeletons(whole, least=1))
        patch.setattr(tflite_converter, "put_back", watched)
        convert(graph)
    return found


@pytest.mark.parametrize("layers", SAME)
def test_the_file_is_that_of_the_whole_graph(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(layers)
    assert tries(graph) == [True]
    light, whole = both(graph, monkeypatch)
    assert described(light) == described(whole)
    assert abs(len(light) - len(whole)) <= 128


def test_a_network_whose_matrices_have_any_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = strip(fold_affine(make_graph(mobile_net, ["image"], ["probabilities"])))
    assert tries(graph) == [False, True]
    light, whole = both(graph, monkeypatch)
    assert described(light) == described(whole)


@pytest.mark.parametrize("layers", OTHER)
def test_weights_that_the_converter_treats_otherwise_are_not_put_back(
    layers: Layers, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = graph_of(layers)
    assert tries(graph) == [False]
    light, whole = both(graph, monkeypatch)
    assert light == whole


def held(graph: Graph, least: int = 1) -> list[tflite_weights.Held]:
    return [held for _, held in skeletons(graph, least)]


def test_only_weights_of_layers_are_held_back() -> None:
    assert held(graph_of(computed)) == []
    graph = graph_of(grouped)
    ((light, weights),) = skeletons(graph, least=1)
    (name,) = weights
    assert weights[name] is graph.constants[name]
    assert name not in light.constants
    assert [spec.name for spec in light.inputs] == ["x", name]
    assert held(graph, least=1 << 16) == []
    graph.outputs = (*graph.outputs, light.inputs[1])
    assert held(graph) == []


def test_what_the_converter_refuses_without_weights_it_gets_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [None, 6, 8], name="x")
        matrix = tf.constant(weights(1, 8, 8))
        return [x], [tf.raw_ops.Betainc(a=tf.abs(x), b=tf.abs(x), x=x), tf.matmul(x[:, 0], matrix)]

    monkeypatch.setattr(tflite_converter, "skeletons", lambda whole: skeletons(whole, least=1))
    with pytest.raises(ConversionError, match="Betainc"):
        convert(make_graph(build, ["x"], ["y", "z"]))
