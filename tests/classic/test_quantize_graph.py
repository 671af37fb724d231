"""Coarser graphs, in every mode of TensorFlow's quantize_graph."""

import shlex
import time
from pathlib import Path

import numpy as np
import pytest

from mobile_export.classic.changes import Changes
from mobile_export.classic.eightbit import eightbit
from mobile_export.classic.files import read_graph, write_graph
from mobile_export.classic.flags import parse
from mobile_export.classic.lossy_nodes import quantize_and_dequantize, round_nodes
from mobile_export.classic.quantize_graph import QuantizeGraph, quantize_graph
from mobile_export.errors import ModelError, OutputError, TargetError
from mobile_export.graphs.graph import Graph
from mobile_export.graphs.tensors import Array, dtype_name
from mobile_export.session import import_tensorflow
from mobile_export.transforms import relative_difference
from tests.graph_text import parse as graph_of
from tests.graph_transform_tool.harness import answers
from tests.graph_transform_tool.weight_graphs import WEIGHTS, conv_graph, loop_graph

tf = import_tensorflow()

MODES = ("weights_rounded", "weights", "round", "quantize", "eightbit")
SPLIT = """
    x = Placeholder float32[2,4]
    axis = Const int32[]: 1
    parts = Split(axis, x) num_split=2
    w = Const float32[2,3] ~1
    read = Identity(w)
    first = MatMul(parts, read)
    second = MatMul(parts:1, read)
    left = MatMul(parts:1, read)
    y = AddN(first, second, left) N=3
    input x = x:0
    output y = y:0 float32[2,3]
"""
"""What is read has several results, and the weights stand behind an Identity."""


def quantize(folder: Path, graph: Graph, line: str) -> tuple[Graph, Changes]:
    """What the command makes of `graph`, whose output is y."""
    write_graph(str(folder / "g.pb"), "input", graph)
    given = f"-input={folder / 'g.pb'} -output={folder / 'q.pb'} -output_node_names=y {line}"
    changes = quantize_graph(parse(QuantizeGraph, shlex.split(given)))
    return read_graph(str(folder / "q.pb"), "input"), changes


def moved(graph: Graph, found: Graph) -> float:
    """How far the answers of `found` are from those of `graph`, relative to their magnitude."""
    return relative_difference(answers(graph, graph)[0], answers(found, graph)[0])


def constants_graph(**values: object) -> Graph:
    """Constants that `y` waits for, one of which it is."""
    graph = Graph()
    for name, value in values.items():
        graph.set_constant(name, np.asarray(value, np.float32))
    graph.nodes["y"].input.extend(f"^{name}" for name in values if name != "y")
    return graph


# weights_rounded


def rounded(values: Array, buckets: int) -> Array:
    """What the tool says that it does, one step at a time."""
    low, high = values.min(), values.max()
    if low == high:
        return values
    width = (high - low) / np.float32(buckets)
    index = np.floor((values - low) / width)
    index[index == buckets] = buckets - 1
    return low + width * (index + np.float32(0.5))


@pytest.mark.parametrize("bits", [1, 4, 8, 12])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_are_rounded(kind: str, bits: int, tmp_path: Path) -> None:
    values = WEIGHTS[kind].astype(np.float32)
    found, _ = quantize(tmp_path, constants_graph(y=values), f"-mode=weights_rounded -bitdepth={bits}")
    assert np.array_equal(found.constants["y"], rounded(values, 1 << bits))
    assert len(np.unique(found.constants["y"])) <= 1 << bits


def test_small_constants_are_rounded_and_single_values_stay(tmp_path: Path) -> None:
    graph = constants_graph(y=[1, 2, 4], scalar=0.3, zeros=np.zeros(20), tiny=1e-7, single=[[5]])
    found, changes = quantize(tmp_path, graph, "--mode weights_rounded --bitdepth 1")
    assert found.constants["y"].tolist() == [1.75, 1.75, 3.25]
    for name in ("scalar", "zeros", "tiny", "single"):
        assert np.array_equal(found.constants[name], graph.constants[name])
    assert changes.before.nodes == changes.after.nodes == 5


