"""What is made of one converted model: every precision for every kind of layer, and mixtures of them."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ConversionError
from mobile_export.formats import tflite_base, tflite_quality
from mobile_export.formats.flatbuffer import float_operators, operator_name, read_model, walk
from mobile_export.formats.format import Request
from mobile_export.formats.tflite import TFLite
from mobile_export.formats.tflite_base import LITERT, TENSORFLOW
from mobile_export.graphs.graph import Graph
from mobile_export.quantize.engines import quantize_with_tensorflow
from mobile_export.quantize.scheme import Scheme
from mobile_export.runner import Samples, run_samples
from tests.formats.tf_graphs import make_graph, samples_for, weights
from tests.loops import LAYERS, loop_graph

INTEGERS = ("int8", "int16x8")
OUTLIERS = 1000.0
LEAST = {
    "weight_int4": 12.0,
    "int8": 24.0,
    "int16x8": 32.0,
    "dynamic": 32.0,
    "weight_int8": 32.0,
    "float16": 60.0,
    "float32": 120.0,
}
"""dB that a file of one layer keeps of its answers."""


class Converted:
    """A converted model with what it was calibrated on."""

    def __init__(self, graph: Graph, folder: Path, count: int = 48, ranges: str = "minmax") -> None:
        self.folder = folder / "shared"
        self.folder.mkdir()
        self.path = folder / "file.tflite"
        self.samples = samples_for(graph, count)
        requests = [self.request(Scheme(precision, ranges=ranges)) for precision in INTEGERS]
        TFLite().convert(graph, self.folder, requests)
        TFLite().calibrate(graph, self.folder, requests, self.samples)
        self.layers = [layer.name for layer in TFLite().layers(self.folder)]
        self.reference = run_samples(TFLite().open(self.folder / "base.tflite"), self.samples)

    def request(self, scheme: Scheme, interface: str = "float32", **options: Any) -> Request:
        return Request("a", self.path, scheme.precision, interface, scheme=scheme, **options)

    def quantize(self, scheme: Scheme, interface: str = "float32", allow: bool = True) -> Samples:
        TFLite().quantize(self.folder, self.request(scheme, interface, allow_float_operators=allow))
        return run_samples(TFLite().open(self.path), self.samples)

    def sqnr(self, scheme: Scheme, interface: str = "float32", allow: bool = True) -> float:
        """Of the worst output, dB."""
        answers = self.quantize(scheme, interface, allow)
        return min(sqnr(expected, answers[name]) for name, expected in self.reference.items())

    @property
    def operators(self) -> list[str]:
        """Kinds, in the file that was written last."""
        return [operator_name(code) for *_, code in walk(read_model(self.path.read_bytes()))]


def sqnr(expected: np.ndarray, answers: np.ndarray) -> float:
    return float(10 * np.log10(np.var(expected, axis=0).mean() / max(np.square(answers - expected).mean(), 1e-30)))


def one_layer(function: Any, shape: tuple[int | None, ...]) -> Graph:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, shape, name="x")
        return [x], [function(tf, x)]

    return make_graph(build, ["x"], ["y"])


LAYER_KINDS = {
    "CONV_2D": one_layer(
        lambda tf, x: tf.nn.relu(tf.nn.conv2d(x, weights(1, 3, 3, 16, 64), 1, "SAME") + weights(2, 64)),
        (None, 8, 8, 16),
    ),
    "DEPTHWISE_CONV_2D": one_layer(
        lambda tf, x: tf.nn.depthwise_conv2d(x, weights(1, 3, 3, 64, 4), [1, 1, 1, 1], "SAME"), (None, 6, 6, 64)
    ),
    "FULLY_CONNECTED": one_layer(lambda tf, x: tf.matmul(x, weights(1, 128, 64)) + weights(2, 64), (None, 128)),
    "TRANSPOSE_CONV": one_layer(
        lambda tf, x: tf.nn.conv2d_transpose(x, weights(1, 3, 3, 64, 16), [1, 16, 16, 64], 2, "SAME"), (1, 8, 8, 16)
    ),
    "BATCH_MATMUL": one_layer(lambda tf, x: tf.matmul(x, weights(1, 16, 8, 64)), (16, 4, 8)),
}


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_every_precision_of_every_kind_of_layer(kind: str, tmp_path: Path) -> None:
    made = Converted(LAYER_KINDS[kind], tmp_path)
    assert kind in [layer.operator for layer in TFLite().layers(made.folder)]
    size = (made.folder / "base.tflite").stat().st_size
    for precision, least in LEAST.items():
        for per_channel in (True, False):
            scheme = Scheme(precision, per_channel=per_channel)
            assert made.sqnr(scheme, allow=precision not in INTEGERS) > least - (0 if per_channel else 4), scheme
        if precision != "float32" and (kind, precision) not in (
            ("BATCH_MATMUL", "float16"),  # has no such kernel
            ("DEPTHWISE_CONV_2D", "dynamic"),  # would be slow
        ):
            assert made.path.stat().st_size < 0.63 * size, precision


def network(tf: Any, factor: float = 1.0) -> tuple[list[Any], list[Any]]:
    """Convolutions and a matrix product; a rescale around a plain ReLU changes nothing but the ranges there."""
    x = tf.placeholder(tf.float32, [None, 8, 8, 16], name="input")
    rescale = np.ones(32, np.float32)
    rescale[[3, 17]] = factor
    h = tf.nn.relu(tf.nn.conv2d(x, weights(1, 3, 3, 16, 16), 1, "SAME"))
    h = tf.nn.relu(tf.nn.conv2d(h, weights(2, 3, 3, 16, 32) * rescale, 1, "SAME"))
    h = tf.nn.relu(tf.nn.conv2d(h, weights(3, 3, 3, 32, 32) / rescale[:, None], 1, "SAME"))
    h = tf.nn.relu(tf.nn.conv2d(tf.nn.max_pool2d(h, 2, 2, "SAME"), weights(4, 3, 3, 32, 32), 1, "SAME"))
    return [x], [tf.matmul(tf.reshape(h, [-1, 512]), weights(5, 512, 10))]


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return Converted(make_graph(network, ["x"], ["y"]), tmp_path_factory.mktemp("net"))


def test_any_mixture_loads_and_answers(ordinary: Converted) -> None:
    rng = np.random.default_rng(0)
    for _ in range(25):
        choice = rng.choice([p for p in LEAST if p != "weight_int4"], len(ordinary.layers) + 1)
        scheme = Scheme.mixed(str(choice[0]), dict(zip(ordinary.layers, map(str, choice[1:]), strict=True)))
        assert ordinary.sqnr(scheme) > 20, scheme


@pytest.mark.parametrize("interface", ["float32", "int8", "uint8"])
def test_a_mixture_of_integers_computes_in_integers(ordinary: Converted, interface: str) -> None:
    first, *_, last = ordinary.layers
    scheme = Scheme.mixed("int8", {first: "int16x8", last: "int16x8"})
    assert ordinary.sqnr(scheme, interface, allow=False) > 20
    assert float_operators(read_model(ordinary.path.read_bytes())) == []
    runner = TFLite().open(ordinary.path)
    assert {edge.dtype for edge in (*runner.inputs, *runner.outputs)} == {interface}


def test_a_layer_that_is_to_be_float_is_no_operator_left_in_float(ordinary: Converted) -> None:
    scheme = Scheme.mixed("int8", {ordinary.layers[1]: "float32"})
    assert ordinary.sqnr(scheme, "int8", allow=False) > 20
    assert [entry.split()[0] for entry in float_operators(read_model(ordinary.path.read_bytes()))] == ["CONV_2D"]


def test_layers_as_precise_as_their_weights_are_finer(ordinary: Converted) -> None:
    """More of the file at int16x8: the answers get closer, layer by layer."""
    names = ordinary.layers
    found = [ordinary.sqnr(Scheme.mixed("int8", dict.fromkeys(names[:k], "int16x8"))) for k in (0, len(names))]
    assert found[1] > found[0] + 3


def test_outliers_between_two_layers(tmp_path: Path) -> None:
    made = Converted(make_graph(partial(network, factor=OUTLIERS), ["x"], ["y"]), tmp_path)
    _, before, after, *_ = made.layers
    size = (made.folder / "base.tflite").stat().st_size
    assert made.sqnr(Scheme("int8")) < 3
    assert made.sqnr(Scheme.mixed("int8", {before: "float16"})) < 3  # what lies between them is still int8
    for precision, least in (("int16x8", 8), ("float16", 20), ("float32", 20)):
        assert made.sqnr(Scheme.mixed("int8", {before: precision, after: precision})) > least, precision
        if precision != "float32":
            assert made.path.stat().st_size < 0.45 * size
    assert made.sqnr(Scheme.mixed("int8", {before: "int16x8", after: "float16"})) > 15


def test_other_ranges_and_scales(tmp_path: Path) -> None:
    made = Converted(make_graph(network, ["x"], ["y"]), tmp_path, 200, "percentile")
    plain = made.path
    found = {}
    for scheme in (Scheme("int8"), Scheme("int8", ranges="percentile"), Scheme("weight_int4", weights="mse")):
        assert made.sqnr(scheme) > 5
        found[scheme] = plain.read_bytes()
    assert len({*found.values()}) == 3
    assert made.sqnr(Scheme("weight_int4", weights="mse")) > made.sqnr(Scheme("weight_int4"))


def test_what_was_not_measured_is_refused(ordinary: Converted) -> None:
    with pytest.raises(ConversionError, match="'a': ranges of percentile were not measured"):
        ordinary.quantize(Scheme("int8", ranges="percentile"))


def test_an_unknown_layer_is_refused(ordinary: Converted) -> None:
    with pytest.raises(ConversionError, match="'a': the model has no layer 'nobody'"):
        ordinary.quantize(Scheme.mixed("int8", {"nobody": "float16"}))


def test_float_operators_of_a_mixture_are_refused_by_name(tmp_path: Path) -> None:
    def function(tf: Any, x: Any) -> Any:
        return tf.matmul(tf.sin(tf.matmul(x, weights(1, 8, 8))), weights(2, 8, 8))

    made = Converted(one_layer(function, (None, 8)), tmp_path)
    first, last = made.layers
    with pytest.raises(ConversionError, match=r"int8 file would compute in float: SIN \('Sin'\); change"):
        made.quantize(Scheme.mixed("int8", {first: "int16x8", last: "int16x8"}), allow=False)
    made.quantize(Scheme.mixed("int8", {first: "float16", last: "float16"}), allow=False)
    assert made.operators.count("SIN") == 1


def test_the_engine_that_answers_is_chosen_by_measurement(tmp_path: Path) -> None:
    made = Converted(loop_graph(LAYERS["recurrent"], 1), tmp_path, 4)  # which litert-quantizer does not know
    assert TFLite().quantize(made.folder, made.request(Scheme("int8"), allow_float_operators=True)) == TENSORFLOW
    assert made.sqnr(Scheme("int8")) > 10
    assert TFLite().quantize(made.folder, made.request(Scheme("weight_int8"))) == LITERT
    assert TFLite().quantize(made.folder, made.request(Scheme())) == ""


def test_an_engine_whose_file_is_enough_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def watched(model: bytes) -> bytes:
        asked.append(len(model))
        return quantize_with_tensorflow(model)

    monkeypatch.setattr(tflite_base, "quantize_with_tensorflow", watched)
    (tmp_path / "enough").mkdir()
    made = Converted(LAYER_KINDS["CONV_2D"], tmp_path / "enough")
    assert TFLite().quantize(made.folder, made.request(Scheme("int8"))) == LITERT
    assert asked == []
    monkeypatch.setattr(tflite_quality, "ENOUGH", 1000.0)
    (tmp_path / "never").mkdir()
    made = Converted(LAYER_KINDS["CONV_2D"], tmp_path / "never")
    assert TFLite().quantize(made.folder, made.request(Scheme("int8"))) == LITERT  # it is smaller
    assert len(asked) == 1


def test_writing_tells_which_engine_has_quantized_each_file(tmp_path: Path) -> None:
    graph = LAYER_KINDS["FULLY_CONNECTED"]
    requests = [Request(precision, tmp_path / precision, precision) for precision in ("float32", "float16")]
    assert TFLite().write(graph, requests, None) == {"float16": LITERT}


def test_loops_are_refused_where_the_quantizer_does_not_know_them(tmp_path: Path) -> None:
    made = Converted(loop_graph(LAYERS["recurrent"], 1), tmp_path, 4)
    with pytest.raises(ConversionError, match="'a': litert-quantizer makes no such file of a model with loops"):
        made.quantize(Scheme("int16x8"))
    for precision in ("dynamic", "weight_int8", "weight_int4"):
        assert made.sqnr(Scheme(precision)) > 10


def test_samples_are_not_needed_for_what_is_not_calibrated(tmp_path: Path) -> None:
    graph = LAYER_KINDS["FULLY_CONNECTED"]
    folder = tmp_path / "shared"
    folder.mkdir()
    TFLite().convert(graph, folder, [Request("a", tmp_path / "f", "weight_int4")])
    for precision in ("weight_int4", "weight_int8", "float16", "dynamic"):
        TFLite().quantize(folder, Request("a", tmp_path / "f", precision))
    for precision in INTEGERS:
        with pytest.raises(ConversionError, match=f"'a': {precision} needs representative samples"):
            TFLite().quantize(folder, Request("a", tmp_path / "f", precision))


def test_same_bytes_again(ordinary: Converted) -> None:
    scheme = Scheme.mixed("int8", {ordinary.layers[0]: "int16x8", ordinary.layers[-1]: "float16"}, weights="mse")
    ordinary.quantize(scheme)
    before = ordinary.path.read_bytes()
    ordinary.quantize(scheme)
    assert ordinary.path.read_bytes() == before
