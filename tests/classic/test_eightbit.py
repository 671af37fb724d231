"""`quantize-graph --mode=eightbit`: the graph that TensorFlow 1.15's tool made, and what the float graph answers.

TensorFlow 1.15 is not there to be asked; the graphs that are written here were compared with its rules, node by node.
"""

from dataclasses import replace

import numpy as np
import pytest

from mobile_export.classic.eightbit import eightbit
from mobile_export.errors import ModelError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import dtype_named
from mobile_export.graphs.text import render
from tests.graph_transform_tool.eightbit_graphs import (
    BIASED,
    FAILING,
    NETS,
    PLAIN,
    TRAINED,
    X,
    branching,
    error,
    looping,
    made,
    ops,
    read,
    residual,
    run,
    sequence,
)


def quantized(
    graph: Graph, inputs: tuple[float, float] | None = None, fallback: tuple[float, float] | None = None
) -> Graph:
    """What is made of `graph`, as of one that was read from a file."""
    outputs = [spec.tensor.removesuffix(":0") for spec in graph.outputs]
    return eightbit(replace(graph, inputs=(), outputs=()), outputs, inputs, fallback)


DENSE = """
x = Placeholder float32[2,2]
i = Identity(x)
w = Const float32[2,3]: 1 2 3 4 5 6
m = MatMul(i, w) transpose_a=false transpose_b=false
b = Const float32[3]: -1 0 1
a = BiasAdd(m, b)
y = Relu(a)
output y = y:0
"""
MEASURED = """\
x = Placeholder float32[2,2]
w_quint8_const = Const quint8[2,3]: 43 85 128 170 213 255
w_min = Const float32[]: 0
w_max = Const float32[]: 6
m_eightbit_reshape_dims = Const int32[1]: -1
m_eightbit_reduction_dims = Const int32[1]: 0
m_eightbit_reshape_x = Reshape(x, m_eightbit_reshape_dims)
m_eightbit_min_x = Min(m_eightbit_reshape_x, m_eightbit_reduction_dims) keep_dims=false
m_eightbit_max_x = Max(m_eightbit_reshape_x, m_eightbit_reduction_dims) keep_dims=false
m_eightbit_quantize_x = QuantizeV2(x, m_eightbit_min_x, m_eightbit_max_x) T=quint8 mode=MIN_FIRST
m_eightbit_quantized_mat_mul = QuantizedMatMul(m_eightbit_quantize_x, w_quint8_const, m_eightbit_quantize_x:1, \
m_eightbit_quantize_x:2, w_min, w_max) T1=quint8 T2=quint8 Toutput=qint32 transpose_a=false transpose_b=false
m_eightbit_requant_range = RequantizationRange(m_eightbit_quantized_mat_mul, m_eightbit_quantized_mat_mul:1, \
m_eightbit_quantized_mat_mul:2) Tinput=qint32
m_eightbit_requantize = Requantize(m_eightbit_quantized_mat_mul, m_eightbit_quantized_mat_mul:1, \
m_eightbit_quantized_mat_mul:2, m_eightbit_requant_range, m_eightbit_requant_range:1) Tinput=qint32 out_type=quint8
b_quint8_const = Const quint8[3]: 0 128 255
b_min = Const float32[]: -1
b_max = Const float32[]: 1
a_eightbit_quantized_bias_add = QuantizedBiasAdd(m_eightbit_requantize, b_quint8_const, m_eightbit_requantize:1, \
m_eightbit_requantize:2, b_min, b_max) T1=quint8 T2=quint8 out_type=qint32
a_eightbit_requant_range = RequantizationRange(a_eightbit_quantized_bias_add, a_eightbit_quantized_bias_add:1, \
a_eightbit_quantized_bias_add:2) Tinput=qint32
a_eightbit_requantize = Requantize(a_eightbit_quantized_bias_add, a_eightbit_quantized_bias_add:1, \
a_eightbit_quantized_bias_add:2, a_eightbit_requant_range, a_eightbit_requant_range:1) Tinput=qint32 out_type=quint8
y_eightbit_quantized = QuantizedRelu(a_eightbit_requantize, a_eightbit_requantize:1, a_eightbit_requantize:2) \
Tinput=quint8
y = Dequantize(y_eightbit_quantized, y_eightbit_quantized:1, y_eightbit_quantized:2) T=quint8 mode=MIN_FIRST
output y = y:0
"""
GIVEN = """\
x = Placeholder quint8[2,2]
w_quint8_const = Const quint8[2,3]: 43 85 128 170 213 255
w_min = Const float32[]: 0
w_max = Const float32[]: 6
m_eightbit_quantized_mat_mul = QuantizedMatMul(x, w_quint8_const, quantized_input_min_value, \
quantized_input_max_value, w_min, w_max) T1=quint8 T2=quint8 Toutput=qint32 transpose_a=false transpose_b=false
m_eightbit_requantize = Requantize(m_eightbit_quantized_mat_mul, m_eightbit_quantized_mat_mul:1, \
m_eightbit_quantized_mat_mul:2, fallback_quantization_min_value, fallback_quantization_max_value) \
Tinput=qint32 out_type=quint8
b_quint8_const = Const quint8[3]: 0 128 255
b_min = Const float32[]: -1
b_max = Const float32[]: 1
a_eightbit_quantized_bias_add = QuantizedBiasAdd(m_eightbit_requantize, b_quint8_const, m_eightbit_requantize:1, \
m_eightbit_requantize:2, b_min, b_max) T1=quint8 T2=quint8 out_type=qint32
a_eightbit_requantize = Requantize(a_eightbit_quantized_bias_add, a_eightbit_quantized_bias_add:1, \
a_eightbit_quantized_bias_add:2, fallback_quantization_min_value, fallback_quantization_max_value) \
Tinput=qint32 out_type=quint8
y_eightbit_quantized = QuantizedRelu(a_eightbit_requantize, a_eightbit_requantize:1, a_eightbit_requantize:2) \
Tinput=quint8
y = Dequantize(y_eightbit_quantized, y_eightbit_quantized:1, y_eightbit_quantized:2) T=quint8 mode=MIN_FIRST
quantized_input_min_value = Const float32[]: -1
quantized_input_max_value = Const float32[]: 1
fallback_quantization_min_value = Const float32[]: -6
fallback_quantization_max_value = Const float32[]: 6
output y = y:0
"""