@pytest.mark.parametrize("other", [np.nan, np.inf, -np.inf])
def test_infinity_and_nan_stay(other: float, tmp_path: Path) -> None:
    found, _ = quantize(tmp_path, constants_graph(y=[0, 1, 3, other]), "-mode=weights_rounded -bitdepth=1")
    assert np.array_equal(found.constants["y"], np.float32([0.75, 0.75, 2.25, other]), equal_nan=True)


# weights


def by_tensorflow(values: Array) -> tuple[Array, Array]:
    """The quint8 and the floats that TensorFlow's operators make of `values`, used as the tool uses them."""
    low, high = min(values.min(), np.float32(0)), values.max()
    stored = tf.raw_ops.QuantizeV2(input=values, min_range=low, max_range=high, T=tf.quint8, mode="MIN_COMBINED")
    floats = tf.raw_ops.Dequantize(input=stored.output, min_range=low, max_range=high, mode="MIN_COMBINED")
    return tf.bitcast(stored.output, tf.uint8).numpy(), floats.numpy()


def stored(graph: Graph, name: str = "y") -> Array:
    return graph.constants[f"{name}_quint8_const"].view(np.uint8)


@pytest.mark.parametrize("kind", [kind for kind in WEIGHTS if kind not in ("negative", "negative constant", "small")])
def test_weights_are_stored_as_tensorflow_stores_them(kind: str, tmp_path: Path) -> None:
    values = WEIGHTS[kind].astype(np.float32)
    found, _ = quantize(tmp_path, constants_graph(y=values), "-mode=weights")
    quantized, floats = by_tensorflow(values)
    assert np.array_equal(stored(found), quantized)
    assert np.array_equal(answers(found, graph_of_y())[0], floats)


def graph_of_y() -> Graph:
    return graph_of("y = Const float32[1]: 0\noutput y = y:0")


@pytest.mark.parametrize(
    "values",
    [[0, 0.0005, 0.001], [-4, -3, -3.25], [-0.001, 0.001], [0.001], [-0.3, -0.3], [0, 0], [-1e-7], [0, 1e-37]],
)
def test_small_and_negative_ranges_keep_their_values(values: list[float], tmp_path: Path) -> None:
    """TensorFlow's operator widens such ranges, and the tool's Dequantize did not know of it: 0.001 became 0.0001."""
    weights = np.float32(values)
    found, _ = quantize(tmp_path, constants_graph(y=weights), "-mode=weights")
    step = (found.constants["y_max"] - found.constants["y_min"]) / 255 if np.ptp(weights) else 1e-7
    assert np.abs(answers(found, graph_of_y())[0] - weights).max() <= step * 0.51
    if weights.any() and np.ptp(weights) > 1e-6:
        assert np.abs(by_tensorflow(weights)[1] - weights).max() > step


@pytest.mark.parametrize("value", [0.3, -0.3, 0.001, 0])
def test_scalars_keep_their_value(value: float, tmp_path: Path) -> None:
    found, _ = quantize(tmp_path, constants_graph(y=value), "-mode=weights")
    assert found.nodes["y"].op == "Dequantize"
    np.testing.assert_allclose(answers(found, graph_of_y())[0], np.float32(value), rtol=1e-6)


def test_what_eight_bits_cannot_hold_stays(tmp_path: Path) -> None:
    graph = constants_graph(y=[1, np.nan], wide=[3e38, -3e38], infinite=[np.inf])
    assert [node.op for node in quantize(tmp_path, graph, "-mode=weights")[0].nodes.values()] == ["Const"] * 3


# round


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_results_have_so_many_levels(bits: int, tmp_path: Path) -> None:
    graph = conv_graph()
    found, _ = quantize(tmp_path, graph, f"-bitdepth={bits}")  # the tool's default mode is round
    assert {found.nodes[name].op for name in ("conv", "biased", "y")} == {"FakeQuantWithMinMaxVars"}
    assert {found.nodes[f"{name}_original"].op for name in ("conv", "biased", "y")} == {"Conv2D", "BiasAdd", "MatMul"}
    answer = answers(found, graph)[0]
    assert len(np.unique(answer)) <= 1 << bits
    assert 0 < moved(graph, found) < 6 / (1 << bits)


