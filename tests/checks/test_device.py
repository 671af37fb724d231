"""Answers on a device against those here: equal bits pass everywhere, and whatever is wrong there is caught."""

import math

import ml_dtypes
import numpy as np
import pytest

from mobile_export.checks import device, judge, moved
from mobile_export.checks.device import DEFAULTS
from mobile_export.checks.evidence import Evidence, Measurement
from mobile_export.checks.parity import DEFAULTS as PRECISIONS
from mobile_export.target import Limits

NAN, INF = math.nan, math.inf
HERE = {"y": np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)}
LARGEST = float(np.abs(HERE["y"]).max())


def difference(here, there, limits: Limits | None = None, precisions=("float32",)) -> Measurement:
    (found,) = device(precisions, here, there, limits or Limits())
    assert found.name == "device_difference"
    return found


def changed(by: float) -> dict[str, np.ndarray]:
    """`HERE` with one value that is another, by a part of the largest."""
    array = HERE["y"].astype(np.float64)
    array[3, 2] += by * LARGEST
    return {"y": array.astype(np.float32)}


def test_every_precision_has_a_limit() -> None:
    assert DEFAULTS.keys() == PRECISIONS.keys()
    assert max(DEFAULTS.values()) < 5e-2  # which is what kernels and emulators that are wrong differ by, and more


@pytest.mark.parametrize("precision", DEFAULTS)
def test_the_same_bits_pass(precision: str) -> None:
    found = difference(HERE, dict(HERE), precisions=[precision])
    assert (found.value, found.limit, found.passed) == (0, DEFAULTS[precision], True)


@pytest.mark.parametrize(
    ("precisions", "by", "passed"),
    [
        (["float32"], 0.9e-4, True),
        (["float32"], 1.1e-4, False),
        (["int8"], 1 / 128, True),  # a step of a softmax
        (["int8"], 0.05, False),
        (["int16x8"], 3 / 32768, True),  # a few steps of dense layers
        (["int16x8"], 1 / 512, False),
        (["dynamic"], 0.9e-2, True),  # a rounding in float moves an integer by a step
        (["dynamic"], 1.1e-2, False),
        (["weight_int8", "float32"], 0.9e-4, True),
        (["weight_int8", "float32"], 1.1e-4, False),
        (["float32", "int8"], 0.9e-2, True),
        (["float32", "int8"], 1.1e-2, False),
    ],
)
def test_the_limit_is_that_of_the_precision(precisions: list[str], by: float, passed: bool) -> None:
    found = difference(HERE, changed(by), precisions=precisions)
    assert found.value == pytest.approx(by, rel=0.05, abs=1e-7)
    assert found.passed == passed


def test_the_target_says_otherwise() -> None:
    assert difference(HERE, changed(0.01), Limits(device_difference=0.02), ["float32"]).passed
    assert not difference(HERE, changed(1e-6), Limits(device_difference=0.0), ["int8"]).passed


@pytest.mark.parametrize(
    ("here", "there", "value"),
    [
        ([[1.0, 2.0]], [[1.0, 1.0]], 0.5),
        ([[0.0, 0.0]], [[0.0, 0.0]], 0),
        ([[1.0, -4.0]], [[0.0, -4.0]], 0.25),
        ([[NAN, 2.0]], [[NAN, 1.0]], 0.5),  # what is no number on both sides is the same
        ([[INF, 2.0]], [[INF, 2.0]], 0),
        ([[NAN, 2.0]], [[0.0, 2.0]], NAN),
        ([[0.0, 2.0]], [[NAN, 2.0]], NAN),
        ([[2.0, 2.0]], [[INF, 2.0]], NAN),
        ([[INF, 2.0]], [[-INF, 2.0]], NAN),
        ([[INF, 2.0]], [[NAN, 2.0]], NAN),
    ],
)
def test_real_values(here: list, there: list, value: float) -> None:
    found = difference({"y": np.array(here, np.float32)}, {"y": np.array(there, np.float32)}, Limits(max_abs=1))
    np.testing.assert_equal(found.value, value)
    assert found.passed == (value == 0)