def test_the_tools_graph() -> None:
    assert render(quantized(read(DENSE))) == MEASURED
    assert render(quantized(read(DENSE), (-1.0, 1.0), (-6.0, 6.0))) == GIVEN


@pytest.mark.parametrize("text", (PLAIN | NETS | FAILING).values(), ids=PLAIN | NETS | FAILING)
def test_answers_are_near(text: str) -> None:
    graph = read(text)
    result = quantized(graph)
    assert error(result, graph) < 0.06
    assert {spec.tensor for spec in result.outputs} == {spec.tensor for spec in graph.outputs}


def test_what_eight_bits_are_fed_and_limited_to() -> None:
    graph = read(DENSE)
    codes = np.array([[0, 255], [100, 200]], np.uint8)
    (expected,) = run(graph, {"x:0": (codes / 255 * 2 - 1).astype(np.float32)})
    (found,) = run(quantized(graph, (-1, 1), (-6, 6)), {"x:0": codes.view(dtype_named("quint8"))})
    np.testing.assert_allclose(found, np.minimum(expected, 6), atol=0.15)


def test_only_float_inputs_are_fed_in_eight_bits() -> None:
    graph = read(X + "s = Placeholder int32[2]\ny = Reshape(x, s) Tshape=int32\noutput y = y:0")
    result = quantized(graph, (-1, 1))
    assert [result.nodes[name].attr["dtype"].type for name in "xs"] == [12, 3]


def test_batch_norm() -> None:
    graph = read(
        X
        + "\n".join(
            f"{name} = Const float32[2] {kind}" for name, kind in zip("mvbs", ("~2", "+3", "~4", "~5"), strict=True)
        )
        + "\ny = BatchNormWithGlobalNormalization(x, m, v, b, s) variance_epsilon=0.001 scale_after_normalization=true"
        + "\noutput y = y:0"
    )
    graph.versions.producer = 8  # TensorFlow takes the operator from old graphs alone
    result = quantized(graph)
    node = result.nodes["y_eightbit_quantized_batch_norm"]
    assert node.op == "QuantizedBatchNormWithGlobalNormalization"
    assert node.input[3:6] == ["m_quint8_const", "m_min", "m_max"]
    assert error(result, graph) < 0.03