def test_results_far_from_zero_keep_their_place(tmp_path: Path) -> None:
    graph = graph_of("""
        x = Placeholder float32[1,3]
        b = Const float32[3]: 100 101 102
        y = BiasAdd(x, b)
        input x = x:0
        output y = y:0 float32[1,3]
    """)
    found, _ = quantize(tmp_path, graph, "-mode=round")
    assert 0 < moved(graph, found) < 1 / 255


@pytest.mark.parametrize("mode", ["round", "quantize"])
def test_other_types_stay(mode: str, tmp_path: Path) -> None:
    graph = graph_of("""
        x = Placeholder int32[2,2]
        y = MatMul(x, x) T=int32
        input x = x:0
        output y = y:0
    """)
    found, _ = quantize(tmp_path, graph, f"-mode={mode}")
    assert found.nodes == graph.nodes


# quantize


def test_what_flows_is_brought_to_eight_bits_and_back(tmp_path: Path) -> None:
    graph = conv_graph()
    found, changes = quantize(tmp_path, graph, "-mode=quantize")
    assert 0 < moved(graph, found) < 0.1
    assert found.nodes["x"] == graph.nodes["x"]
    assert found.nodes["conv_original"].input == ["x_dequantize", "w"]
    assert {found.nodes[name].op for name in ("w", "m", "b", "conv", "biased", "flat", "y")} == {"Dequantize"}
    assert found.nodes["d"].op == "Const"  # the depthwise convolution is not one of them
    assert len(np.unique(answers(found, graph)[0])) <= 256
    assert changes.operators()["QuantizeV2"] == (0, 5)


def test_every_result_of_a_node(tmp_path: Path) -> None:
    graph = graph_of(SPLIT)
    found, changes = quantize(tmp_path, graph, "-mode=quantize")
    assert found.nodes["first_original"].input == ["parts", "read"]
    assert found.nodes["second_original"].input == ["parts__port__1_dequantize", "read"]
    assert found.nodes["w"].op == "Dequantize"
    assert changes.operators()["QuantizeV2"] == (0, 5)
    assert 0 < moved(graph, found) < 0.05


# eightbit


def test_calculations_in_eight_bits(tmp_path: Path) -> None:
    graph = conv_graph()
    found, changes = quantize(tmp_path, graph, "-mode=eightbit")
    assert 0 < moved(graph, found) < 0.1
    assert changes.operators()["QuantizedConv2D"] == (0, 1)


def test_ranges_that_are_given(tmp_path: Path) -> None:
    ranges = "-quantized_input -quantized_input_min=-4 -quantized_input_max=4"
    fallback = "-quantized_fallback_min=-64 -quantized_fallback_max=64"
    found, changes = quantize(tmp_path, conv_graph(), f"-mode=eightbit {ranges} {fallback}")
    assert dtype_name(found.nodes["x"].attr["dtype"].type) == "quint8"
    assert found.constants["quantized_input_min_value"] == -4
    assert found.constants["fallback_quantization_max_value"] == 64
    assert "RequantizationRange" not in changes.operators()


# All modes


@pytest.mark.parametrize("mode", MODES)
def test_loops_still_run(mode: str, tmp_path: Path) -> None:
    """The tool dropped what a Const waits for, which a loop needs."""
    graph = loop_graph()
    found, _ = quantize(tmp_path, graph, f"-mode={mode}")
    assert 0 < moved(graph, found) < 0.1


@pytest.mark.parametrize("mode", MODES)
def test_what_the_outputs_do_not_need_goes(mode: str, tmp_path: Path) -> None:
    graph = conv_graph()
    graph.set_constant("unused", WEIGHTS["normal"].astype(np.float32))
    found, _ = quantize(tmp_path, graph, f"-mode={mode}")
    assert not [name for name in found.nodes if name.startswith("unused")]
    assert found.versions == graph.versions


