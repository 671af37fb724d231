"""Each rule on made-up measurements: at what it speaks, and at what it is silent."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mobile_export.explanation.alignment import Pair
from mobile_export.explanation.reasons import Facts, reasons
from mobile_export.explanation.statistics import Tally
from mobile_export.explanation.weights import Weights
from mobile_export.watching.network import Quantization

INT8 = Quantization("int8", np.array([0.1]), np.array([0]))
INT16 = Quantization("int16", np.array([0.1 / 256]), np.array([0]))


def layer(
    name: str = "a",
    values: Any = (1.0, -2.0, 5.0),
    own: Any = None,
    final: Any = None,
    storage: Quantization | None = None,
    precision: str = "int8",
    reads: tuple[str, ...] = (),
    weights: Weights | None = None,
) -> Facts:
    """A layer that was given one sample after the other, of one value a channel."""
    seen = Tally(storage)
    expected = np.atleast_2d(np.asarray(values, np.float64))
    made = expected if own is None else np.atleast_2d(np.asarray(own, np.float64))
    found = made if final is None else np.atleast_2d(np.asarray(final, np.float64))
    for row in range(len(expected)):
        seen.add(expected[row : row + 1], found[row : row + 1], made[row : row + 1], 1)
    return Facts(Pair(name, name, "Conv", precision, storage, "int8", reads), seen, weights)


def kinds(*layers: Facts) -> dict[str, list[str]]:
    found = reasons({each.layer.name: each for each in layers})
    return {name: [reason.kind for reason in why] for name, why in found.items()}


def test_a_sound_layer_has_none() -> None:
    assert kinds(layer(own=(1.01, -2.0, 5.0), storage=INT8)) == {"a": []}


def test_an_error_that_nothing_explains_has_none() -> None:
    assert kinds(layer(own=(0.0, -2.0, 2.0))) == {"a": []}


def test_saturation_must_explain_most_of_the_error() -> None:
    assert kinds(layer(values=(1.0, 30.0), own=(1.0, 12.7), storage=INT8)) == {"a": ["saturated_range"]}
    assert kinds(layer(values=(1.0, 30.0), own=(-60.0, 12.7), storage=INT8)) == {"a": []}


def test_a_wide_range_is_one_of_few_steps() -> None:
    assert kinds(layer(values=(0.1, 0.4), own=(0.2, 0.3), storage=INT8)) == {"a": ["wide_range"]}
    assert kinds(layer(values=(0.1, 0.4), own=(0.2, 0.3), storage=INT16)) == {"a": []}


def test_one_sample_sets_the_range() -> None:
    values = [[0.4], [0.3], [0.5], [12.0]]
    lost = [[0.0], [0.0], [0.0], [12.0]]
    facts = layer(values=values, own=lost, storage=INT8)
    (reason,) = reasons({"a": facts})["a"]
    assert reason.kind == "one_sample"
    assert "number 4 of those that ran: it reaches 12, and no other more than 0.5" in reason.text


def test_values_that_hardly_move_between_samples() -> None:
    values = [[10.0 + 0.05 * (-1) ** index] for index in range(8)]
    turned = [[20.0 - value] for (value,) in values]
    still = layer(values=values, own=turned, storage=INT8)
    (reason,) = reasons({"a": still})["a"]
    assert reason.kind == "still"
    assert "differ between samples by 0.5 steps" in reason.text
    assert kinds(layer(values=values, own=turned, storage=INT16)) == {"a": []}


def test_an_outlier_is_told_only_where_a_reader_errs() -> None:
    values, own = (0.05, 0.06, -0.05, 12.0), (0.0, 0.1, 0.0, 12.0)
    wide = layer("a", values, own, storage=INT8)
    assert kinds(wide) == {"a": []}
    assert kinds(wide, layer("b", own=(0.9, -2.0, 5.0), reads=("a",))) == {"a": [], "b": []}
    bad = layer("b", own=(0.0, 0.0, 0.0), reads=("a",))
    assert kinds(wide, bad)["a"][0] == "outlier_channel"
    assert kinds(wide, bad)["b"][0] == "reads_outlier_channel"


def test_advice_names_the_layers_that_a_target_can_set() -> None:
    wide = layer("a", (0.05, 0.06, -0.05, 12.0), storage=INT8)
    wide = replace(wide, layer=replace(wide.layer, settable="conv", readers=("next", "other")))
    bad = layer("b", own=(0.0, 0.0, 0.0), reads=("a",))
    found = reasons({"a": wide, "b": bad})
    assert found["a"][0].settable == found["b"][0].settable == ("conv", "next", "other")
    assert found["a"][0].text.endswith("; keep 'conv' and 'next' and 'other' in float")
    plain = reasons({"a": layer("a", (0.05, 0.06, -0.05, 12.0), storage=INT8), "b": bad})
    assert plain["a"][0].text.endswith("; keep it in float")


def test_sixteen_bits_leave_the_others_enough_steps() -> None:
    wide = layer("a", (0.05, 0.06, -0.05, 12.0), storage=INT16)
    assert kinds(wide, layer("b", own=(0.0, 0.0, 0.0), reads=("a",)))["a"] == []


def test_overflow_of_half_precision() -> None:
    lost = layer(values=(1e5, 1.0), own=(np.inf, 1.0), precision="float16")
    assert kinds(lost) == {"a": ["overflow"]}
    assert kinds(layer(values=(6e4, 1.0), own=(0.0, 1.0), precision="float16")) == {"a": []}


@pytest.mark.parametrize(
    ("weights", "kind"),
    [
        (Weights("int4", 18.0, True), "coarse_weights"),
        (Weights("int8", 45.0, False, outlier=(3, 100.0, 0.9)), "outlier_weights"),
        (Weights("int8", 45.0, True, lost=(3, 900.0)), "lost_weights"),
        (Weights("int8", 45.0, True, lost_bias=(3, 0.5, 0.001, 1e-12)), "tiny_scale"),
    ],
)
def test_weights_explain_what_their_operator_errs(weights: Weights, kind: str) -> None:
    assert kinds(layer(own=(0.0, -2.0, 2.0), weights=weights)) == {"a": [kind]}
    assert kinds(layer(weights=weights)) == {"a": []}


def test_good_weights_explain_nothing() -> None:
    weights = Weights("int8", 45.0, True, outlier=(3, 100.0, 0.9))
    assert kinds(layer(own=(0.0, -2.0, 2.0), weights=weights)) == {"a": []}


def test_an_inherited_error_is_traced_to_the_layer_that_makes_it() -> None:
    made = layer("a", own=(0.0, 0.0, 0.0))
    passed = layer("b", final=(0.0, 0.0, 1.0), reads=("a",))
    sound = layer("c")
    last = layer("d", final=(0.0, 0.0, 1.0), reads=("c", "b"))
    found = reasons({each.layer.name: each for each in (made, passed, sound, last)})
    assert [reason.layer for reason in found["d"]] == ["a"]
    assert found["d"][0].text == "most of its error is inherited, and made in 'a'"
    assert found["c"] == ()


def test_an_error_that_has_gathered_names_no_layer() -> None:
    first = layer("a", own=(1.1, -2.0, 5.0))
    last = layer("b", final=(0.0, 0.0, 4.0), reads=("a",))
    (reason,) = reasons({"a": first, "b": last})["b"]
    assert reason.kind == "inherited"
    assert reason.layer == ""
    better = layer("b", final=(0.0, -2.0, 5.0), reads=("a",))
    assert reasons({"a": first, "b": better})["b"] == ()


def test_channels_that_became_constant_are_counted() -> None:
    facts = layer(values=[[1.0, 5.0], [2.0, 6.0]], own=[[0.0, 5.0], [0.0, 0.0]])
    (reason,) = reasons({"a": facts})["a"]
    assert reason.text.startswith("1 of 2 channels that live in the float file are constant in this one (0)")
