"""Rounding, bit for bit as the original does it where that is right."""

import numpy as np
import pytest

from mobile_export.errors import ModelError, TargetError
from mobile_export.graphs.tensors import Array
from mobile_export.transforms import relative_difference
from tests.graph_transform_tool.harness import agree, answers, ours, ours_is_better, theirs
from tests.graph_transform_tool.weight_graphs import (
    WEIGHTS,
    constant_graph,
    conv_graph,
    loop_graph,
    placed_graph,
)


def rounded(values: Array, parameters: str = "") -> Array:
    return ours(constant_graph(values), f"round_weights{parameters}").constants["w"]


@pytest.mark.parametrize("steps", [1, 3, 16, 255, 256, 1000])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_the_same_bits(kind: str, steps: int) -> None:
    agree(constant_graph(WEIGHTS[kind]), f"round_weights(num_steps={steps})", tolerance=0)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17])
def test_small_constants_stay(size: int) -> None:
    found = agree(constant_graph(WEIGHTS["normal"][:size]), "round_weights", tolerance=0).constants["w"]
    assert np.array_equal(found, WEIGHTS["normal"][:size].astype(np.float32)) == (size < 16)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
def test_other_types_stay(dtype: str) -> None:
    graph = constant_graph(WEIGHTS["normal"])
    graph.set_constant("w", WEIGHTS["normal"].astype(dtype))
    assert agree(graph, "round_weights", tolerance=0).constants["w"] is graph.constants["w"]


def test_a_network_keeps_its_answers_within_the_steps() -> None:
    graph = conv_graph()
    found = agree(graph, "round_weights(num_steps=4096)", tolerance=0)
    assert list(found.nodes) == list(graph.nodes)
    before, after = answers(graph, graph)[0], answers(found, graph)[0]
    assert 0 < relative_difference(before, after) < 0.01


def test_a_repeated_value_takes_no_memory() -> None:
    found = rounded(np.broadcast_to(np.float32(0.3), (1 << 20, 1 << 10)))
    assert not any(found.strides)
    assert found[5, 5] == theirs(constant_graph(np.full(16, 0.3)), "round_weights").constants["w"][0]


def test_an_array_in_another_order_is_rounded() -> None:
    values = np.arange(600, dtype=np.float32).reshape(20, 30)
    assert np.array_equal(rounded(values.T), rounded(values).T)


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-7, 1e-38])
def test_values_near_zero_stay(value: float) -> None:
    graph = constant_graph(np.full(2000, value))
    found, expected = ours_is_better(graph, "round_weights")
    assert np.array_equal(found.constants["w"], graph.constants["w"])
    assert not np.array_equal(expected.constants["w"], graph.constants["w"])  # 0 → 2.3e-41, 1e-7 → 2e-3


@pytest.mark.parametrize("other", [np.nan, np.inf, -np.inf])
def test_infinity_and_nan_stay_and_spoil_nothing(other: float) -> None:
    values = np.append(WEIGHTS["normal"], other)
    found, expected = ours_is_better(constant_graph(values), "round_weights")
    assert np.array_equal(found.constants["w"][-1], other, equal_nan=True)
    assert np.array_equal(found.constants["w"][:-1], rounded(WEIGHTS["normal"]))
    assert not np.array_equal(expected.constants["w"], found.constants["w"], equal_nan=True)


def test_nothing_but_nan_stays() -> None:
    assert np.isnan(rounded(np.full(20, np.nan))).all()


def test_a_range_that_no_float_holds_stays() -> None:
    values = np.append(WEIGHTS["normal"], [3e38, -3e38])
    found, expected = ours_is_better(constant_graph(values), "round_weights")
    assert np.array_equal(found.constants["w"], values.astype(np.float32))
    assert not np.isfinite(expected.constants["w"]).any()


def test_a_loop_still_runs() -> None:
    graph = loop_graph()
    found, expected = ours_is_better(graph, "round_weights(num_steps=4096)")
    before, after = answers(graph, graph)[0], answers(found, graph)[0]
    assert 0 < relative_difference(before, after) < 0.05
    with pytest.raises(ModelError):
        answers(expected, graph)


def test_device_and_colocation_stay() -> None:
    graph = placed_graph()
    found, expected = ours_is_better(graph, "round_weights")
    assert found.nodes["w"] == graph.nodes["w"]
    assert not expected.nodes["w"].device


@pytest.mark.parametrize("steps", ["0", "-1", "99999999999", "many"])
def test_a_wrong_number_of_steps(steps: str) -> None:
    with pytest.raises(TargetError, match="num_steps"):
        rounded(WEIGHTS["normal"], f"(num_steps={steps})")