def boxes() -> np.ndarray:
    """As a detector answers to 4 images: corners of 50 boxes up to 640, then a score of each of 6 classes."""
    rng = np.random.default_rng(0)
    corners, scores = rng.random((4, 50, 4)) * 640, rng.random((4, 50, 6))
    return np.concatenate([corners, scores], axis=2).astype(np.float32)


def scores_changed(change) -> Measurement:
    here = boxes()
    there = here.copy()
    there[..., 4:] = change(here[..., 4:])
    return difference({"boxes": here}, {"boxes": there}, precisions=["int8"])


def test_coordinates_do_not_hide_scores() -> None:
    assert not scores_changed(lambda scores: scores[..., ::-1]).passed  # a limit of 1e-2
    a_little = scores_changed(lambda scores: scores + np.float32(0.06))
    assert a_little.value > DEFAULTS["float32"]
    assert scores_changed(lambda scores: scores).value == 0


def test_rounding_of_a_small_channel_is_rounding() -> None:
    """Such as of a class that is in no sample."""
    here = boxes() / 640
    here[..., 9] *= 1e-6
    there = here.copy()
    there[..., 9] += np.float32(1e-6)
    assert difference({"y": here}, {"y": there}).passed
    here[..., 9] = 0
    there[..., 9] = 2e-6
    assert difference({"y": here}, {"y": there}).passed


@pytest.mark.parametrize("zero", [0, 128])
def test_a_step_of_8_bits_is_as_large_in_every_channel(zero: int) -> None:
    """One softmax over all classes of a pixel has one step, though a class may be in no sample."""
    stored = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 5))
    stored[..., 4] = zero + stored[..., 4] % 2
    here = (stored - zero).astype(np.float32) / 256
    there = here.copy()
    there[0, 0, 0, 4] += np.float32(1 / 256)
    found = difference({"y": here}, {"y": there}, precisions=["int8"])
    assert (found.value, found.passed) == (pytest.approx((1 / 256) / np.abs(here).max()), True)


def test_nothing_but_zeros_here_and_something_there_fails_any_limit() -> None:
    zeros = {"y": np.zeros((2, 3), np.float32)}
    assert not difference(zeros, {"y": zeros["y"] + 1e-6}, Limits(device_difference=1e6)).passed


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool_])
def test_of_classes_and_counts_the_share_that_differs(dtype: type) -> None:
    here = np.arange(8).astype(dtype).reshape(8, 1)
    there = here.copy()
    assert difference({"class": here}, {"class": there}).passed
    there[5] = 0
    found = difference({"class": here}, {"class": there})
    assert (found.value, found.passed) == (1 / 8, False)


def test_other_types_of_numbers() -> None:
    for dtype in (np.float16, np.float64, ml_dtypes.bfloat16):
        here = np.array([[1, 2]]).astype(dtype)
        assert difference({"y": here}, {"y": (here * 2).astype(dtype)}).value == 1
    here = np.array([[1 + 1j, 2j]], np.complex64)
    assert difference({"y": here}, {"y": here + np.complex64(1)}).value == 0.5


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({}, "output 'y' is missing there"),
        ({"x": HERE["y"]}, "output 'y' is missing there"),
        ({"y": HERE["y"][:8]}, "output 'y' has shape [8, 4] there and [16, 4] here"),
        ({"y": HERE["y"].astype(np.float64)}, "output 'y' is float64 there and float32 here"),
        ({"y": np.full_like(HERE["y"], NAN)}, "output 'y' is not finite, there or here alone"),
    ],
)
def test_what_cannot_be_compared_fails_whatever_the_limit(there: dict[str, np.ndarray], words: str) -> None:
    found = difference(HERE, there, Limits(device_difference=1e9))
    assert (found.passed, found.note) == (False, words)


