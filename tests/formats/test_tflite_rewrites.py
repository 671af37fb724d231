"""Operators that litert-quantizer leaves in float and the runtime computes in integers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_export.formats.flatbuffer import operator_name, read_model, walk
from mobile_export.formats.format import Request, calibrated_requests
from mobile_export.formats.tflite import TFLite
from mobile_export.formats.tflite_base import Base
from mobile_export.quantize.scheme import Scheme
from mobile_export.runner import Samples, run_samples
from tests.formats.tf_graphs import make_graph, samples_for, weights

Function = Callable[[Any, Any], Any]

BETWEEN: dict[str, Function] = {
    "ABS": lambda tf, x: tf.abs(x),
    "ELU": lambda tf, x: tf.nn.elu(x),
    "EXP": lambda tf, x: tf.exp(x),
    "HARD_SWISH": lambda tf, x: x * tf.nn.relu6(x + np.float32(3)) * np.float32(1 / 6),
    "LEAKY_RELU": lambda tf, x: tf.nn.leaky_relu(x),
    "LOG": lambda tf, x: tf.log(tf.abs(x) + np.float32(0.5)),
    "DEPTH_TO_SPACE": lambda tf, x: tf.tile(tf.nn.depth_to_space(x, 2), [1, 1, 1, 4]),
    "REVERSE_V2": lambda tf, x: tf.reverse(x, [1]),
    "SPLIT_V": lambda tf, x: tf.concat(tf.split(x, [4, 12], 3)[::-1], 3),
    "TILE": lambda tf, x: tf.tile(x, [1, 2, 1, 1]),
}
WITHOUT_INT16 = ("DEPTH_TO_SPACE", "ELU", "HARD_SWISH")


def files(function: Function, folder: Path, schemes: list[Scheme]) -> list[tuple[Samples, list[str]]]:
    """The answers and the operators of a network with `function` between two convolutions; that of floats first."""

    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [None, 4, 4, 16], name="x")
        y = function(tf, tf.nn.conv2d(x, weights(1, 3, 3, 16, 16), 1, "SAME"))
        return [x], [tf.nn.conv2d(y, weights(2, 3, 3, 16, 8), 1, "SAME")]

    graph = make_graph(build, ["x"], ["y"])
    samples = samples_for(graph)
    requests = [Request("a", folder, scheme=scheme) for scheme in schemes]
    TFLite().convert(graph, folder, requests)
    if integers := calibrated_requests(TFLite(), requests):
        TFLite().calibrate(graph, folder, integers, samples)
    first = TFLite().layers(folder)[0].name
    found = []
    for scheme in (Scheme(), *schemes):
        named = replace(scheme, layers=tuple((first, other) for _, other in scheme.layers))
        path = folder / "file.tflite"
        TFLite().quantize(folder, Request("a", path, scheme=named, allow_float_operators=True))
        model = read_model(path.read_bytes())
        found.append((run_samples(TFLite().open(path), samples), [operator_name(code) for *_, code in walk(model)]))
    return found


def noise(expected: Samples, answers: Samples) -> float:
    """Share of the answers' power."""
    error: float = np.square(answers["y"] - expected["y"]).sum() / np.square(expected["y"]).sum()
    return error


@pytest.mark.parametrize("name", BETWEEN)
def test_integer_kernels_are_used(name: str, tmp_path: Path) -> None:
    schemes = [Scheme("int8", per_channel=False), Scheme("int16x8"), Scheme.mixed("int8", {"first": "int16x8"})]
    (expected, _), *others = files(BETWEEN[name], tmp_path, [Scheme("int8"), *schemes])
    for scheme, (answers, operators) in zip((Scheme("int8"), *schemes), others, strict=True):
        assert noise(expected, answers) < 0.01, scheme
        wide = "int16x8" in scheme.precisions
        left = operators.index(name) > 0 and operators[operators.index(name) - 1] == "DEQUANTIZE"
        assert left == (wide and name in WITHOUT_INT16 and not (name == "HARD_SWISH" and scheme.layers)), scheme


def test_int16_between_a_fine_and_a_coarse_layer(tmp_path: Path) -> None:
    """What comes out is scaled finely, and made coarse afterwards."""
    _, (_, operators) = files(BETWEEN["LEAKY_RELU"], tmp_path, [Scheme.mixed("int8", {"first": "int16x8"})])
    assert operators == ["QUANTIZE", "CONV_2D", "LEAKY_RELU", "QUANTIZE", "CONV_2D", "DEQUANTIZE"]


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_class_numbers_come_from_integers(precision: str, tmp_path: Path) -> None:
    def build(tf: Any) -> tuple[list[Any], list[Any]]:
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        y = tf.matmul(x, weights(1, 8, 8))
        return [x], [y, tf.argmax(y, 1), tf.argmin(y, 1)]

    graph = make_graph(build, ["x"], ["scores", "best", "worst"])
    path = tmp_path / "file.tflite"
    TFLite().write(graph, [Request("a", path, precision)], samples_for(graph))
    answers = run_samples(TFLite().open(path), samples_for(graph))
    np.testing.assert_array_equal(answers["best"], answers["scores"].argmax(1))
    np.testing.assert_array_equal(answers["worst"], answers["scores"].argmin(1))


def test_sizes_come_from_integers(tmp_path: Path) -> None:
    def flattened(tf: Any, x: Any) -> Any:
        return tf.reshape(x, tf.concat([tf.shape(x)[:1], [4, 4, 16]], 0))

    (expected, _), (answers, operators) = files(flattened, tmp_path, [Scheme("int8", per_channel=False)])
    assert noise(expected, answers) < 0.01
    assert operators.index("DEQUANTIZE") == len(operators) - 1
    model = Base(tmp_path).quantized(Scheme("int8", per_channel=False), "int8")
    assert Base(tmp_path).left_in_float(model, Scheme("int8")) == []
