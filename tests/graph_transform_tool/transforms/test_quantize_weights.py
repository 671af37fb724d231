"""Eight bits, bit for bit as the original stores them where that is right."""

import numpy as np
import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.graph import Graph
from mobile_export.transforms import relative_difference
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, same_answers, theirs
from tests.graph_transform_tool.weight_graphs import WEIGHTS, constant_graph, conv_graph, loop_graph, placed_graph


def value(graph: Graph) -> np.ndarray:
    """What `w` is at run time."""
    return answers(graph, constant_graph(np.zeros(1)))[0]


@pytest.mark.parametrize("kind", WEIGHTS)
def test_the_same_bits(kind: str) -> None:
    graph = constant_graph(WEIGHTS[kind])
    found = agree(graph, "quantize_weights", tolerance=0)
    assert list(found.nodes) == ["w_quantized_const", "w_quantized_min", "w_quantized_max", "w"]
    step = found.constants["w_quantized_max"] - found.constants["w_quantized_min"]
    assert np.abs(value(found) - graph.constants["w"]).max() <= step / 255 * 1.1


@pytest.mark.parametrize(
    ("size", "parameters", "quantized"),
    [
        (1023, "", False),
        (1024, "", True),
        (1, "(minimum_size=1)", True),
        (1, "(minimum_size=0)", True),
        (15, "(minimum_size=16)", False),
        (16, "(minimum_size=16)", True),
    ],
)
def test_the_smallest_size(size: int, parameters: str, quantized: bool) -> None:
    found = agree(constant_graph(WEIGHTS["normal"][:size]), f"quantize_weights{parameters}", tolerance=0)
    assert (found.nodes["w"].op == "Dequantize") == quantized


@pytest.mark.parametrize("value", [0.3, -0.3])
def test_a_scalar(value: float) -> None:
    found = agree(constant_graph(np.float32(value)), "quantize_weights(minimum_size=1)", tolerance=0)
    assert found.constants["w_quantized_const"].shape == ()


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
def test_other_types_stay(dtype: str) -> None:
    graph = constant_graph(WEIGHTS["normal"])
    graph.set_constant("w", WEIGHTS["normal"].astype(dtype))
    assert agree(graph, "quantize_weights", tolerance=0).constants["w"] is graph.constants["w"]


def test_an_empty_constant_stays() -> None:
    assert ours(constant_graph(np.zeros((0, 3))), "quantize_weights(minimum_size=0)").nodes["w"].op == "Const"


def test_a_network_answers_as_the_original_makes_it_answer() -> None:
    graph = conv_graph()
    agree(graph, "quantize_weights(minimum_size=16)", tolerance=0)
    found = same_answers(graph, "quantize_weights(minimum_size=16)", tolerance=0)
    assert relative_difference(answers(graph, graph)[0], answers(found, graph)[0]) < 0.05


def test_the_range_always_includes_zero() -> None:
    for kind in ("far from zero", "negative"):
        found = agree(constant_graph(WEIGHTS[kind]), "quantize_weights", tolerance=0)
        assert found.constants["w_quantized_min"] <= 0 <= found.constants["w_quantized_max"]


def test_a_repeated_value_takes_no_memory() -> None:
    found = ours(constant_graph(np.broadcast_to(np.float32(0.3), (1 << 20, 1 << 10))), "quantize_weights")
    stored = found.constants["w_quantized_const"]
    assert not any(stored.strides)
    assert stored.shape == (1 << 20, 1 << 10)
    assert (stored[5, 5], found.constants["w_quantized_max"]) == (np.array((255,), stored.dtype), np.float32(0.3))


@pytest.mark.parametrize("magnitude", [0, 1e-37, 1e-36])
def test_zeros_stay_zeros(magnitude: float) -> None:
    graph = constant_graph(WEIGHTS["uniform"] * magnitude)
    found, expected = ours_is_better(graph, "quantize_weights")
    assert np.isnan(value(expected)).all()
    assert not value(found).any()


@pytest.mark.parametrize("others", [[np.nan], [np.inf], [-np.inf], [3e38, -3e38]])
def test_what_eight_bits_cannot_hold_stays(others: list[float]) -> None:
    graph = constant_graph(np.append(WEIGHTS["normal"], others))
    found, expected = ours_is_better(graph, "quantize_weights")
    assert found.constants["w"] is graph.constants["w"]
    after = value(expected)
    assert np.isnan(after).all() or not np.isnan(after[-1])  # all is lost, or the NaN has become a number


def test_a_loop_still_runs() -> None:
    graph = loop_graph()
    found, expected = ours_is_better(graph, "quantize_weights(minimum_size=900)")
    assert found.nodes["while/matrix"].op == "Dequantize"
    assert 0 < relative_difference(answers(graph, graph)[0], answers(found, graph)[0]) < 0.1
    with pytest.raises(ModelError):
        answers(expected, graph)


def test_device_and_colocation_stay() -> None:
    found, expected = ours_is_better(placed_graph(), "quantize_weights")
    assert {found.nodes[name].device for name in found.nodes if name != "other"} == {"/device:CPU:0"}
    assert found.nodes["w"].attr["_class"].list.s == [b"loc:@other"]
    assert "_class" not in expected.nodes["w"].attr


def test_names_that_are_taken() -> None:
    graph = constant_graph(WEIGHTS["normal"])
    graph.set_constant("w_quantized_min", np.float32(7))
    found, expected = ours_is_better(graph, "quantize_weights")
    assert found.nodes["w"].input == ["w_quantized_const", "w_quantized_min_1", "w_quantized_max"]
    assert found.constants["w_quantized_min"] == 7
    assert isinstance(expected, ModelError)
    assert np.array_equal(value(found), value(theirs(constant_graph(WEIGHTS["normal"]), "quantize_weights")))


@pytest.mark.parametrize("size", ["-1", "all"])
def test_a_wrong_size(size: str) -> None:
    with pytest.raises(TargetError, match="minimum_size"):
        ours(constant_graph(WEIGHTS["normal"]), f"quantize_weights(minimum_size={size})")