def test_the_worst_output_counts_and_is_named() -> None:
    here = {"a": HERE["y"], "b": HERE["y"], "c": HERE["y"]}
    found = difference(here, here | {"b": changed(0.5)["y"], "c": changed(0.1)["y"]})
    assert (found.value, found.note) == (pytest.approx(0.5), "output 'b'")
    broken = difference(here, here | {"a": HERE["y"] * np.float32(NAN), "b": changed(0.5)["y"]})
    assert (broken.passed, broken.note) == (False, "output 'a' is not finite, there or here alone")


def test_a_limit_of_devices_is_no_limit_here() -> None:
    """It is not measured here, and does not fail here."""
    evidence = Evidence("int8", HERE, HERE, None, size=100, zipped_size=90, frozen_size=200)
    assert "unmeasured" not in judge(evidence, Limits(device_difference=0.0))


def least(value: float, limit: float) -> Measurement:
    return Measurement("accuracy", value, limit, at_least=True, note="top1 of 2000 samples", interval=(0.9, 1.0))


def most(value: float, limit: float) -> Measurement:
    return Measurement("accuracy_drop", value, limit, at_least=False)


@pytest.mark.parametrize(
    ("found", "before", "after", "value", "passed"),
    [
        (least(0.98, 0.97), 0.9, 0.9, 0.98, True),  # 90 % of a few samples are not 90 % of all
        (least(0.98, 0.97), 1.0, 0.95, 0.93, False),
        (least(0.96, 0.97), 0.9, 0.95, 1.01, True),
        (most(0.01, 0.02), 0.0, 0.01, 0.02, True),  # just the limit, without binary rounding
        (most(0.01, 0.02), 0.0, 0.03125, 0.04125, False),
        (most(0.01, 0.02), 0.1, 0.1, 0.01, True),
        (least(60.0, 50), INF, INF, 60.0, True),
        (least(60.0, 50), INF, 55.0, 55.0, True),
        (least(60.0, 50), INF, 40.0, 40.0, False),
        (least(INF, 50), INF, 40.0, 40.0, False),
        (least(60.0, 50), 60.0, INF, 60.0, True),
        (least(60.0, 50), 60.0, -INF, -INF, False),
        (least(60.0, 50), 60.0, NAN, NAN, False),
        (least(60.0, 50), INF, NAN, NAN, False),
        (least(NAN, 50), 60.0, 60.0, NAN, False),
        (least(NAN, 50), 60.0, INF, NAN, False),
        (most(NAN, 50), 60.0, INF, NAN, False),
        (most(1.0, 50), 1.0, INF, INF, False),
    ],
)
def test_a_number_from_here_moves_by_what_differs(
    found: Measurement, before: float, after: float, value: float, passed: bool
) -> None:
    (there,) = moved([found], {found.name: before}, {found.name: after})
    np.testing.assert_equal(there.value, value)
    assert there.passed == passed
    assert (there.limit, there.at_least, there.interval) == (found.limit, found.at_least, None)
    assert bool(there.note) == (before != after)


def test_what_the_samples_do_not_tell_is_not_shown_as_if_it_was_measured_there() -> None:
    """One sample has no noise, one class has no AUC: that says nothing, for or against."""
    (there,) = moved([least(60.0, 50)], {"accuracy": NAN}, {"accuracy": NAN})
    assert math.isnan(there.value)
    assert (there.limit, there.passed, there.interval) == (None, True, None)
    assert there.note == "the samples that were run do not tell"


def test_a_number_that_the_device_does_not_give_fails() -> None:
    (there,) = moved([least(0.98, 0.97)], {"accuracy": 1.0}, {})
    assert not there.passed


def test_what_is_not_judged_there_is_left_out() -> None:
    here = [least(0.98, 0.97), Measurement("confidence", 0.99, 0.95, at_least=True)]
    assert [one.name for one in moved(here, {"accuracy": 1.0}, {"accuracy": 1.0})] == ["accuracy"]
