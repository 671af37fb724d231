"""Networks broken in one way each: the layer that errs comes first, and says why; sound ones say nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ConversionError, ModelError
from mobile_export.explanation.alignment import align
from mobile_export.explanation.comparison import compare
from mobile_export.explanation.sources import Source
from mobile_export.formats import FORMATS, QUANTIZABLE, Request
from mobile_export.quantize.scheme import Scheme
from mobile_export.samples import save_samples
from mobile_export.watching.onnx import ONNXNetwork
from tests.explanation.models import FIRST, SECOND, explained, kinds, layers_of, network, rescale, written
from tests.formats.tf_graphs import make_graph, samples_for, weights

FORMAT = pytest.mark.parametrize("name", ["tflite", "onnx"])
SOUND = [
    (name, precision)
    for name in ("tflite", "onnx")
    for precision in FORMATS[name].precisions
    if precision not in ("float32", "weight_int4")
]


@pytest.mark.parametrize(("name", "precision"), SOUND)
def test_a_sound_file_has_no_reasons_and_the_precision_that_was_asked_for(
    tmp_path: Path, name: str, precision: str
) -> None:
    found = explained(written(network(), tmp_path, name, Scheme(precision)))
    assert found.samples == 16
    assert not found.note
    assert [layer.reasons for layer in found.layers if layer.reasons] == []
    assert min(layer.sqnr for layer in found.layers) > 18
    assert min(layer.cosine for layer in found.layers) > 0.999
    assert precision in {layer.precision for layer in found.layers}
    own = [layer.own_sqnr for layer in found.layers]
    assert own == sorted(own)


@FORMAT
def test_a_float_file_is_exact(tmp_path: Path, name: str) -> None:
    path = written(network(), tmp_path, name, Scheme("float16")).with_stem("float32")
    found = explained(path)
    assert {layer.sqnr for layer in found.layers} == {float("inf")}
    assert {layer.precision for layer in found.layers} == {"float32"}


@FORMAT
def test_a_channel_that_takes_the_range_of_the_others_is_named_where_it_is_made_and_where_it_is_read(
    tmp_path: Path, name: str
) -> None:
    path = written(network(rescale), tmp_path, name, Scheme("int8"))
    first, second = (layers_of(path)[layer[name]] for layer in (FIRST, SECOND))
    assert explained(path).layers[0].name == SECOND[name]
    assert kinds(second)[:2] == ["reads_outlier_channel", "lost_weights"]
    assert "channel 5 reaches" in second.reasons[0].text
    assert second.reasons[0].layer == FIRST[name]
    assert kinds(first)[0] == "outlier_channel"
    assert first.sqnr > 30  # beside its largest values its own error is small
    assert "channel 5" in second.reasons[1].text
    assert "dead_channel" in kinds(second)
    dead = next(reason for reason in second.reasons if reason.kind == "dead_channel")
    assert dead.text.startswith("32 of 32 channels")


def test_integers_of_16_bits_hold_such_a_channel_and_still_lose_the_weights_that_read_it(tmp_path: Path) -> None:
    layers = layers_of(written(network(rescale), tmp_path, "tflite", Scheme("int16x8")))
    assert kinds(layers[FIRST["tflite"]]) == []
    assert kinds(layers[SECOND["tflite"]]) == ["lost_weights"]


def test_a_layer_that_rounds_what_it_reads_as_it_comes_names_the_channel_too(tmp_path: Path) -> None:
    layers = layers_of(written(network(rescale), tmp_path, "tflite", Scheme("dynamic")))
    assert kinds(layers[SECOND["tflite"]])[:2] == ["reads_outlier_channel", "lost_weights"]
    assert layers[SECOND["tflite"]].precision == "dynamic"


@FORMAT
def test_what_comes_after_inherits_its_error_from_the_layer_that_makes_it(tmp_path: Path, name: str) -> None:
    last = layers_of(written(network(rescale), tmp_path, name, Scheme("int8")))["probabilities"]
    assert kinds(last) == ["inherited"]
    assert last.reasons[0].layer == SECOND[name]
    assert last.sqnr < 10 < 20 < last.own_sqnr


@FORMAT
def test_keeping_the_named_layers_in_float_takes_the_error_away(tmp_path: Path, name: str) -> None:
    inner = {"tflite": FIRST["tflite"], "onnx": "Conv2D"}[name]  # the layer is called after what its operator writes
    scheme = Scheme.mixed("int8", {inner: "float32", SECOND[name]: "float32"})
    layers = layers_of(written(network(rescale), tmp_path, name, scheme))
    assert layers[SECOND[name]].precision == "float32"
    assert {layer.precision for layer in layers.values()} >= {"float32", "int8"}
    assert layers["probabilities"].sqnr > 18


@FORMAT
@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_every_name_that_is_said_to_be_settable_is_a_layer_of_the_conversion(
    tmp_path: Path, name: str, precision: str
) -> None:
    graph = network(rescale)
    found = explained(written(graph, tmp_path, name, Scheme(precision))).layers
    (tmp_path / "converted").mkdir()
    QUANTIZABLE[name].convert(graph, tmp_path / "converted", [Request("a", tmp_path)])
    layers = {layer.name for layer in QUANTIZABLE[name].layers(tmp_path / "converted")}
    assert {layer.settable for layer in found} == layers  # of Mean, softmax and Transpose, that of a neighbour
    assert {each for layer in found for reason in layer.reasons for each in reason.settable} <= layers


@FORMAT
def test_doing_what_the_reasons_advise_takes_the_error_away(tmp_path: Path, name: str) -> None:
    graph = network(rescale)
    before = layers_of(written(graph, tmp_path, name, Scheme("int8")))
    advised = before[FIRST[name]].reasons[0]
    assert advised.kind == "outlier_channel"
    assert advised.text.endswith(f"keep {' and '.join(map(repr, advised.settable))} in float")
    scheme = Scheme.mixed("int8", dict.fromkeys(advised.settable, "float32"))
    after = layers_of(written(graph, tmp_path, name, scheme))
    assert before["probabilities"].sqnr < 10
    assert after["probabilities"].sqnr > 18


def test_an_operator_without_weights_is_set_by_the_layer_before_it_or_else_behind_it(tmp_path: Path) -> None:
    found = layers_of(written(network(), tmp_path, "onnx", Scheme("int8")))
    assert found["Mean"].settable == "Conv2D_1"
    assert found["image"].settable == found["Transpose_0"].settable == "Conv2D"
    assert found["first"].settable == "Conv2D"


def test_all_layers_that_read_a_tensor_are_named_across_operators_without_weights(tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        h = tf.nn.relu(tf.matmul(x, weights(1, 8, 8), name="first"), name="relu")
        left, right = (
            tf.matmul(tf.nn.tanh(h), weights(2, 8, 8), name="left"),
            tf.matmul(h, weights(3, 8, 8), name="right"),
        )
        return [x], [tf.maximum(left, right, name="most")]

    path = written(make_graph(build, ["x"], ["y"]), tmp_path, "onnx", Scheme("int8"))
    pairs = {pair.name: pair for pair in align(ONNXNetwork(path.with_stem("float32")), ONNXNetwork(path))}
    assert pairs["relu"].readers == ("left", "right")
    assert pairs["left"].readers == ()
    assert pairs["y"].settable == "left"


@FORMAT
def test_in_a_model_without_weights_nothing_can_be_set(tmp_path: Path, name: str) -> None:
    graph = make_graph(
        lambda tf: ([x := tf.placeholder(tf.float32, [1, 4], name="x")], [tf.nn.tanh(x)]), ["image"], ["answer"]
    )
    found = explained(written(graph, tmp_path, name, Scheme("float16")))
    assert {layer.settable for layer in found.layers} == {None}


@FORMAT
def test_a_range_that_is_too_narrow_is_saturated(tmp_path: Path, name: str) -> None:
    graph = network()
    calibration = {key: array * np.float32(0.1) for key, array in samples_for(graph, 16).items()}
    layers = layers_of(written(graph, tmp_path, name, Scheme("int8"), calibration))
    image = next(layer for layer in layers.values() if layer.name in ("image", "Transpose_0") and layer.reasons)
    assert kinds(image) == ["saturated_range"]
    assert image.saturation > 0.5
    assert image.range_used == pytest.approx(1, abs=0.01)
    assert kinds(layers[FIRST[name]])[0] in ("saturated_range", "reads_saturated_range", "inherited")


@FORMAT
def test_a_range_that_is_too_wide_is_hardly_used(tmp_path: Path, name: str) -> None:
    graph = network()
    calibration = {key: array * np.float32(30) for key, array in samples_for(graph, 16).items()}
    layers = layers_of(written(graph, tmp_path, name, Scheme("int8"), calibration))
    assert kinds(layers["image"]) == ["wide_range"]
    assert layers["image"].range_used < 0.06
    assert layers["image"].saturation == 0


def test_one_sample_that_sets_the_range_is_named(tmp_path: Path) -> None:
    graph = network()
    samples = samples_for(graph, 16)
    samples["image"][6] *= 100
    path = written(graph, tmp_path, "tflite", Scheme("int8"), samples)
    save_samples(tmp_path / "data.npz", samples)
    image = layers_of(path)["image"]
    assert kinds(image) == ["one_sample"]
    assert "number 7 of those that ran" in image.reasons[0].text
    assert image.own_sqnr < 20


@FORMAT
def test_weights_with_one_scale_are_lost_beside_a_large_channel(tmp_path: Path, name: str) -> None:
    graph = network(lambda values: rescale(values, channel=7))
    layers = layers_of(written(graph, tmp_path, name, Scheme("weight_int8", per_channel=False)))
    first = layers[{"tflite": FIRST["tflite"], "onnx": "Conv2D"}[name]]
    assert kinds(first)[0] == "outlier_weights"
    assert "channel 7 reach" in first.reasons[0].text
    assert first.weights_sqnr > 30  # the large channel is right, and drowns the others
    layers = layers_of(written(graph, tmp_path, name, Scheme("weight_int8")))
    assert "outlier_weights" not in [kind for layer in layers.values() for kind in kinds(layer)]


def test_weights_of_four_bits_are_coarse(tmp_path: Path) -> None:
    layers = layers_of(written(network(), tmp_path, "tflite", Scheme("weight_int4")))
    second = layers[SECOND["tflite"]]
    assert second.precision == "weight_int4"
    assert second.weights_sqnr == pytest.approx(19, abs=2)
    assert kinds(second) == ["coarse_weights"]
    assert second.range_used is None
    assert second.saturation is None


@FORMAT
def test_channels_that_are_dead_in_the_float_file_are_no_reason(tmp_path: Path, name: str) -> None:
    def change(values: dict[str, np.ndarray]) -> None:
        values["w1"][..., :4] = values["b1"][:4] = 0

    layers = layers_of(written(network(change), tmp_path, name, Scheme("int8")))
    assert [kinds(layer) for layer in layers.values() if layer.reasons] == []


def test_another_model_is_refused(tmp_path: Path) -> None:
    path = written(network(), tmp_path, "tflite", Scheme("int8"))
    other = make_graph(
        lambda tf: ([x := tf.placeholder(tf.float32, [1, 4], name="x")], [tf.nn.tanh(x)]), ["image"], ["answer"]
    )
    (tmp_path / "other").mkdir()
    baseline = written(other, tmp_path / "other", "tflite", Scheme("float16")).with_stem("float32")
    with pytest.raises(ModelError, match=r"int8.tflite: has nothing in common with .*float32.tflite; name the float32"):
        compare("tflite", path, baseline, Source(tmp_path / "data.npz", "data"), 2)


def test_samples_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = written(network(), tmp_path, "tflite", Scheme("int8"))
    save_samples(tmp_path / "data.npz", {"image": np.zeros((4, 5, 5, 3), np.float32)})
    with pytest.raises(ModelError, match=r"array 'image' has shape .*5,5,3"):
        explained(path)


@FORMAT
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    path = written(network(), tmp_path, name, Scheme("float16"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ConversionError, match=f"float16.{name}"):
        explained(path)
