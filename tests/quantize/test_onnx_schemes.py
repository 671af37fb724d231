"""Schemes on operators that TensorFlow graphs seldom bring, in models written in ONNX itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from mobile_export.errors import ConversionError
from mobile_export.formats.onnx_stages import float_operators
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.onnx_ranges import measure
from mobile_export.quantize.onnx_schemes import LAYER_PRECISIONS, apply_scheme
from mobile_export.quantize.scheme import Scheme


def values(*shape: int, seed: int = 0) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)


def model_of(shape: Sequence[int], constants: dict[str, Array], *nodes: NodeProto) -> ModelProto:
    """A model from `x` to `y`; each node is called after what it writes."""
    for node in nodes:
        node.name = next(name for name in node.output if name)
    edges = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s)] for n, s in (("x", shape), ("y", None))]
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(list(nodes), "main", *edges, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def run(model: ModelProto, x: Array, every_tensor: bool = False) -> dict[str, Array]:
    model = type(model).FromString(model.SerializeToString())
    if every_tensor:
        names = [name for node in model.graph.node for name in node.output if name and name != "y"]
        model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    outputs = [output.name for output in session.get_outputs()]
    return dict(zip(outputs, session.run(outputs, {"x": x}), strict=True))


def under(model: ModelProto, scheme: Scheme, x: Array) -> ModelProto:
    changed = type(model).FromString(model.SerializeToString())
    apply_scheme(changed.graph, scheme, measure([{"x": x, **run(model, x, every_tensor=True)}]))
    return changed


node = helper.make_node
X = (6, 16)
IMAGE = (4, 8, 6, 6)
SEQUENCE = (5, 3, 16)

MODELS: dict[str, tuple[Sequence[int], dict[str, Array], list[NodeProto]]] = {
    "Gemm": (X, {"w": values(16, 24), "b": values(24)}, [node("Gemm", ["x", "w", "b"], ["y"])]),
    "Gemm of a transposed matrix": (
        X,
        {"w": values(24, 16), "b": values(24)},
        [node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
    ),
    "Gemm with one bias for all": (
        X,
        {"w": values(16, 24), "b": values(1)},
        [node("Gemm", ["x", "w", "b"], ["y"])],
    ),
    "Gemm with a factor": (
        X,
        {"w": values(16, 24), "b": values(24)},
        [node("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, beta=2.0)],
    ),
    "MatMul": (X, {"w": values(16, 24)}, [node("MatMul", ["x", "w"], ["y"])]),
    "MatMul of a stack": (SEQUENCE, {"w": values(5, 16, 24)}, [node("MatMul", ["x", "w"], ["y"])]),
    "MatMul from the left": (X, {"w": values(60, 6)}, [node("MatMul", ["w", "x"], ["y"])]),
    "two MatMuls of one matrix": (
        (16, 16),
        {"w": values(16, 16)},
        [node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "w"], ["y"])],
    ),
    "attention": (
        (5, 3, 16),
        {"w": values(16, 16)},
        [
            node("MatMul", ["x", "w"], ["q"]),
            node("Transpose", ["q"], ["k"], perm=[0, 2, 1]),
            node("MatMul", ["q", "k"], ["s"]),
            node("Softmax", ["s"], ["p"]),
            node("MatMul", ["p", "q"], ["y"]),
        ],
    ),
    "Conv without bias": (IMAGE, {"w": values(12, 8, 3, 3) * 0.3}, [node("Conv", ["x", "w"], ["y"])]),
    "Conv in one dimension": (
        (4, 8, 20),
        {"w": values(12, 8, 3) * 0.3, "b": values(12)},
        [node("Conv", ["x", "w", "b"], ["y"])],
    ),
    "ConvTranspose": (IMAGE, {"w": values(8, 12, 3, 3) * 0.3}, [node("ConvTranspose", ["x", "w"], ["y"])]),
    "LSTM": (
        SEQUENCE,
        {"w": values(1, 80, 16), "r": values(1, 80, 20)},
        [node("LSTM", ["x", "w", "r"], ["h"], hidden_size=20), node("Relu", ["h"], ["y"])],
    ),
    "GRU": (
        SEQUENCE,
        {"w": values(1, 60, 16), "r": values(1, 60, 20)},
        [node("GRU", ["x", "w", "r"], ["y"], hidden_size=20)],
    ),
    "constants beside integers": (
        (6, 20),
        {"w": values(20, 20), "c": values(20), "f": np.float32(0.7), "more": values(6, 4)},
        [
            node("MatMul", ["x", "w"], ["h"]),
            node("Add", ["h", "c"], ["s"]),
            node("Mul", ["s", "f"], ["m"]),
            node("Concat", ["m", "more"], ["y"], axis=1),
        ],
    ),
    "parts": (
        (6, 20),
        {"w": values(20, 20)},
        [
            node("MatMul", ["x", "w"], ["h"]),
            node("Split", ["h"], ["a", "b"], axis=1),
            node("Sigmoid", ["a"], ["s"]),
            node("Mul", ["s", "b"], ["y"]),
        ],
    ),
    "an activation behind nothing": (
        X,
        {"w": values(16, 24)},
        [node("Tanh", ["x"], ["t"]), node("Relu", ["t"], ["r"]), node("MatMul", ["r", "w"], ["y"])],
    ),
}


@pytest.mark.parametrize("precision", [p for p in LAYER_PRECISIONS if p != "float32"])
@pytest.mark.parametrize("shape, constants, nodes", MODELS.values(), ids=MODELS)
def test_answers(shape: Sequence[int], constants: dict[str, Array], nodes: list[NodeProto], precision: str) -> None:
    model, x = model_of(shape, constants, *nodes), values(*shape, seed=1) * 3
    want = run(model, x)["y"]
    got = run(under(model, Scheme(precision), x), x)["y"]
    assert np.abs(got - want).max() < (0.002 if precision == "float16" else 0.05) * np.abs(want).max()


def kinds(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_what_has_no_integer_kernel_keeps_narrow_weights() -> None:
    for name in ("ConvTranspose", "LSTM", "Gemm with a factor"):
        shape, constants, nodes = MODELS[name]
        changed = under(model_of(shape, constants, *nodes), Scheme("int8"), values(*shape))
        stored = {tensor.data_type for tensor in changed.graph.initializer if len(tensor.dims) > 1}
        assert TensorProto.INT8 in stored
        assert "Cast" in kinds(changed)


def test_integers_reach_as_far_as_they_are_of_use() -> None:
    shape, constants, nodes = MODELS["an activation behind nothing"]
    changed = under(model_of(shape, constants, *nodes), Scheme("int8"), values(*shape))
    tanh = next(node for node in changed.graph.node if node.op_type == "Tanh")
    assert tanh.input[0] == "x"


def test_tensors_keep_their_names() -> None:
    shape, constants, nodes = MODELS["attention"]
    model, x = model_of(shape, constants, *nodes), values(*shape) * 3
    changed = under(model, Scheme("int8"), x)
    want, got = run(model, x, every_tensor=True), run(changed, x, every_tensor=True)
    for name, array in want.items():
        assert np.abs(got[name] - array).max() < 0.1 * np.abs(array).max(), name


def test_a_bias_far_beyond_the_weights() -> None:
    model = model_of(X, {"w": values(16, 24) * 1e-7, "b": values(24) * 1e4}, node("Gemm", ["x", "w", "b"], ["y"]))
    x = values(*X)
    want, got = run(model, x)["y"], run(under(model, Scheme("int8"), x), x)["y"]
    assert np.abs(got - want).max() < 0.01 * np.abs(want).max()


def test_names_that_are_taken() -> None:
    constants = {"w": values(16, 24), "w/int8": values(24), "scale": values(24)}
    nodes = [
        node("Gemm", ["x", "w", "w/int8"], ["x/quantized"]),
        node("Add", ["x/quantized", "scale"], ["y"]),
    ]
    x = values(*X)
    for precision in LAYER_PRECISIONS:
        model = model_of(X, constants, *nodes)
        want, got = run(model, x)["y"], run(under(model, Scheme(precision), x), x)["y"]
        assert np.abs(got - want).max() < 0.05 * np.abs(want).max()


def test_ranges_of_nothing_are_refused() -> None:
    model = model_of(*MODELS["Gemm"][:2], *MODELS["Gemm"][2])
    with pytest.raises(ConversionError, match="needs representative samples"):
        apply_scheme(model.graph, Scheme("int8"), {})


def test_what_the_scheme_leaves_in_float() -> None:
    shape, constants, nodes = MODELS["two MatMuls of one matrix"]
    x = values(*shape)
    found: dict[str, Any] = {}
    for layers in ((), (("h", "float32"),), (("h", "float32"), ("y", "float32"))):
        model = model_of(shape, constants, *nodes)
        histograms = measure([{"x": x, **run(model, x, every_tensor=True)}])
        found[str(len(layers))] = apply_scheme(model.graph, Scheme("int8", layers), histograms)
    assert found == {"0": set(), "1": {"h", "r"}, "2": {"h", "r", "y"}}


IN_FLOAT = {
    "Gemm with a factor": ["Gemm"],
    "ConvTranspose": ["ConvTranspose"],
    "LSTM": ["LSTM"],
    "GRU": ["GRU"],
    "an activation behind nothing": ["Tanh"],
}
"""What ONNX Runtime has no integer kernels for."""


@pytest.mark.parametrize("name", MODELS)
def test_onnx_runtime_computes_in_integers(name: str) -> None:
    shape, constants, nodes = MODELS[name]
    changed = under(model_of(shape, constants, *nodes), Scheme("int8"), values(*shape))
    assert [operator for operator, _ in float_operators(changed)] == IN_FLOAT.get(name, [])
