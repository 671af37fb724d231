"""What cannot stay, and where it is cut off: before the network, behind it, or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobile_export.advice import naming_cuts, where_to_cut
from mobile_export.errors import ConversionError, ModelError
from mobile_export.graphs.cuts import Cut, Obstacle, cut, unportable
from mobile_export.graphs.graph import Graph
from mobile_export.session import import_tensorflow
from tests.formats.tf_graphs import Build, make_graph, weights

raw = import_tensorflow().raw_ops


def dense(tf: Any, x: Any, name: str | None = None) -> Any:
    return tf.matmul(x, weights(1, x.shape[-1], 3), name=name)


def speech(tf: Any) -> Any:
    wav = tf.placeholder(tf.string, [], "wav")
    sound = raw.DecodeWav(contents=wav, desired_channels=1, desired_samples=1600)
    spectrum = raw.AudioSpectrogram(input=sound.audio, window_size=640, stride=320)
    features = raw.Mfcc(spectrogram=spectrum, sample_rate=sound.sample_rate, dct_coefficient_count=10, name="mfcc")
    return [wav], [tf.nn.softmax(dense(tf, tf.reshape(features, [-1, 40])))]


def photograph(tf: Any) -> Any:
    jpeg = tf.placeholder(tf.string, [], "jpeg")
    pixels = tf.expand_dims(tf.cast(tf.image.decode_jpeg(jpeg, channels=3), tf.float32), 0)
    scaled = (tf.image.resize_bilinear(pixels, [8, 8]) - 128.0) / 128.0
    return [jpeg], [dense(tf, tf.reduce_mean(tf.nn.conv2d(scaled, weights(2, 3, 3, 3, 4), 1, "SAME"), [1, 2]))]


def records(tf: Any) -> Any:
    """As an Estimator exports itself: records of features in, scores and the names of classes out."""
    serialized = tf.placeholder(tf.string, [None], "input_example_tensor")
    of = tf.io.FixedLenFeature
    spec = {"age": of([1], tf.float32), "height": of([2], tf.float32), "name": of([1], tf.string, "")}
    features = tf.io.parse_example(serialized, spec)
    scores = tf.nn.softmax(dense(tf, tf.concat([features["age"], features["height"] * 2.0], 1)), name="scores")
    classes = tf.tile(tf.constant([["a", "b", "c"]]), [tf.shape(scores)[0], 1])
    return [serialized], [scores, classes]


def words(tf: Any) -> Any:
    """Text in: looked up, then embedded."""
    text = tf.placeholder(tf.string, [None], "text")
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(["a", "b"]), tf.constant([1, 2], tf.int64))
    numbers = tf.lookup.StaticHashTable(pairs, 0).lookup(tf.strings.lower(text), name="numbers")
    return [text], [dense(tf, tf.gather(tf.constant(weights(3, 3, 4)), numbers))]


def named_classes(tf: Any) -> Any:
    """The three best classes, by name."""
    x = tf.placeholder(tf.float32, [None, 4], "x")
    values, indices = tf.nn.top_k(tf.nn.softmax(dense(tf, x)), 2, name="top")
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1, 2]), tf.constant(["a", "b", "c"]))
    return [x], [values, tf.lookup.StaticHashTable(pairs, "?", name="table").lookup(indices)]


def passed_through(tf: Any) -> Any:
    key, x = tf.placeholder(tf.string, [None], "key"), tf.placeholder(tf.float32, [None, 4], "x")
    return [key, x], [tf.identity(key), dense(tf, x, "y")]


def noise(tf: Any) -> Any:
    """A variational autoencoder draws between its halves."""
    x = tf.placeholder(tf.float32, [None, 4], "x")
    mean = dense(tf, x)
    return [x], [dense(tf, mean + tf.exp(dense(tf, x)) * tf.random_normal(tf.shape(mean), name="noise"), "y")]


def drawn_answers(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [None, 4], "x")
    return [x], [tf.multinomial(dense(tf, x, "logits"), 1)]


def two_features(tf: Any) -> Any:
    """Two tensors leave what cannot stay; one tensor further on, and before any layer, everything passes."""
    x = tf.placeholder(tf.float32, [None, 2, 2], "x")
    inverse, flipped = tf.linalg.inv(x), tf.linalg.inv(-x)
    return [x], [dense(tf, tf.reshape(tf.concat([inverse, tf.nn.relu(flipped)], 1, name="both"), [-1, 8]), "y")]


def two_inputs(tf: Any) -> Any:
    """One of two inputs goes; nothing is passed by all before the layers."""
    x, other = tf.placeholder(tf.float32, [None, 2, 2], "x"), tf.placeholder(tf.float32, [None, 4], "other")
    return [x, other], [dense(tf, tf.reshape(tf.linalg.inv(x, name="inverse"), [-1, 4])) + dense(tf, other)]


def in_the_middle(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [None, 4], "x")
    square = tf.reshape(tf.tile(dense(tf, x), [1, 3]), [-1, 3, 3])
    return [x], [dense(tf, tf.reshape(tf.linalg.inv(square, name="inverse"), [-1, 9]), "y")]


def in_a_loop(tf: Any) -> Any:
    tf.enable_control_flow_v2()
    x = tf.placeholder(tf.float32, [None, 3], "x")

    def step(i: Any, state: Any) -> Any:
        return i + 1, dense(tf, state) + tf.random_uniform([3])

    return [x], [tf.while_loop(lambda i, _: i < 3, step, [0, x], name="loop")[1]]


def graph_of(build: Build) -> Graph:
    tf = import_tensorflow().compat.v1
    with tf.Graph().as_default():
        inputs, outputs = build(tf)
    graph = make_graph(build, [t.op.name for t in inputs], [f"out{index}" for index in range(len(outputs))])
    graph.prune()
    return graph


def faults(graph: Graph) -> list[str]:
    """What cannot stay: what nothing holds, and inverses, as an example of what a converter refuses."""
    refused = [node.name for node in graph.nodes.values() if node.op == "MatrixInverse"]
    return [*(obstacle.node for obstacle in unportable(graph)), *refused]


def unknown(tf: Any) -> Any:
    x = tf.placeholder(tf.float32, [3], "x")
    return [x], [tf.math.erfinv(x)]


IN, OUT = "input", "output"


@pytest.mark.parametrize(
    ("build", "where", "lines"),
    [
        (speech, "cut at 'mfcc:0' (float32[1,4,10])", [(IN, "mfcc", "mfcc:0")]),
        (photograph, "cut at 'DecodeJpeg:0' (uint8[?,?,3])", [(IN, "DecodeJpeg", "DecodeJpeg:0")]),
        (
            records,
            "cut at 'ParseExample/ParseExampleV2:0' (float32[?,1]), 'ParseExample/ParseExampleV2:1' (float32[?,2]) and "
            "leave out the output 'out1'",
            [
                (IN, "age", "ParseExample/ParseExampleV2:0"),
                (IN, "height", "ParseExample/ParseExampleV2:1"),
                (OUT, "out0", "scores:0"),
            ],
        ),
        (words, "cut at 'numbers/LookupTableFindV2:0' (int64[...])", [(IN, "numbers", "numbers/LookupTableFindV2:0")]),
        (named_classes, "cut at 'top:1' (int32[?,2])", [(OUT, "out0", "top:0"), (OUT, "top", "top:1")]),
        (passed_through, "leave out the output 'out0'", [(IN, "x", "x:0"), (OUT, "out1", "y:0")]),
        (
            noise,
            "cut at 'noise/RandomStandardNormal:0' (float32[?,3])",
            [(IN, "noise", "noise/RandomStandardNormal:0"), (IN, "x", "x:0")],
        ),
        (drawn_answers, "cut at 'logits:0' (float32[?,3])", [(OUT, "logits", "logits:0")]),
        (two_features, "cut at 'both:0' (float32[?,4,2])", [(IN, "both", "both:0")]),
        (two_inputs, "cut at 'inverse:0' (float32[?,2,2])", [(IN, "inverse", "inverse:0"), (IN, "other", "other:0")]),
        (
            in_the_middle,
            "it cannot be cut off, since 'inverse' stands in the middle of the network; change the model",
            [],
        ),
        (in_a_loop, "it cannot be cut off, since 'loop' stands in the middle of the network; change the model", []),
    ],
)
def test_where_to_cut(build: Build, where: str, lines: list[tuple[str, str, str]]) -> None:
    graph = graph_of(build)
    pasted = [f'[[model.{kind}s]]\nname = "{name}"\ntensor = "{tensor}"' for kind, name, tensor in lines]
    assert where_to_cut(graph, faults(graph)) == "\n".join([f"{where}:" if lines else where, *pasted])


def test_a_cut_is_found_without_tensorflows_help() -> None:
    graph = graph_of(speech)
    found = cut(graph, faults(graph))
    assert (found.head, found.tail, found.dropped_inputs, found.possible) == (("mfcc:0",), (), ("wav",), True)
    assert found.sentence().startswith("cut at 'mfcc:0':\n")


def test_inputs_that_nobody_named_are_named() -> None:
    graph = graph_of(two_inputs)
    graph.inputs = ()
    assert [spec.tensor for spec in cut(graph, faults(graph)).inputs] == ["inverse:0", "other:0"]


def test_what_hangs_on_no_data_is_not_cut_off() -> None:
    graph = graph_of(passed_through)
    assert cut(graph, ["nothing"]) == cut(graph, [])
    assert not cut(graph, []).possible
    assert cut(graph, []).sentence() == "naming inputs and outputs does not cut it off; export the model without it"


def test_a_graph_that_lacks_nodes_is_cut_all_the_same() -> None:
    graph = graph_of(records)
    for name in [name for name, node in graph.nodes.items() if node.op == "Const"]:
        del graph.nodes[name]
    nodes = [node.name for node in graph.nodes.values() if node.op == "ParseExampleV2"]
    assert [spec.name for spec in cut(graph, nodes).inputs] == ["ParseExample", "ParseExample_1"]


def test_nothing_is_left_of_a_graph_of_text() -> None:
    graph = graph_of(lambda tf: (lambda x: ([x], [tf.strings.upper(x)]))(tf.placeholder(tf.string, [])))
    assert not cut(graph, faults(graph)).possible


def test_the_words_of_a_table_are_offered_as_labels() -> None:
    graph = graph_of(named_classes)
    sentence = where_to_cut(graph, faults(graph), {"table": Path("vocab.txt"), "other": Path("other.txt")})
    *_, last = sentence.splitlines()
    assert last == '''# the words of 'table': where an output has a score for each of them, say labels = "vocab.txt"'''


@pytest.mark.parametrize(
    ("build", "reasons"),
    [
        (speech, {"Placeholder (node 'wav') holds text", "DecodeWav (node 'DecodeWav') decodes a file"}),
        (noise, {"RandomStandardNormal (node 'noise/RandomStandardNormal') draws random numbers"}),
        (unknown, {"Erfinv (node 'erfinv/Erfinv') is never run here"}),
        (two_features, set()),
    ],
)
def test_obstacles_say_why(build: Build, reasons: set[str]) -> None:
    assert set(map(str, unportable(graph_of(build)))) == reasons


def test_an_obstacle_in_a_function_is_found_at_any_depth() -> None:
    tf = import_tensorflow()
    inner = tf.function(lambda x: x + tf.random.uniform([3]))
    outer = tf.function(lambda x: inner(x) * 2.0)

    def build(tf1: Any) -> Any:
        x = tf1.placeholder(tf1.float32, [3], "x")
        return [x], [outer(x)]

    (found,) = unportable(graph_of(build))
    assert isinstance(found, Obstacle)
    assert (found.op, found.reason) == ("PartitionedCall", "draws random numbers") or found.op.startswith("Stateful")
    assert found.function.startswith("__inference")


@pytest.mark.parametrize("kind", [ModelError, ConversionError])
def test_an_error_that_knows_its_nodes_gets_the_cut(kind: Callable[..., Exception]) -> None:
    graph = graph_of(two_features)
    with pytest.raises(kind, match=r"^refused: cut at 'both:0'") as caught, naming_cuts(graph):
        raise kind("refused", nodes=faults(graph))
    assert list(caught.value.nodes) == faults(graph)


@pytest.mark.parametrize("nodes", [[], ["a node of the converter's own"]])
def test_an_error_that_knows_none_stays_as_it_is(nodes: list[str]) -> None:
    with pytest.raises(ConversionError, match=r"^refused$"), naming_cuts(graph_of(two_features)):
        raise ConversionError("refused", nodes=nodes)


def test_cuts_of_large_graphs_are_found_in_no_time() -> None:
    """Linear in the graph: here 20,000 nodes in which two strands run side by side."""
    tf = import_tensorflow().compat.v1
    with tf.Graph().as_default() as made:
        x = tf.placeholder(tf.float32, [2, 2], "x")
        tf.linalg.inv(x, name="left")
        tf.linalg.inv(-x, name="right")
    graph = Graph.from_graph_def(made.as_graph_def())
    for strand in ("left", "right"):
        before = strand
        for index in range(10_000):
            node = graph.nodes[f"{strand}{index}"] = type(graph.nodes["x"])(name=f"{strand}{index}", op="Neg")
            node.input.append(before)
            before = node.name
    end = graph.nodes["end"] = type(graph.nodes["x"])(name="end", op="Add")
    end.input.extend(["left9999", "right9999"])
    described = graph_of(two_features)
    graph.outputs = (type(described.outputs[0])("y", "end:0", "float32", None),)
    found: Cut = cut(graph, ["left", "right"])
    assert found.head == ("end:0",)
