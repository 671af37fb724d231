"""Eight-bit calculations: the graphs are the original's, and what they answer is near to what the float graph answers.

A case is exact when every node is; where the original is wrong, a test shows both.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.graph import Graph, node_name, short
from mobile_export.graphs.tensors import Array, dtype_named
from tests.graph_transform_tool.eightbit_graphs import (
    BIASED,
    EIGHTBIT,
    FAILING,
    NETS,
    PLAIN,
    ROUND_TRIPS,
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
)
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, same_answers, tally, theirs
from tests.graph_transform_tool.original import OriginalError, original


def agree_but_for_names(graph: Graph, transforms: str) -> Graph:
    """`agree`, whichever of two equal nodes gave its name to both: with the original, a hash of all that it reads."""
    tally(transforms, "equal in meaning")
    found, expected = ours(graph, transforms), theirs(graph, transforms)
    known = graph.nodes.keys() & found.nodes.keys() & expected.nodes.keys()
    assert described(found, known) == described(expected, known)
    return found


def described(graph: Graph, known: set[str]) -> Counter[str]:
    """How often there is each node: its operator, attributes, value, and those of all that it reads."""
    texts: dict[str, str] = {}
    for name in graph.topological_order():
        node = graph.nodes[name]
        attributes = sorted((key, value.SerializeToString(deterministic=True)) for key, value in node.attr.items())
        inputs = [(short(i).replace(node_name(i), ""), texts[node_name(i)]) for i in node.input]
        value = graph.constants[name].tolist() if name in graph.constants else None
        text = repr((name if name in known else "", node.op, attributes, value, inputs))
        texts[name] = hashlib.sha256(text.encode()).hexdigest()
    return Counter(texts.values())


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_one_operator(text: str) -> None:
    graph = read(text)
    assert error(agree(graph, "quantize_nodes"), graph) < 0.03


@pytest.mark.parametrize("text", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_round_trips(text: str) -> None:
    result = same_answers(read(text + "\noutput y = y:0"), "quantize_nodes", tolerance=0.002)  # a step less
    assert result.nodes["y"].input[0] == "codes"
    assert [node.input[0] for node in result.nodes.values() if node.op == "QuantizedRelu"] in ([], ["codes"])


@pytest.mark.parametrize("text", EIGHTBIT.values(), ids=EIGHTBIT)
def test_graphs_of_eight_bits(text: str) -> None:
    graph = read(text + "\noutput y = y:0")
    assert error(agree(graph, "quantize_nodes"), graph) < 0.03


@pytest.mark.parametrize("text", NETS.values(), ids=NETS)
def test_operators_behind_one_another(text: str) -> None:
    graph = read(text)
    assert error(agree_but_for_names(graph, "quantize_nodes"), graph) < 0.06


@pytest.mark.parametrize("text", TRAINED.values(), ids=TRAINED)
def test_trained_ranges(text: str) -> None:
    graph = read(text)
    result = agree(graph, "quantize_nodes")
    assert error(result, graph) < 0.05


def test_a_trained_range_takes_the_place_of_one_that_is_looked_for() -> None:
    result = agree(read(TRAINED["HoistFakeQuants"]), "quantize_nodes")
    assert "FakeQuantWithMinMaxVars" not in ops(result)
    assert result.nodes["y_hoisted_eightbit/requantize"].input[0] == "a/eightbit"
    assert "a/eightbit/requantize" not in result.nodes


def eightbit_feeds(graph: Graph) -> dict[str, Array]:
    """Codes for its inputs."""
    rng = np.random.default_rng(0)
    return {spec.tensor: rng.integers(0, 256, spec.shape, np.uint8) for spec in graph.inputs}


INPUT_RANGE = "quantize_nodes(input_min=-10, input_max=10.0)"
FED = {
    "QuantizePlaceholders": X + "y = Relu(x)\noutput y = y:0",
    "InputRange": X + "a = Const float32[1,4,6,2] ~1\ny = Add(a, x)\noutput y = y:0",
    "read in float": X + "a = Sigmoid(x:0)\ny = Relu(a)\noutput y = y:0",
    "waited for": X + "a = Sigmoid(x, ^x)\ny = Relu(a)\noutput y = y:0",
    "two inputs": X + "z = Placeholder float32[2]\ninput z = z:0\ny = BiasAdd(x, z)\noutput y = y:0",
}


@pytest.mark.parametrize("text", FED.values(), ids=FED)
def test_inputs_of_eight_bits(text: str) -> None:
    graph = read(text)
    result = agree(graph, INPUT_RANGE)
    codes = eightbit_feeds(graph)
    floats = {name: (value / 255 * 20 - 10).astype(np.float32) for name, value in codes.items()}
    (expected,) = run(graph, floats)
    (found,) = run(result, {name: value.view(dtype_named("quint8")) for name, value in codes.items()})
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


FALLBACK = "quantize_nodes(fallback_min=-8, fallback_max=8)"


@pytest.mark.parametrize("name", ["Add", "Conv2D, valid", "Relu"])
def test_a_fallback_range(name: str) -> None:
    graph = read(PLAIN[name])
    result = agree(graph, FALLBACK)
    assert "RequantizationRange" not in ops(result)
    expected, found = answers(graph, graph)[0], answers(result, graph)[0]
    np.testing.assert_allclose(found, np.clip(expected, -8, 8), atol=0.2)


def test_a_fallback_range_comes_before_a_trained_one() -> None:
    agree(read(TRAINED["HoistFakeQuants"]), FALLBACK)


@pytest.mark.parametrize("name", ["a network", "two readers"])
@pytest.mark.parametrize("call", ["(ignore_op=Relu6)", "(ignore_op=MatMul, ignore_op=Conv2D, ignore_op=Softmax)"])
def test_ignored_operators(name: str, call: str) -> None:
    graph = read(NETS[name])
    result = agree_but_for_names(graph, f"quantize_nodes{call}")
    ignored = {"Relu6"} if "Relu6" in call else {"MatMul", "Conv2D", "Softmax"}
    assert [op for op in ops(result) if op in ignored] == [op for op in ops(graph) if op in ignored]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("(input_min=0)", "input_min is given alone; give both input_min and input_max"),
        ("(fallback_max=1)", "fallback_max is given alone; give both fallback_min and fallback_max"),
        ("(input_min=0, input_max=x)", "input_max: 'x' is no number"),
        ("(input_min=0, input_min=1, input_max=2)", "input_min is given 2 times"),
    ],
)
def test_a_wrong_range_is_refused_as_by_the_original(call: str, said: str) -> None:
    graph = read(PLAIN["Relu"])
    with pytest.raises(OriginalError):
        theirs(graph, f"quantize_nodes{call}")
    with pytest.raises(TargetError, match=said):
        ours(graph, f"quantize_nodes{call}")


def test_a_range_of_nothing_is_refused() -> None:
    with pytest.raises(TargetError, match="fallback_min is 6 and fallback_max 6"):
        ours(read(PLAIN["Relu"]), "quantize_nodes(fallback_min=6, fallback_max=6)")


def original_fails(graph: Graph, transforms: str = "quantize_nodes") -> Graph:
    """Ours, of a graph from which the original makes nothing, or nothing that TensorFlow runs."""
    found, expected = ours_is_better(graph, transforms)
    if isinstance(expected, Graph):
        with pytest.raises(ModelError):
            answers(expected, graph)
    return found


def original_is_far_off(graph: Graph, transforms: str = "quantize_nodes") -> Graph:
    """Ours, of a graph from which the original makes one with other answers."""
    found, expected = ours_is_better(graph, transforms)
    assert isinstance(expected, Graph)
    assert error(expected, graph) > 0.15
    return found


@pytest.mark.parametrize("text", FAILING.values(), ids=FAILING)
def test_better_where_the_original_fails(text: str) -> None:
    graph = read(text)
    assert error(original_fails(graph), graph) < 0.05


FAR_OFF = {
    "dilations": X
    + "w = Const float32[2,2,2,4] ~1\ny = Conv2D(x, w) padding=SAME strides=[1,1,1,1] "
    + "dilations=[1,2,2,1]\noutput y = y:0",
    "half pixels": X
    + "s = Const int32[2]: 8 12\ny = ResizeBilinear(x, s) align_corners=false half_pixel_centers=true\noutput y = y:0",
    "a range trained behind an average": BIASED.replace("6\nw", "0.5\nw")
    + """
        r = Relu(a)
        p = AvgPool(r) ksize=[1,4,6,1] strides=[1,1,1,1] padding=SAME
        y = FakeQuantWithMinMaxVars(p, low, high)
        output y = y:0
    """,
    "a range trained behind a function": X
    + """
        low = Const float32[]: 0
        high = Const float32[]: 1
        s = Sigmoid(x)
        y = FakeQuantWithMinMaxVars(s, low, high)
        output y = y:0
    """,
    "what a range is trained behind is read elsewhere": X
    + """
        low = Const float32[]: 0
        high = Const float32[]: 0.5
        i = Identity(x)
        j = Identity(i)
        f = FakeQuantWithMinMaxVars(j, low, high)
        y = Sub(i, f)
        output y = y:0
    """,
}


@pytest.mark.parametrize("text", FAR_OFF.values(), ids=FAR_OFF)
def test_better_where_the_original_is_far_off(text: str) -> None:
    graph = read(text)
    assert error(original_is_far_off(graph), graph) < 0.06


@pytest.mark.parametrize("node", ["BiasAdd(x, b)", "MaxPool(x) ksize=[1,1,2,2] strides=[1,1,1,1] padding=VALID"])
def test_channels_first_stay_float(node: str) -> None:
    """TensorFlow has no float kernels for them on the CPU, so that only the structure is held."""
    graph = read(
        f"x = Placeholder float32[1,2,4,2]\nb = Const float32[2] ~1\ny = {node} data_format=NCHW\noutput y = y:0"
    )
    found, expected = ours_is_better(graph, "quantize_nodes")
    assert isinstance(expected, Graph)
    assert "Dequantize" in ops(expected)
    assert found.nodes["y"] == graph.nodes["y"]


def test_only_float_inputs_become_inputs_of_eight_bits() -> None:
    graph = read(
        X + "s = Placeholder int32[2]\ninput s = s:0\ny = Reshape(x, s) Tshape=int32\nz = Sigmoid(y)\noutput y = z:0"
    )
    found, expected = ours_is_better(graph, INPUT_RANGE)
    codes = {**eightbit_feeds(replace(graph, inputs=graph.inputs[:1])), "s:0": np.array([12, 4], np.int32)}
    codes["x:0"] = codes["x:0"].view(dtype_named("quint8"))
    assert run(found, codes, ("z:0",))[0].shape == (12, 4)
    assert isinstance(expected, Graph)
    with pytest.raises(ModelError):
        run(expected, codes, ("z:0",))


def test_a_value_that_is_fed_is_used() -> None:
    graph = read(X + "a = Relu(x)\ny = Relu6(a)\ninput a = a:0\noutput y = y:0")
    found, expected = ours_is_better(graph, "quantize_nodes")
    assert isinstance(expected, Graph)
    feeds = {"x:0": np.zeros([1, 4, 6, 2], np.float32), "a:0": np.full([1, 4, 6, 2], 3, np.float32)}
    assert run(found, feeds)[0].max() == 3
    assert run(expected, feeds)[0].max() == 0


def test_codes_of_another_type_are_not_taken_for_quint8() -> None:
    graph = read(
        X
        + "n = Const float32[]: -4\nh = Const float32[]: 4\n"
        + "q = QuantizeV2(x, n, h) T=quint16 mode=MIN_FIRST\nd = Dequantize(q, q:1, q:2) T=quint16 mode=MIN_FIRST\n"
        + "y = Relu(d)\noutput y = y:0"
    )
    assert error(original_fails(graph), graph) < 0.05


def test_a_name_that_is_taken_is_an_error() -> None:
    graph = read(X + "y/eightbit = Sigmoid(x)\ny = Relu(y/eightbit)\noutput y = y:0")
    assert (
        Counter(node.name for node in original(graph.to_graph_def(), ["x"], ["y"], "quantize_nodes").node)["y/eightbit"]
        > 1
    )
    with pytest.raises(ModelError, match="has a node named 'y/eightbit' already; rename it first"):
        ours(graph, "quantize_nodes")


@pytest.mark.parametrize(
    "transforms",
    [
        "quantize_weights(minimum_size=1) quantize_nodes",
        "quantize_nodes quantize_weights(minimum_size=1)",
        "quantize_nodes strip_unused_nodes",
    ],
)
def test_in_a_row_with_others(transforms: str) -> None:
    graph = read(NETS["a network"])
    assert error(agree_but_for_names(graph, transforms), graph) < 0.06


def test_twice() -> None:
    graph = read(NETS["float between"])
    assert error(original_fails(graph, "quantize_nodes quantize_nodes"), graph) < 0.03


@pytest.mark.parametrize("build", [looping, branching, residual])
def test_graphs_of_tensorflow(build: Callable[[Any], Any]) -> None:
    graph = made(build)
    for seed in range(4):
        assert error(same_answers(graph, "quantize_nodes"), graph, seed) < 0.1


def test_a_fallback_range_in_a_loop() -> None:
    graph = made(looping)
    assert error(original_fails(graph, "quantize_nodes(fallback_min=-1, fallback_max=1)"), graph) < 0.1


def test_placement_beside_a_node_that_goes_is_forgotten() -> None:
    graph = read(TRAINED["HoistFakeQuants"] + "\nz = Sigmoid(y)\noutput z = z:0")
    graph.nodes["z"].attr["_class"].list.s.append(b"loc:@p")
    assert error(original_fails(graph), graph) < 0.05


@pytest.mark.parametrize("op", ["Conv2D", "FakeQuantWithMinMaxVars", "Dequantize", "Min", "Concat", "Relu"])
def test_nodes_without_inputs_are_left_to_tensorflow(op: str) -> None:
    graph = read(f"{X}a = {op}\nb = Min(a)\nc = Max(b)\ny = QuantizeV2(a, b, c)\noutput y = y:0")
    assert ours(graph, "quantize_nodes(fallback_min=0, fallback_max=1)").nodes["a"].op == op


def test_a_range_of_one_constant() -> None:
    graph = read(X + "c = Const float32[]: 1\ni = Identity(c)\ny = FakeQuantWithMinMaxVars(i, c, c)\noutput y = y:0")
    found, expected = ours_is_better(graph, "quantize_nodes")
    assert isinstance(expected, OriginalError)  # it writes the constant down twice
    assert ops(found).count("Requantize") == 1
