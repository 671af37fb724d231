import logging
import sys

import numpy as np
import pytest

from mobile_export.errors import ConversionError, MissingToolError
from mobile_export.formats.flatbuffer import float_operators, read_model, set_ranges, write_model
from mobile_export.formats.tflite_converter import convert
from mobile_export.quantize.engines import quantize, quantize_with_tensorflow
from mobile_export.quantize.litert import litert
from mobile_export.quantize.recipes import EVERYTHING, recipe
from mobile_export.quantize.scheme import Scheme
from tests.formats.tf_graphs import make_graph, weights

RANGES = {"x": (-3.0, 3.0), "y": (-5.0, 5.0)}
INT8 = recipe({"int8": EVERYTHING}, Scheme("int8"), "int8")


def product(scale: float = 1.0) -> bytes:
    def build(tf):
        x = tf.placeholder(tf.float32, [None, 32], name="x")
        return [x], [tf.matmul(x, scale * weights(1, 32, 64))]

    return convert(make_graph(build, ["x"], ["y"]))


def test_both_engines_take_the_same_ranges() -> None:
    model = product()
    carrying = read_model(model)
    set_ranges(carrying, RANGES)
    for content in (quantize(model, INT8, RANGES), quantize_with_tensorflow(write_model(carrying))):
        made = read_model(content)
        assert float_operators(made) == []
        scales = [tensor.quantization.scale[0] for tensor in made.subgraphs[0].tensors if tensor.name in (b"x", b"y")]
        np.testing.assert_allclose(sorted(scales), [6 / 255, 10 / 255], rtol=1e-3)


def test_given_ranges_of_weights_clip_them() -> None:
    model = product()
    (name,) = [t.name.decode() for t in read_model(model).subgraphs[0].tensors if list(t.shape) == [64, 32]]
    clipped = {name: {"min": np.full((64, 1), -0.01, np.float32), "max": np.full((64, 1), 0.01, np.float32)}}
    made = read_model(quantize(model, INT8, RANGES, clipped))
    (stored,) = [t for t in made.subgraphs[0].tensors if list(t.shape) == [64, 32]]
    np.testing.assert_allclose(stored.quantization.scale, 0.01 / 127, rtol=1e-5)
    assert np.abs(np.frombuffer(made.buffers[stored.buffer].data, np.int8)).max() == 127


def test_missing_ranges_and_overflow_are_refused() -> None:
    with pytest.raises(ConversionError, match="litert-quantizer refuses the model"):
        quantize(product(), INT8, {"x": (-3.0, 3.0)})
    with pytest.raises(ConversionError, match="beyond the range of float16"):
        quantize(product(1e6), recipe({"float16": EVERYTHING}, Scheme("float16"), "float32"))
    with pytest.raises(ConversionError, match="TensorFlow's quantizer refuses"):
        quantize_with_tensorflow(b"no model")


def test_the_tool_is_quiet_and_what_it_silenced_speaks_again() -> None:
    before = logging.root.manager.disable
    with litert():
        assert not logging.getLogger().isEnabledFor(logging.WARNING)
    assert logging.root.manager.disable == before


def test_without_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litert_quantizer.calibrator", None)
    with pytest.raises(MissingToolError, match=r'pip install "mobile-export\[convert\]"'), litert():
        pass
