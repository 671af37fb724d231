import pytest

from mobile_export.compare.columns import MISSING, Cell, columns, format_interval, format_seconds
from mobile_export.compare.result import Candidate
from tests.compare.page.example import survey
from tests.compare.samples import candidate, check, comparison, drop, refused, timing
from tests.published_folder import device, not_run


def cells(found: Candidate) -> dict[str, Cell]:
    return {column.heading: column.cell(found) for column in columns(comparison(found))}


def test_a_cell_has_a_number_its_text_and_its_small_print() -> None:
    found = cells(candidate("a", 900, 20, (drop(-0.002, 0.001),), surveys=(survey(("n", "CONV_2D", "dynamic")),)))
    assert found["drop"] == Cell(-0.002, "−0.20 %", "[−0.30, −0.10]")
    assert found["drop"].line == "−0.20 % [−0.30, −0.10]"
    assert found["zipped"] == Cell(900, "900 B")
    assert found["1 thread"] == Cell(2e-5, "20 µs")
    assert found["1 thread p90"].text == "30 µs"
    assert found["not taken"] == Cell(1, "1 of 12", "by xnnpack")


def test_what_nobody_knows_has_no_column() -> None:
    made, none = candidate("a"), refused("b", "no converter")
    assert [column.heading for column in columns(comparison(made, none))] == ["size", "zipped"]
    assert columns(comparison(made, none))[0].cell(none) == MISSING
    assert columns(comparison(none)) == []


def test_what_is_no_number_is_shown_and_sorted_nowhere() -> None:
    found = cells(candidate("a", checks=(check("sqnr", float("nan"), 20, unit="dB"),)))
    assert found["SQNR"] == Cell(None, "nan dB", missed=True)


def test_an_interval_need_not_be_symmetric() -> None:
    assert format_interval(check("accuracy", 0.99, interval=None)) == ""
    uneven = check("accuracy", 0.9865, unit="share").model_copy(update={"interval": (0.9803, 0.9911)})
    assert format_interval(uneven) == "[98.03, 99.11]"


def test_a_missed_latency_is_that_of_one_thread() -> None:
    slow = candidate("a", checks=(check("latency_ratio", 3, 2),), timings=(timing(1e-3), timing(1e-3, threads=2)))
    found = cells(slow)
    assert found["1 thread"].missed
    assert not any(found[heading].missed for heading in ("1 thread p90", "2 threads", "2 threads p90"))


@pytest.mark.parametrize("name", ["size", "size_ratio", "zipped_size"])
def test_a_missed_size_is_marked_where_it_stands(name: str) -> None:
    found = cells(candidate("a", checks=(check(name, 3, 2),)))
    assert (found["size"].missed, found["zipped"].missed) == (name != "zipped_size", name == "zipped_size")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.8e-5, "18 µs"), (9.9996e-4, "1 ms"), (0.01234, "12.3 ms"), (1.234, "1.23 s"), (1234.5, "1234 s")],
)
def test_times_have_three_digits_and_no_exponent(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_each_device_has_a_column_with_how_far_its_answers_are_from_those_here() -> None:
    devices = (device("cortex-a53"), device("cortex-a76", 0.0039), not_run("cortex-a55"))
    ran, other = candidate("a", file={"devices": devices}), candidate("b")
    found = {column.heading: column for column in columns(comparison(ran, other))}
    assert [found[core].cell(ran) for core in ("cortex-a53", "cortex-a76", "cortex-a55")] == [
        Cell(0, "same bits"),
        Cell(0.0039, "0.0039", missed=True),
        Cell(text="not run"),
    ]
    assert found["cortex-a53"].cell(other) == MISSING


def test_any_limit_that_is_missed_there_is_marked() -> None:
    worse = drop(0.5, limit=0.1)
    same = device().model_copy(update={"checks": (*device().checks, worse)})
    assert cells(candidate("a", file={"devices": (same,)}))["cortex-a53"] == Cell(0, "same bits", missed=True)


def test_devices_of_several_kinds_have_their_whole_names() -> None:
    phone = device().model_copy(update={"device": "phone:cortex-a53"})
    assert cells(candidate("a", file={"devices": (device(), phone)})).keys() >= {"arm64:cortex-a53", "phone:cortex-a53"}