@pytest.mark.parametrize("text", TRAINED.values(), ids=TRAINED)
def test_trained_ranges_are_right_wherever_they_stand(text: str) -> None:
    """Behind a Relu or MaxPool, the tool took the range for that of other numbers; elsewhere it stopped."""
    graph = read(text)
    assert error(quantized(graph), graph) < 0.05


def test_a_trained_range_is_that_of_the_conversion() -> None:
    result = quantized(read(BIASED + "y = FakeQuantWithMinMaxVars(a, low, high)\noutput y = y:0"))
    assert result.nodes["a_eightbit_requantize"].input[3:] == ["low", "high"]
    assert result.nodes["y"].input[0] == "a_eightbit_requantize"
    assert "FakeQuantWithMinMaxVars" not in ops(result)


@pytest.mark.parametrize("build", [looping, branching, residual])
def test_graphs_of_tensorflow(build) -> None:
    """Loops among them, whose constants must run at each turn; the tool's did not."""
    graph = made(build)
    assert error(quantized(graph), graph) < 0.1


def test_a_fallback_range_in_a_loop() -> None:
    graph = made(looping)
    assert error(quantized(graph, fallback=(-1, 1)), graph) < 0.1


@pytest.mark.parametrize(
    "weights", [np.linspace(-0.001, 0.002, 6), -np.linspace(1, 2, 6), np.full(6, 3), np.full(6, -3), np.zeros(6)]
)
def test_weights_of_any_range(weights: np.ndarray) -> None:
    """The tool's are far off below zero and where the range is under 0.01: their quantizer widened it unseen."""
    graph = read(
        f"x = Placeholder float32[2,2]\nw = Const float32[2,3]: {sequence(*weights)}\ninput x = x:0\n"
        "y = MatMul(x, w) transpose_a=false transpose_b=false\noutput y = y:0"
    )
    result = quantized(graph)
    assert "w_quint8_const" in result.nodes
    assert error(result, graph) < 0.02


def test_weights_that_eight_bits_cannot_hold_stay_float() -> None:
    graph = read(X + "w = Const float32[2]\ny = BiasAdd(x, w)\noutput y = y:0".replace("[2]", "[2]: 1 inf", 1))
    assert np.isinf(quantized(graph).constants["w"]).any()


def test_constants_that_float_operators_read_first_stay_float() -> None:
    graph = read(X + "w = Const float32[2]: 1 2\na = Mul(x, w)\ny = BiasAdd(a, w)\noutput y = y:0")
    assert "w" in quantized(graph).constants


def test_training_nodes_go_and_outputs_stay() -> None:
    graph = read(X + "c = CheckNumerics(x) message=x\nr = Relu(c)\ny = Identity(r)\noutput y = y:0")
    result = quantized(graph)
    assert "CheckNumerics" not in ops(result)
    assert result.nodes["y"].op == "Identity"
    assert error(result, graph) < 0.03


def test_control_edges_stay() -> None:
    graph = read(X + "n = NoOp(^x)\ny = Relu(x, ^n)\noutput y = y:0")
    assert "^n" in quantized(graph).nodes["y_eightbit_quantized"].input


def test_what_no_output_needs_goes() -> None:
    graph = read(DENSE + "z = Sigmoid(y)")
    assert "z" not in quantized(graph).nodes


def test_library_and_versions_stay() -> None:
    graph = read(DENSE)
    graph.library.function.add().signature.name = "f"
    result = quantized(graph)
    assert (result.library, result.versions) == (graph.library, graph.versions)


@pytest.mark.parametrize(
    "name", ["a_eightbit_requantize", "quantized_input_min_value", "fallback_quantization_max_value"]
)
def test_a_name_that_is_taken_is_an_error(name: str) -> None:
    graph = read(DENSE.replace("b = Const", f"{name} = Sigmoid(x)\nb = Const").replace("Relu(a)", f"Relu(a, ^{name})"))
    with pytest.raises(ModelError, match=f"a node named '{name}' already"):
        quantized(graph, (0, 1), (0, 1) if name.startswith("fallback") else None)


@pytest.mark.parametrize(
    "op", ["Conv2D", "FakeQuantWithMinMaxVars", "Dequantize", "QuantizeV2", "Min", "Concat", "Relu"]
)
def test_nodes_without_inputs_are_left_to_tensorflow(op: str) -> None:
    graph = read(f"{X}a = {op}\nb = Relu(a)\nc = Min(b)\nd = Max(b)\ny = QuantizeV2(a, c, d)\noutput y = y:0")
    assert quantized(graph).nodes["a"].op == op