def test_nodes_are_listed(tmp_path: Path) -> None:
    _, changes = quantize(tmp_path, graph_of_y(), "-mode=weights_rounded --print_nodes")
    assert changes.notes == ["Const:y"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-mode=test", "'test' is not known; allowed: round, quantize, eightbit, weights, weights_rounded"),
        ("-mode=round -bitdepth=1", "--mode=round takes 2 to 16"),
        ("-mode=weights_rounded -bitdepth=0", "--mode=weights_rounded takes 1 to 24"),
        ("-mode=weights_rounded -bitdepth=25", "--mode=weights_rounded takes 1 to 24"),
        ("-mode=weights -quantized_input", "only --mode=eightbit"),
        ("-mode=eightbit -quantized_input -quantized_input_min=2", "2.0 is not below --quantized_input_max, 1.0"),
        ("-mode=eightbit -quantized_fallback_min=0", "give both, or none"),
        ("-mode=eightbit -quantized_fallback_min=0 -quantized_fallback_max=-1", "is not below"),
        ("-mode=weights -quantized_fallback_min=0 -quantized_fallback_max=6", "only --mode=eightbit"),
        ("-mode=weights -output_node_names=", "--output_node_names: missing"),
        ("-mode=weights -output=", "--output: missing"),
        ("-mode=weights -input=", "--input: missing"),
    ],
)
def test_wrong_flags(line: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=problem):
        quantize(tmp_path, graph_of_y(), line)


def test_wrong_files_and_nodes(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the graph has no node 'z'"):
        quantize(tmp_path, graph_of_y(), "-mode=weights -output_node_names=z:0")
    with pytest.raises(ModelError, match="missing"):
        quantize(tmp_path, graph_of_y(), f"-mode=weights -input={tmp_path / 'missing.pb'}")
    with pytest.raises(OutputError, match="no such folder"):
        quantize(tmp_path, graph_of_y(), f"-mode=weights -output={tmp_path / 'none' / 'q.pb'}")


REWRITES = {
    "round": lambda graph: round_nodes(graph, 8),
    "quantize": quantize_and_dequantize,
    "eightbit": lambda graph: eightbit(graph, ["y"], None, None),
}


@pytest.mark.parametrize("mode", REWRITES)
def test_what_reads_a_missing_node_goes_on_to(mode: str) -> None:
    """No file has it; a graph in memory may, on its way through several steps."""
    graph = graph_of(
        "x = Placeholder float32[2,2]\nread = Identity(x)\nm = MatMul(x, read)\ny = Relu(m)\noutput y = y:0"
    )
    graph.nodes["read"].input[0] = "missing"
    graph.nodes["m"].input[0] = "missing"
    found = REWRITES[mode](graph)
    read = {tensor for node in found.nodes.values() for tensor in node.input if not tensor.startswith("^")}
    assert "missing" in read


def test_constants_of_another_type_than_their_reader_stay() -> None:
    graph = graph_of("x = Placeholder float32[2,2]\nw = Const int32[2,2]: 1 2 3 4\ny = MatMul(x, w)\noutput y = y:0")
    found = quantize_and_dequantize(graph)
    assert found.constants["w"] is graph.constants["w"]
    assert found.nodes["y_original"].input[1] == "w"


@pytest.mark.parametrize("mode", ["round", "quantize"])
def test_time_grows_with_the_graph(mode: str) -> None:
    """With the square of its size, it would be a minute."""
    layers = [f"m{i} = MatMul({f'm{i - 1}' if i else 'x'}, w)" for i in range(3000)]
    lines = ["x = Placeholder float32[2,2]", "w = Const float32[2,2] ~1", *layers, "output y = m2999:0"]
    graph = graph_of("\n".join(lines))
    start = time.process_time()
    found = REWRITES[mode](graph)
    assert time.process_time() - start < 10
    assert len(found.nodes) > 4 * len(layers)
