import numpy as np
import pytest

from mobile_export.explanation.statistics import Tally, decibels, outlier
from mobile_export.watching.network import Quantization


def stored(scale: float = 0.1, zero_point: int = 0, dtype: str = "int8") -> Quantization:
    return Quantization(dtype, np.array([scale]), np.array([zero_point]))


def seen(*samples: tuple[object, object], storage: Quantization | None = None) -> Tally:
    """Tally of reference and file values; own values are the file's."""
    statistics = Tally(storage)
    for reference, file in samples:
        expected, found = np.asarray(reference, np.float32), np.asarray(file, np.float32)
        statistics.add(expected, found, found, expected.ndim - 1)
    return statistics


def test_signal_to_noise_in_decibels() -> None:
    assert seen(([[10.0, 0.0]], [[9.0, 0.0]])).sqnr == pytest.approx(20)
    assert seen(([[10.0, 0.0]], [[10.0, 0.0]])).sqnr == float("inf")
    assert seen(([[0.0, 0.0]], [[1.0, 0.0]])).sqnr == float("-inf")
    assert decibels(100.0, 1.0) == pytest.approx(20)


def test_infinity_and_nan_are_no_signal() -> None:
    assert seen(([[1.0, 2.0]], [[np.inf, 2.0]])).sqnr == float("-inf")
    found = seen(([[1.0, 2.0]], [[np.nan, 2.0]]))
    assert found.sqnr == found.own_sqnr == float("-inf")
    assert found.cosine == 0


def test_the_worse_of_all_samples_and_the_median_one_counts() -> None:
    one_drowns = seen(*[([[1.0]], [[0.5]])] * 4, ([[1000.0]], [[1000.0]]))
    assert one_drowns.sqnr == pytest.approx(6.02, abs=0.01)
    one_is_lost = seen(*[([[1.0]], [[1.0]])] * 4, ([[1000.0]], [[0.0]]))
    assert one_is_lost.sqnr == pytest.approx(-0.97, abs=0.01)  # against how far values lie from their mean


def test_what_is_the_same_in_all_samples_is_no_signal() -> None:
    samples = [([[100.0 + 2 * (-1) ** index]], [[100.0 + 2 * (-1) ** index + 0.2]]) for index in range(8)]
    assert seen(*samples).sqnr == pytest.approx(20, abs=0.01)
    assert seen(*samples[:3]).sqnr > 50  # too few to tell
    constant = seen(*[([[100.0]], [[101.0]])] * 8)
    assert constant.sqnr == pytest.approx(40)


def test_cosine() -> None:
    assert seen(([[1.0, 0.0]], [[2.0, 0.0]])).cosine == pytest.approx(1)
    assert seen(([[1.0, 0.0]], [[0.0, 1.0]])).cosine == 0
    assert seen(([[0.0]], [[0.0]])).cosine == 1
    assert seen(([[0.0]], [[1.0]])).cosine == 0


def test_range_used_and_saturation_are_of_the_reference() -> None:
    storage = stored(scale=0.1)  # -12.8 to 12.7
    narrow = seen(([[-1.28, 1.27]], [[0, 0]]), storage=storage)
    assert narrow.range_used == pytest.approx(0.1)
    assert narrow.saturation == 0
    cut = seen(([[-20.0, 0.0, 12.74, 20.0]], [[0, 0, 0, 0]]), storage=storage)
    assert cut.range_used == pytest.approx(1)
    assert cut.saturation == 0.5  # 12.74 is nearer to 12.7 than a step: rounded, not cut
    assert cut.clipped == pytest.approx(7.2**2 + 7.3**2)
    assert seen(([[1.0]], [[1.0]])).range_used is None
    assert seen(([[1.0]], [[1.0]])).saturation is None


def test_values_beyond_the_range_on_one_side_use_none_of_it() -> None:
    assert seen(([[20.0, 30.0]], [[0, 0]]), storage=stored()).range_used == 0


def test_channels_that_live_and_die() -> None:
    found = seen(([[1.0, 2.0, 3.0]], [[0.0, 2.0, 3.0]]), ([[2.0, 2.0, 4.0]], [[0.0, 2.0, 4.0]]))
    assert found.channels is not None
    assert found.channels.alive.tolist() == [True, False, True]
    assert found.channels.dead.tolist() == [True, False, False]
    assert found.channels.peaks.tolist() == [2, 2, 4]


def test_channels_that_another_drowns() -> None:
    found = seen(([[1.0, 1.0, 1.0, 1000.0]], [[0.0, 0.0, 0.0, 1000.0]]))
    assert found.sqnr > 50
    assert found.quiet_sqnr == pytest.approx(0)
    assert seen(([[1.0, 1.0, 1.0, 2.0]], [[0.0, 0.0, 0.0, 2.0]])).quiet_sqnr == float("inf")


def test_outlier_is_measured_against_the_median_of_what_lives() -> None:
    assert outlier(np.array([0.0, 0.0, 1.0, 1.0, 100.0])) == (4, 100, 1)
    assert outlier(np.array([1.0, 2.0, 3.0])) is None
    assert outlier(np.array([1.0, 100.0])) is None  # which of two is the odd one?


def test_values_without_dimensions_and_without_values() -> None:
    assert seen((3.0, 3.0)).sqnr == float("inf")
    empty = seen((np.zeros((0, 4)), np.zeros((0, 4))))
    assert empty.count == 0
    assert empty.range_used is None


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32"])
def test_quantization_rounds_and_saturates(dtype: str) -> None:
    limits = np.iinfo(dtype)
    storage = stored(0.5, 3, dtype)
    assert storage.limits == (limits.min, limits.max)
    real = np.array([0.0, 0.7, -1e12, 1e12, np.nan, np.inf])
    assert storage.quantize(real).tolist() == [3, 4, limits.min, limits.max, 0, limits.max]
    assert storage.quantize(real).dtype == dtype
    assert storage.dequantize(np.array([3, 5], dtype)).tolist() == [0, 1]


def test_quantization_of_channels() -> None:
    storage = Quantization("int4", np.array([1.0, 10.0]), np.array([0, 0]), axis=1)
    assert storage.limits == (-8, 7)
    assert storage.quantize(np.array([[3.0, 30.0], [9.0, 90.0]])).tolist() == [[3, 3], [7, 7]]
    assert storage.dequantize(np.array([[3, 3]], np.int8)).tolist() == [[3, 30]]
    assert storage.fits((5, 2))
    assert not storage.fits((2, 5))
    assert not storage.fits((2,))
