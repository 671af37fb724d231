"""What people read of a build: numbers in their units, and never cut short."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from mobile_export.published.manifest import ArtifactEntry, CheckEntry, Manifest, SchemeEntry, SearchEntry, SourceEntry
from mobile_export.report.terminal import artifacts_table, failures_table, format_bytes, format_value, search_lines

COLUMNS = {"size", "zipped", "ratio", "accuracy", "drop", "SQNR", "same top-1"}


def check(name: str, value: float, limit: float | None = None, passed: bool = True, **more: Any) -> CheckEntry:
    more = {"check": "some", "at_least": False, **more}
    return CheckEntry(name=name, value=value, limit=limit, passed=passed, **more)


CHECKS = (
    check("size", 1_234_567, unit="bytes"),
    check("zipped_size", 1_100_000, unit="bytes"),
    check("size_ratio", 0.253),
    check("accuracy", 0.9821, unit="share", at_least=True),
    check("accuracy_drop", 0.0016, unit="share", interval=(-0.0004, 0.0036)),
    check("sqnr", 31.4159, unit="dB", at_least=True),
    check("top1_agreement", 0.9967, unit="share", at_least=True),
)


def artifact(*checks: CheckEntry, name: str = "digits_int8", **more: Any) -> ArtifactEntry:
    given: dict[str, Any] = {
        "format": "tflite",
        "precision": "int8",
        "interface": "float32",
        "scheme": SchemeEntry(precision="int8"),
        "sha256": "0" * 64,
        "bytes": 1_234_567,
        "zipped_bytes": 1_100_000,
        "inputs": (),
        "outputs": (),
        "key": "k",
        **more,
    }
    return ArtifactEntry(name=name, file=f"assets/{name}.tflite", checks=checks, **given)


def manifest(*artifacts: ArtifactEntry) -> Manifest:
    source = SourceEntry(form="checkpoint", files={})
    return Manifest(
        target="digits",
        platform="all",
        version="1",
        source=source,
        data={},
        transforms=(),
        artifacts=artifacts,
        golden="0" * 64,
        versions={},
    )


def printed(table: Table, width: int) -> list[str]:
    """The lines that a console of that width shows."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table)
    return console.file.getvalue().splitlines()


def headings(table: Table) -> set[str]:
    return {str(column.header) for column in table.columns} & COLUMNS


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (97_400_000, "97.4 MB"),
        (999_990_000, "1.00 GB"),
        (2_345_000_000, "2.35 GB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1_234_567, "bytes", "1.2 MB"),
        (0.0016, "share", "0.16 %"),
        (-0.25, "share", "-25.00 %"),
        (31.4159, "dB", "31.4 dB"),
        (float("inf"), "dB", "inf dB"),
        (0.0123456, "", "0.0123"),
        (float("nan"), "", "nan"),
    ],
)
def test_units(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_a_wide_table_shows_everything() -> None:
    table = artifacts_table(manifest(artifact(*CHECKS)), 200)
    assert headings(table) == COLUMNS
    (line,) = (line for line in printed(table, 200) if "digits_int8" in line)
    assert line.split() == (
        "ok digits_int8 tflite int8 1.2 MB 1.1 MB 0.253 98.21 % 0.16 % ± 0.20 % 31.4 dB 99.67 %".split()
    )


@pytest.mark.parametrize("width", range(64, 130))
def test_a_narrow_one_leaves_out_columns_and_cuts_no_number(width: int) -> None:
    table = artifacts_table(manifest(artifact(*CHECKS)), width)
    (line,) = (line for line in printed(table, width) if "digits_int8" in line)
    assert all(number in line for number in ("1.2 MB", "98.21 %", "31.4 dB"))
    assert ("0.16 % ± 0.20 %" in line) == ("drop" in headings(table))


def test_columns_go_in_the_order_in_which_they_are_dispensable() -> None:
    shown = [len(headings(artifacts_table(manifest(artifact(*CHECKS)), width))) for width in range(60, 130)]
    assert shown == sorted(shown)
    assert {*shown} == {3, 4, 5, 6, 7}
    narrow = artifacts_table(manifest(artifact(*CHECKS)), 60)
    assert headings(narrow) == {"size", "accuracy", "SQNR"}


def test_names_of_artifacts_are_folded_and_not_cut() -> None:
    name = "a_name_that_" + "goes_on_and_on_" * 8
    lines = printed(artifacts_table(manifest(artifact(*CHECKS, name=name)), 80), 80)
    assert max(map(len, lines)) <= 80
    folded = "".join(
        line[line.index("a_name") :].split()[0] if "a_name" in line else line.split()[0]
        for line in lines[3:]
        if line.strip()
    )
    assert folded == name


@pytest.mark.parametrize(
    ("entry", "verdict", "precision"),
    [
        (artifact(*CHECKS), "ok", "int8"),
        (artifact(check("size", 9, 8, passed=False)), "failed", "int8"),
        (artifact(*CHECKS, unchecked="it needs another TensorFlow"), "not run", "int8"),
        (artifact(interface="uint8"), "ok", "int8 (uint8)"),
        (artifact(scheme=SchemeEntry(precision="int8", layers={"conv": "float16"})), "ok", "int8, mixed"),
    ],
)
def test_verdicts_and_precisions(entry: ArtifactEntry, verdict: str, precision: str) -> None:
    columns = artifacts_table(manifest(entry), 200).columns
    assert [str(cell) for cell in columns[0].cells] == [verdict]
    assert [str(cell) for cell in columns[3].cells] == [precision]


def test_what_was_not_measured_is_a_dash() -> None:
    (line,) = (line for line in printed(artifacts_table(manifest(artifact()), 120), 120) if "digits_int8" in line)
    assert line.split()[-1] == "–"


def test_failures() -> None:
    failed = artifact(
        check("size", 2_000_000, 1_500_000, passed=False, unit="bytes"),
        check("accuracy", 0.9, 0.95, passed=False, unit="share", at_least=True, note="top1 of 200 samples"),
        check("sqnr", float("nan"), 10.0, passed=False, unit="dB", at_least=True),
        check("cosine", 1.0, 0.9, at_least=True),
    )
    table = failures_table(manifest(artifact(*CHECKS), failed))
    rows = list(zip(*(map(str, column.cells) for column in table.columns), strict=True))
    assert rows == [
        ("digits_int8", "size", "2.0 MB", "≤ 1.5 MB", ""),
        ("digits_int8", "accuracy", "90.00 %", "≥ 95.00 %", "top1 of 200 samples"),
        ("digits_int8", "sqnr", "nan dB", "≥ 10.0 dB", ""),
    ]
    assert failures_table(manifest(artifact(*CHECKS))).row_count == 0


def test_searches() -> None:
    searched = artifact(search=SearchEntry(conclusion="int8 holds all limits", trials=()), name="auto")
    assert search_lines(manifest(artifact(), searched)) == ["auto: int8 holds all limits"]
