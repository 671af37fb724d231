"""What people read of devices: each file and device a row, and why answers differ."""

import io
import math
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from mobile_export.published.manifest import CheckEntry, Manifest, OperatorEntry
from mobile_export.report.devices import devices_table, disagreement_lines, operator_lines
from mobile_export.report.terminal import failures_table
from tests.published_folder import artifact, device, manifest, not_run


def check(name: str, value: float, unit: str, **more: Any) -> CheckEntry:
    given = {"check": "some", "limit": None, "at_least": name != "accuracy_drop", "passed": True, **more}
    return CheckEntry(name=name, value=value, unit=unit, **given)


SCORES = (
    check("sqnr", 45.6, "dB"),
    check("top1_agreement", 0.9967, "share"),
    check("accuracy", 0.9885, "share"),
    check("accuracy_drop", 0.0, "share"),
)
SAME, OTHER = device("cortex-a53"), device("cortex-a76", 0.0039)
BUILTIN = device("cortex-a53:builtin")


def scored(*devices: Any) -> tuple[Any, ...]:
    return tuple(each.model_copy(update={"checks": (*each.checks, *SCORES)}) for each in devices)


def printed(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table)
    return console.file.getvalue().splitlines()


def rows(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*(map(str, column.cells) for column in table.columns), strict=True))


def test_each_file_and_device_is_a_row() -> None:
    table = devices_table(manifest(artifact("digits_int8", devices=scored(SAME, OTHER)), artifact("here")), 200)
    heads = ["", "artifact", "device", "run", "difference", "SQNR", "same top-1", "accuracy", "drop"]
    assert [str(column.header) for column in table.columns] == heads
    assert rows(table) == [
        ("ok", "digits_int8", "cortex-a53", "32 samples", "same bits", "45.6 dB", "99.67 %", "98.85 %", "0.00 %"),
        ("failed", "digits_int8", "cortex-a76", "32 samples", "0.0039", "45.6 dB", "99.67 %", "98.85 %", "0.00 %"),
    ]


def test_what_was_measured_nowhere_has_no_column_and_what_was_not_run_has_dashes() -> None:
    table = devices_table(manifest(artifact("a", devices=(SAME, not_run("cortex-a76")))))
    assert [str(column.header) for column in table.columns][3:] == ["run", "difference"]
    assert rows(table)[1] == ("not run", "a", "cortex-a76", "–", "–")
    assert devices_table(manifest(artifact("a", devices=(not_run(),)))).row_count == 0  # a warning says it


def test_what_fails_there_is_not_called_not_run() -> None:
    run = check("run", 0, "", limit=32, passed=False)
    broken = not_run().model_copy(update={"checks": (run,)})
    assert rows(devices_table(manifest(artifact("a", devices=(broken,))))) == [("failed", "a", "cortex-a53", "–")]


@pytest.mark.parametrize("width", range(80, 130, 4))
def test_no_number_is_cut(width: int) -> None:
    lines = printed(devices_table(manifest(artifact("digits_smallest", devices=scored(BUILTIN, OTHER))), width), width)
    assert max(map(len, lines)) <= width
    (line,) = (line for line in lines if "cortex-a53:builtin" in line)
    assert all(text in line for text in ("digits_smallest", "same bits", "98.85 %", "32 samples"))
    assert not any("…" in line for line in lines)


def test_without_devices_there_are_no_tables() -> None:
    found = manifest(artifact("a"))
    assert devices_table(found).row_count == 0
    assert list(operator_lines(found)) == []
    assert failures_table(found).row_count == 0
    here = manifest(artifact("a", checks=(check("accuracy", 0.5, "share", limit=0.9, passed=False),)))
    assert [str(column.header) for column in failures_table(here).columns][1] == "limit"


def failing() -> Manifest:
    wrong_here = check("accuracy", 0.5, "share", limit=0.9, passed=False)
    return manifest(artifact("a", checks=(wrong_here,), devices=(OTHER,)))


def test_failures_name_the_device() -> None:
    table = failures_table(failing())
    assert [str(column.header) for column in table.columns][:2] == ["artifact", "device"]
    assert rows(table) == [
        ("a", "", "accuracy", "50.00 %", "≥ 90.00 %"),
        ("a", "cortex-a76", "device_difference", "0.0039", "≤ 0"),
    ]


def test_names_are_whole_in_a_terminal_of_80_columns() -> None:
    noted = check("accuracy", 0.5, "share", limit=0.9, passed=False, note="0.4 there, 0.5 here, of what was run there")
    entry = artifact("digits_smallest", devices=(BUILTIN.model_copy(update={"checks": (noted,)}), OTHER))
    lines = printed(failures_table(manifest(entry)), 80)
    assert max(map(len, lines)) <= 80
    assert all(any(name in line for line in lines) for name in ("cortex-a53:builtin", "device_difference", "there,"))


def test_devices_of_several_kinds_have_their_whole_names() -> None:
    phone = SAME.model_copy(update={"device": "phone:cortex-a53"})
    shown = rows(devices_table(manifest(artifact("a", devices=(SAME, phone)))))
    assert [row[2] for row in shown] == ["arm64:cortex-a53", "phone:cortex-a53"]


def test_below_the_table_stands_what_its_numbers_are() -> None:
    found = " ".join(" ".join(printed(devices_table(manifest(artifact("a", devices=scored(SAME))), 120), 120)).split())
    assert "difference: the largest between an answer there and here, over the largest magnitude here; " in found
    assert "SQNR, same top-1, accuracy, drop: as measured here on all samples, moved by what differs" in found
    plain = devices_table(manifest(artifact("a", devices=(SAME,))))
    assert "moved" not in str(plain.caption)


def test_what_could_not_be_told_there_is_a_dash() -> None:
    unknown = SAME.model_copy(update={"checks": (*SAME.checks, check("accuracy", math.nan, "share", note="no label"))})
    ((*_, accuracy),) = rows(devices_table(manifest(artifact("a", devices=(unknown,)))))
    assert accuracy == "–"


@pytest.mark.parametrize(("one", "other", "said"), [(1.8e-7, 3.6e-7, False), (1e-3, 2e-3, True), (math.nan, 1, False)])
def test_devices_that_differ_from_each_other(one: float, other: float, said: bool) -> None:
    devices = (device("cortex-a53", one, 1), device("cortex-a76", other, 1))
    lines = list(disagreement_lines(manifest(artifact("a", devices=devices))))
    told = "a: devices differ from each other; from here, cortex-a53 by 0.001, cortex-a76 by 0.002"
    assert lines == ([told] if said else [])


def test_other_kernels_are_meant_to_differ() -> None:
    found = manifest(artifact("a", devices=(SAME, device("cortex-a53:builtin", 0.5, 1))))
    assert list(disagreement_lines(found)) == []


def test_operators_at_fault() -> None:
    assert list(operator_lines(failing())) == [
        "a on arm64:cortex-a76: CONV_2D conv/Relu differs by 0.0039, in 25.00 % of its values: it has no dot product"
    ]


def test_a_few_operators_are_enough() -> None:
    many = tuple(OperatorEntry(name=f"n{i}", operator="ADD", difference=1 / (1 + i), share=1) for i in range(9))
    lines = list(operator_lines(manifest(artifact("a", devices=(device(operators=many),)))))
    assert lines[0] == "a on arm64:cortex-a53: ADD n0 differs by 1, in 100.00 % of its values"
    assert lines[3:] == ["a on arm64:cortex-a53: 6 more operators differ; --format json names all"]
