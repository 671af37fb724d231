"""The exponent that is fitted, and what is made of one format's runs."""

from pathlib import Path

import pytest

from benchmarks.growth import NOTHING, Growth, Refused, exponent, folder_at
from benchmarks.harness import Run

SIZES = (10.0, 100.0, 1000.0)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("floor", [0.0, 7.0])
def test_the_exponent_of_what_is_above_the_floor(power: float, floor: float) -> None:
    measured = [floor + 3 * size**power for size in SIZES]
    assert exponent(SIZES, measured, floor) == pytest.approx(power)


def test_sizes_that_do_not_show_are_left_out() -> None:
    assert exponent((1.0, *SIZES), [7.01, 17.0, 107.0, 1007.0], 7.0) == pytest.approx(1.0)


@pytest.mark.parametrize("measured", [(7.1, 7.2, 7.3), (7.1, 7.2, 900.0)])
def test_one_size_has_no_exponent(measured: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="fewer than two"):
        exponent(SIZES, measured, 7.0)


def run(seconds: float, peak: float) -> Run:
    return Run(seconds=seconds, cpu_seconds=seconds, peak_bytes=int(peak), output="", log="")


def test_one_format() -> None:
    ours = {NOTHING: [run(5, 1e8)], **{size: [run(5 + size**2, 1e8 + size * 1e6)] for size in SIZES}}
    words = Refused(run(9, 1e9), "error: too large")
    rows = {row.what: row for row in Growth("onnx_float32", ours, {10.0: [run(210, 1e9)]}, {2500.0: words}).rows}
    assert rows["exponent of time"].median("ours") == pytest.approx(2, abs=0.01)
    assert rows["exponent of time"].met is False
    assert rows["exponent of memory"].met is True
    assert rows["10 MB: time"].ratio == pytest.approx(2)
    assert rows["100 MB: time"].ratio is None
    assert rows["2500 MB: refused after"].note == "error: too large"
    assert {row.group for row in rows.values()} == {"onnx_float32"}


def test_a_single_size_has_no_exponent() -> None:
    rows = Growth("ort_float32", {NOTHING: [run(5, 1e8)], 10.0: [run(9, 2e8)]}, {}, {}).rows
    assert [row.what for row in rows] == ["1 MB: time", "1 MB: memory", "10 MB: time", "10 MB: memory"]


def test_a_folder_to_work_in_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert folder_at(str(folder)).is_dir()
    assert folder_at(str(folder)) == folder  # and is taken where it is there
