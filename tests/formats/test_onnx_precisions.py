"""ONNX in every precision: answers, integers where they are promised, mixtures, names, bytes, and what is refused."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from mobile_export.errors import ConversionError
from mobile_export.formats.format import Quantizable, Request
from mobile_export.formats.onnx import ONNX
from mobile_export.formats.onnx_runner import optimized
from mobile_export.formats.onnx_stages import float_operators
from mobile_export.graphs.graph import Graph
from mobile_export.quantize.onnx_ranges import METHODS
from mobile_export.quantize.scheme import Scheme
from mobile_export.runner import run_samples
from mobile_export.samples import Samples
from mobile_export.session import Session, import_tensorflow
from tests.formats.test_onnx import MODELS, NHWC, Build, graph_of, weights
from tests.loops import LAYERS, loop_graph

tf = import_tensorflow()

QUANTIZED = ("float16", "weight_int8", "dynamic", "int8")
LEAST_DB = {"float16": 45, "weight_int8": 25, "dynamic": 25, "int8": 20}


def kernel(*shape: int) -> np.ndarray:
    """Weights that keep the magnitude of activations."""
    return (weights(*shape) * (2 / np.prod(shape[:-1])) ** 0.5).astype(np.float32)


def small_network(x: Any) -> list[Any]:
    """A bit of everything that phones run: a stem, a residual block, depthwise, a mean, a dense layer."""
    stem = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel(3, 3, 4, 16), 1, "SAME", name="stem"), weights(16) * 0.1))
    side = tf.nn.relu6(tf.nn.conv2d(stem, kernel(3, 3, 16, 16), 1, "SAME", name="side"))
    block = tf.nn.relu(stem + tf.nn.conv2d(side, kernel(3, 3, 16, 16)[::-1], 1, "SAME", name="back"))
    deep = tf.nn.relu(tf.nn.depthwise_conv2d(block, kernel(3, 3, 16, 1) * 3, [1, 2, 2, 1], "SAME", name="deep"))
    wide = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(deep, kernel(1, 1, 16, 64), 1, "SAME", name="wide")), 2, 2, "SAME")
    logits = tf.matmul(tf.reduce_mean(wide, [1, 2]), kernel(64, 10) * 4, name="dense") + weights(10) * 0.1
    return [tf.nn.softmax(logits)]


def samples_of(graph: Graph, count: int = 48, seed: int = 0) -> Samples:
    random = np.random.default_rng(seed)
    return {
        spec.name: random.standard_normal((count, *(spec.shape or ())[1:])).astype(np.float32) for spec in graph.inputs
    }


def converted(graph: Graph, folder: Path, calibrated: bool = True) -> Path:
    folder = folder / "converted"
    folder.mkdir()
    ONNX().convert(graph, folder, [])
    if calibrated:
        ONNX().calibrate(graph, folder, [], samples_of(graph))
    return folder


def write(folder: Path, scheme: Scheme | str, **choices: Any) -> Path:
    scheme = Scheme(scheme) if isinstance(scheme, str) else scheme
    path = folder.parent / f"{scheme.precision}.onnx"
    ONNX().quantize(folder, Request("net", path, scheme.precision, scheme=scheme, **choices))
    return path


def decibels(graph: Graph, path: Path) -> float:
    """Signal to noise of the worst output, on samples that calibration has not seen."""
    feeds = samples_of(graph, seed=1)
    got = run_samples(ONNX().open(path), feeds)
    with Session(graph) as session:
        want = run_samples(session, feeds)
    found = []
    for name, reference in want.items():
        spread = reference - reference.mean(axis=0)
        found.append(10 * np.log10(np.square(spread).mean() / max(np.square(got[name] - reference).mean(), 1e-20)))
    return float(min(found))


def types(path: Path) -> Counter[int]:
    """Values of constants by element type."""
    found: Counter[int] = Counter()
    for tensor in onnx.load(path).graph.initializer:
        found[tensor.data_type] += int(np.prod(tensor.dims))
    return found


@pytest.fixture(scope="module")
def network() -> Graph:
    return graph_of(small_network, NHWC)


@pytest.fixture(scope="module")
def folder(network: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted(network, tmp_path_factory.mktemp("network"))


def test_is_quantizable() -> None:
    unit: Quantizable = ONNX()
    assert isinstance(unit, Quantizable)
    assert unit.layer_precisions[-1] == "float32"
    assert unit.choices["ranges"][0] == unit.choices["weights"][0] == "minmax"
    assert set(unit.layer_precisions) == set(unit.precisions)


@pytest.mark.parametrize("precision", QUANTIZED)
def test_answers(precision: str, network: Graph, folder: Path) -> None:
    path = write(folder, precision)
    assert decibels(network, path) > LEAST_DB[precision]
    runner = ONNX().open(path)
    assert [(e.name, e.dtype, e.shape) for e in (*runner.inputs, *runner.outputs)] == [
        ("x0", "float32", NHWC),
        ("y0", "float32", (-1, 10)),
    ]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]


def test_sizes(folder: Path) -> None:
    size = {precision: write(folder, precision).stat().st_size for precision in ("float32", *QUANTIZED)}
    values = sum(layer.weights for layer in ONNX().layers(folder))
    assert size["float32"] > 4 * values
    assert size["float32"] - size["float16"] > 1.6 * values
    assert size["float32"] - size["int8"] > 2.2 * values


def test_bytes_are_the_same_again(folder: Path) -> None:
    for precision in QUANTIZED:
        first = write(folder, precision).read_bytes()
        assert write(folder, precision).read_bytes() == first


def test_write_is_convert_and_quantize(network: Graph, folder: Path, tmp_path: Path) -> None:
    requests = [Request(p, tmp_path / f"{p}.onnx", p) for p in ("float32", *QUANTIZED)]
    ONNX().write(network, requests, samples_of(network))
    for request in requests:
        assert request.path.read_bytes() == write(folder, request.precision).read_bytes()
    assert len(list(tmp_path.iterdir())) == len(requests)


def test_int8_computes_in_integers(folder: Path) -> None:
    model = onnx.load(write(folder, "int8"))
    assert float_operators(model) == []
    kinds = Counter(node.op_type for node in optimized(model, "ENABLE_EXTENDED").graph.node)
    assert kinds["QLinearConv"] == 5
    assert kinds["QGemm"] == kinds["QLinearAdd"] == kinds["QLinearGlobalAveragePool"] == kinds["QLinearSoftmax"] == 1
    assert (kinds["QuantizeLinear"], kinds["DequantizeLinear"]) == (1, 1)
    assert not {"Conv", "Gemm", "Relu", "Clip", "Add"} & set(kinds)


def test_a_float_file_does_not(folder: Path) -> None:
    found = float_operators(onnx.load(write(folder, "float32")))
    assert {"Conv", "Gemm"} <= {operator.removeprefix("Fused") for operator, _ in found}


def test_dynamic_int8_multiplies_integers(folder: Path) -> None:
    model = onnx.load(write(folder, "dynamic"))
    assert [n.op_type for n in model.graph.node].count("MatMulInteger") == 1
    assert "DynamicQuantizeMatMul" in {n.op_type for n in optimized(model, "ENABLE_EXTENDED").graph.node}


@pytest.mark.parametrize("precision", ["float16", "weight_int8"])
def test_narrow_weights_are_widened_when_the_file_is_loaded(precision: str, folder: Path) -> None:
    """And not at every answer."""
    fused = optimized(onnx.load(write(folder, precision)), "ENABLE_EXTENDED")
    assert not {"Cast", "Mul", "DequantizeLinear"} & {node.op_type for node in fused.graph.node}


def test_choices_of_ranges_and_weights(network: Graph, folder: Path) -> None:
    schemes = [
        Scheme("int8"),
        *(Scheme("int8", ranges=method) for method in METHODS if method != "minmax"),
        Scheme("int8", per_channel=False),
    ]
    written = []
    for scheme in schemes:
        path = write(folder, scheme)
        assert decibels(network, path) > 12
        written.append(path.read_bytes())
    assert len(set(written)) == len(schemes)
    assert set(ONNX().choices["ranges"]) == set(METHODS)


def test_clipped_weights(tmp_path: Path) -> None:
    outlying = kernel(2048, 64)
    outlying[0, 0] = 8 * outlying.std()
    graph = graph_of(lambda x: [tf.matmul(x, outlying)], (-1, 2048))
    folder = converted(graph, tmp_path)
    whole, clipped = (Scheme("weight_int8", per_channel=False, weights=how) for how in ("minmax", "mse"))
    assert decibels(graph, write(folder, clipped)) > decibels(graph, write(folder, whole))


# ---- layers


def test_layers(folder: Path) -> None:
    layers = ONNX().layers(folder)
    assert [layer.operator for layer in layers] == ["Conv"] * 5 + ["Gemm"]
    assert [layer.weights for layer in layers] == [576, 2304, 2304, 144, 1024, 640]
    stem, side, back, deep, wide, dense = (layer.name for layer in layers)
    assert [layer.inputs for layer in layers] == [(), (stem,), (side,), (stem, back), (deep,), (wide,)]
    assert {"side", "back", "deep", "wide"} <= {stem, side, back, deep, wide, dense}


def test_layers_are_known_by_name_in_every_file(folder: Path) -> None:
    names = {layer.name for layer in ONNX().layers(folder)}
    for precision in ("float32", *QUANTIZED):
        graph = onnx.load(write(folder, precision)).graph
        assert names <= {name for node in graph.node for name in node.output} | {node.name for node in graph.node}, (
            precision
        )


@pytest.mark.parametrize("precision", ONNX.layer_precisions)
@pytest.mark.parametrize("base", ["int8", "float32"])
def test_one_layer_of_its_own(base: str, precision: str, network: Graph, folder: Path) -> None:
    path = write(folder, Scheme.mixed(base, {"wide": precision}), allow_float_operators=True)
    assert decibels(network, path) > 20
    stored = {
        "int8": TensorProto.INT8,
        "dynamic": TensorProto.INT8,
        "weight_int8": TensorProto.INT8,
        "float16": TensorProto.FLOAT16,
        "float32": TensorProto.FLOAT,
    }[precision]
    layer = next(n for n in onnx.load(path).graph.node if n.name == "wide")
    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    writers = {name: node for node in graph.node for name in node.output}
    name = layer.input[1]
    while name not in constants:
        name = writers[name].input[0]
    assert constants[name].data_type == stored
    assert list(constants[name].dims) == [64, 16, 1, 1]


def test_what_lies_beside_a_float_layer_needs_no_permission(folder: Path) -> None:
    path = write(folder, Scheme.mixed("int8", {"side": "float32"}))
    left = float_operators(onnx.load(path))
    assert left
    assert {"QLinearConv"} <= {n.op_type for n in optimized(onnx.load(path), "ENABLE_EXTENDED").graph.node}


def test_a_float_layer_sees_no_rounded_values_of_other_float_layers(network: Graph, folder: Path) -> None:
    names = [layer.name for layer in ONNX().layers(folder)]
    all_but_last = Scheme.mixed("int8", dict.fromkeys(names[:-1], "float32"))
    assert decibels(network, write(folder, all_but_last)) > decibels(network, write(folder, "int8")) + 3
    nothing = Scheme.mixed("int8", dict.fromkeys(names, "float32"))
    path = write(folder, nothing)
    assert "QuantizeLinear" not in {node.op_type for node in onnx.load(path).graph.node}
    assert decibels(network, path) > 100


def test_a_shared_kernel_in_two_precisions(tmp_path: Path) -> None:
    graph = graph_of(MODELS["shared kernel"][0], NHWC)
    folder = converted(graph, tmp_path)
    first, second = (layer.name for layer in ONNX().layers(folder))
    path = write(folder, Scheme.mixed("int8", {first: "float16"}))
    assert decibels(graph, path) > 25
    assert {TensorProto.INT8, TensorProto.FLOAT16} <= set(types(path))
    both = write(folder, "int8")
    assert types(both)[TensorProto.INT8] < 1.5 * 3 * 3 * 4 * 40
    assert second


def test_an_unknown_layer_is_refused(folder: Path) -> None:
    with pytest.raises(ConversionError, match="no layer 'wid'; the nearest names are 'wide'"):
        write(folder, Scheme.mixed("int8", {"wid": "float32"}))


@pytest.mark.parametrize("version", [1, 2])
def test_layers_inside_loops(version: int, tmp_path: Path) -> None:
    graph = loop_graph(LAYERS["stacked"], version)
    folder = converted(graph, tmp_path, calibrated=False)
    first, second = ONNX().layers(folder)
    assert first.operator == second.operator == "MatMul"
    assert second.inputs == (first.name,)


def loop_of_some_size(x: Any) -> list[Any]:
    w = tf.constant(kernel(24, 24), name="w")
    _, y = tf.compat.v1.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, tf.tanh(tf.matmul(h, w))), (0, x))
    return [y]


@pytest.mark.parametrize("precision", ["float16", "weight_int8", "dynamic"])
def test_weights_of_loops_are_stored_narrow(precision: str, tmp_path: Path) -> None:
    graph = graph_of(loop_of_some_size, (-1, 24))
    folder = converted(graph, tmp_path, calibrated=False)
    path = write(folder, precision)
    assert decibels(graph, path) > LEAST_DB[precision]
    assert types(path)[TensorProto.FLOAT16 if precision == "float16" else TensorProto.INT8] == 24 * 24


# ---- whatever a graph holds


@pytest.mark.parametrize("build, shape", MODELS.values(), ids=MODELS)
def test_every_model_in_every_precision(build: Build, shape: tuple[int, ...], tmp_path: Path) -> None:
    """No answer goes wrong, however little of the model there is to quantize."""
    graph = graph_of(build, shape)
    folder = converted(graph, tmp_path)
    feeds = samples_of(graph, 3, seed=0)
    feeds = {name: array[: (shape[0] if shape[0] > 0 else 3)] for name, array in feeds.items()}
    with Session(graph) as session:
        want = session(feeds)
    for precision in QUANTIZED:
        path = write(folder, precision, allow_float_operators=True)
        got = ONNX().open(path)(feeds)
        for name, reference in want.items():
            assert got[name].dtype == reference.dtype
            if reference.dtype == np.float32:
                worst = np.abs(got[name] - reference).max(initial=0)
                assert worst <= 0.08 * np.abs(reference).max(initial=0) + 1e-6, (precision, name)


def test_a_fixed_batch(tmp_path: Path) -> None:
    graph = graph_of(small_network, (4, 9, 8, 4))
    folder = tmp_path / "converted"
    folder.mkdir()
    ONNX().convert(graph, folder, [])
    ONNX().calibrate(graph, folder, [], {"x0": weights(10, 9, 8, 4)})
    assert ONNX().open(write(folder, "int8")).inputs[0].shape == (4, 9, 8, 4)


def test_integer_inputs(tmp_path: Path) -> None:
    def lookup(ids: Any) -> Sequence[Any]:
        return [tf.matmul(tf.reduce_mean(tf.gather(kernel(100, 16), ids), 1), kernel(16, 30))]

    graph = graph_of(lookup, (-1, 5), dtype="int32")
    folder = tmp_path / "converted"
    folder.mkdir()
    samples = {"x0": np.random.default_rng(0).integers(0, 100, (20, 5))}
    ONNX().convert(graph, folder, [])
    ONNX().calibrate(graph, folder, [], samples)
    assert [layer.operator for layer in ONNX().layers(folder)] == ["Gather", "MatMul"]
    with Session(graph) as session:
        want = session({"x0": samples["x0"].astype(np.int32)})["y0"]
    for precision in QUANTIZED:
        path = write(folder, precision, allow_float_operators=True)
        got = ONNX().open(path)({"x0": samples["x0"].astype(np.int32)})["y0"]
        assert np.abs(got - want).max() < 0.05 * np.abs(want).max()


# ---- what is refused


def squashed(x: Any) -> list[Any]:
    return [tf.tanh(tf.nn.conv2d(x, kernel(3, 3, 4, 8), 1, "SAME"), name="squash") * 2.0]


def test_float_inside_int8_is_refused_by_name(tmp_path: Path) -> None:
    folder = converted(graph_of(squashed, NHWC), tmp_path)
    with pytest.raises(ConversionError, match=r"would compute in float: Tanh \('squash'\); .* allow_float_operators"):
        write(folder, "int8")
    assert write(folder, "int8", allow_float_operators=True).exists()


def test_int8_without_samples_is_refused(network: Graph, tmp_path: Path) -> None:
    request = Request("net", tmp_path / "net.onnx", "int8")
    with pytest.raises(
        ConversionError, match=r"artifact 'net': int8 needs representative samples; name them in \[data\]"
    ):
        ONNX().write(network, [request], None)
    assert list(tmp_path.iterdir()) == []


def test_weights_beyond_float16_are_refused_by_name(tmp_path: Path) -> None:
    graph = graph_of(lambda x: [tf.matmul(x, tf.constant(weights(32, 32) * 1e5, name="huge"))], (-1, 32))
    folder = converted(graph, tmp_path)
    with pytest.raises(ConversionError, match=r"'huge' reach .*e\+05, and float16 ends at 65504"):
        write(folder, "float16")
    (layer,) = ONNX().layers(folder)
    with pytest.raises(ConversionError, match="'huge'"):
        write(folder, Scheme.mixed("int8", {layer.name: "float16"}))


def test_endless_values_are_refused_by_name(tmp_path: Path) -> None:
    graph = graph_of(lambda x: [tf.nn.relu(tf.math.log(tf.nn.relu(x), name="logarithm"))], (-1, 4))
    with pytest.raises(ConversionError, match="'logarithm' reaches infinity or NaN"):
        converted(graph, tmp_path)
