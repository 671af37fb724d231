"""Histograms of a model's tensors, and the ranges that are taken from them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mobile_export.errors import ConversionError
from mobile_export.graphs.tensors import Array
from mobile_export.quantize.onnx_ranges import (
    COUNTED,
    METHODS,
    Histogram,
    entropy,
    load_histograms,
    measure,
    minmax,
    percentile,
    save_histograms,
)


def values(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def histogram_of(*batches: Array) -> Histogram:
    found = Histogram.empty()
    for batch in batches:
        found.add(batch)
    return found


def same(a: Histogram, b: Histogram) -> bool:
    return (a.low, a.high, a.exponent) == (b.low, b.high, b.exponent) and np.array_equal(a.counts, b.counts)


def test_neither_order_nor_batches_matter() -> None:
    x = values(64, 10) * np.logspace(-4, 4, 64, dtype=np.float32)[:, None]
    whole = histogram_of(x)
    assert same(whole, histogram_of(*np.split(x, 8)))
    assert same(whole, histogram_of(*np.split(x[::-1], 64)))
    assert whole.counts.sum() == x.size


@pytest.mark.parametrize(
    "x", [np.float32([1, 2, -4]), np.float32([0.3, -1e-9]), np.float32([1e30, -1e30]), values(999)]
)
def test_each_value_lies_in_its_bin(x: Array) -> None:
    found = histogram_of(x)
    counts, _ = np.histogram(x.astype(np.float64), found.edges)
    np.testing.assert_array_equal(found.counts, counts)


def test_of_large_tensors_a_part_is_counted_and_all_extremes_are_kept() -> None:
    x = values(3, 50, 1000)
    x[1, 7, 7] = 1e3
    found = histogram_of(x)
    assert found.high == 1e3
    assert 3 * COUNTED / 2 < found.counts.sum() <= 3 * COUNTED


def test_zeros_scalars_and_empty_tensors() -> None:
    found = measure(
        [{"zero": np.zeros((2, 3), np.float32), "one": np.float32(1), "none": np.zeros((2, 0), np.float32)}]
    )
    assert set(found) == {"zero", "one"}
    for method in METHODS.values():
        assert method(found["zero"]) == (0, 0)
        assert method(found["one"]) == (1, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_has_no_end_is_refused_by_name(bad: float) -> None:
    def batches() -> Iterator[dict[str, Array]]:
        yield {"fine": values(4, 2), "broken": values(4, 2)}
        yield {"fine": values(4, 2), "broken": np.float32([[1, bad]])}

    with pytest.raises(ConversionError, match="'broken' reaches infinity or NaN"):
        measure(batches())


def test_integers_have_no_range() -> None:
    assert set(measure([{"ids": np.arange(4), "real": values(4)}])) == {"real"}


def test_minmax_is_all_that_was_seen() -> None:
    x = values(1000)
    assert minmax(histogram_of(x)) == (x.min(), x.max())


def test_percentile_leaves_out_the_rarest() -> None:
    x = values(100, 1000)
    x[0, 0] = 80
    low, high = percentile(histogram_of(x))
    assert 3 < high < 5
    assert -5 < low < -3


def test_entropy_cuts_a_long_tail_and_leaves_an_even_spread() -> None:
    even = np.random.default_rng(0).uniform(-1, 2, (100, 1000)).astype(np.float32)
    assert entropy(histogram_of(even)) == pytest.approx(minmax(histogram_of(even)), rel=0.05)
    tail = values(100, 1000) ** 3
    assert entropy(histogram_of(tail))[1] < 0.8 * tail.max()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_no_method_goes_beyond_what_was_seen(method: object) -> None:
    for x in (values(50, 100), np.maximum(values(50, 100), 0), values(50, 100) - 9, np.float32([[7.0]])):
        low, high = method(histogram_of(x))  # type: ignore[operator]
        assert x.min() <= low <= high <= x.max()


def test_stored_as_they_are(tmp_path: Path) -> None:
    found = measure([{"a/b:0": values(5, 3), "ü": values(2) * 1e9}])
    save_histograms(tmp_path / "ranges.npz", found)
    again = load_histograms(tmp_path / "ranges.npz")
    assert list(again) == list(found)
    assert all(same(again[name], found[name]) for name in found)


def test_none_are_stored_too(tmp_path: Path) -> None:
    save_histograms(tmp_path / "ranges.npz", {})
    assert load_histograms(tmp_path / "ranges.npz") == {}


def test_entropy_leaves_spikes_alone() -> None:
    """An even background is one value, over and over; cutting above it would gain nothing."""
    spikes = np.repeat(np.float32([0.31, 0.32, 0.71, 0.73]), 5000)
    values_above = np.random.default_rng(0).uniform(0, 6, 2000).astype(np.float32)
    low, high = entropy(histogram_of(np.concatenate([spikes, values_above])[None]))
    assert low == pytest.approx(0, abs=0.31)
    assert high > 5
