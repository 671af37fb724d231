"""What a benchmark found: plain data, as `benchmarks/results/NAME.json` has it, which the page is made of.

The file holds what was measured, run by run, and nothing that follows from it: medians, ratios, and whether a mark is
met are asked of the data each time.
"""

import math
import os
import platform
import statistics
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field

from benchmarks.harness import Run
from mobile_export.compare.computer import processor

RESULTS = Path(__file__).with_name("results")
PACKAGES = ("tensorflow", "tf2onnx", "onnxruntime", "ai-edge-litert", "numpy")

Unit = Literal["s", "B", ""]


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mark(_Plain):
    """What a row is held against: its ratio, or the median of one of its columns."""

    of: str = Field("ratio", description="`ratio`, or the name of a column.")
    at_least: float | None = None
    at_most: float | None = None


class Row(_Plain):
    """One thing that was measured, of one side or of several."""

    group: str = Field("", description="The table that it stands in.")
    what: str
    unit: Unit = Field(description="Seconds, bytes, or a plain number.")
    measured: dict[str, tuple[float, ...]] = Field(description="By column: of each run, in order.")
    ratio_of: tuple[str, str] | None = Field(None, description="Two columns, whose medians are divided.")
    mark: Mark | None = None
    note: str = ""

    def median(self, column: str) -> float:
        """Of the runs of one column."""
        return statistics.median(self.measured[column])

    @property
    def ratio(self) -> float | None:
        """The first of two medians, divided by the second; infinite where that is nothing."""
        if self.ratio_of is None:
            return None
        above, below = self.ratio_of
        return self.median(above) / self.median(below) if self.median(below) else math.inf

    @property
    def met(self) -> bool | None:
        """Whether it holds its mark; None where it has none."""
        if self.mark is None:
            return None
        value = self.ratio if self.mark.of == "ratio" else self.median(self.mark.of)
        if value is None:
            raise ValueError(f"{self.what}: it is held against a ratio, and has none.")
        low, high = self.mark.at_least, self.mark.at_most
        return (low is None or value >= low) and (high is None or value <= high)


class Machine(_Plain):
    """Where it was measured; nothing that tells whose machine it is."""

    processor: str
    cores: int
    memory: int = Field(description="Bytes.")
    system: str
    python: str


class Result(_Plain):
    """All that one command measured."""

    name: str = Field(description="The command: python -m benchmarks.NAME.")
    title: str
    what: str = Field(description="What is measured against what, in Markdown.")
    date: str = Field(description="Year, month and day, UTC.")
    machine: Machine
    versions: dict[str, str]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where the repository keeps it."""
        return RESULTS / f"{self.name}.json"

    @property
    def missed(self) -> tuple[Row, ...]:
        """What falls short of its mark."""
        return tuple(row for row in self.rows if row.met is False)

    def save(self, path: Path | None = None) -> None:
        """Write it where the page looks for it, or to `path`."""
        path = path or self.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.model_dump_json(indent=2, exclude_defaults=True) + "\n")


def result(name: str, title: str, what: str, rows: Iterable[Row], notes: Iterable[str] = ()) -> Result:
    """A result of today, on this machine."""
    return Result(
        name=name,
        title=title,
        what=what,
        date=datetime.now(UTC).date().isoformat(),
        machine=this_machine(),
        versions={package: version(package) for package in PACKAGES},
        rows=tuple(rows),
        notes=tuple(notes),
    )


def load(path: Path) -> Result:
    """The result in a file."""
    return Result.model_validate_json(path.read_text())


def compared(
    what: str,
    runs: dict[str, tuple[Run, ...]],
    of: Literal["seconds", "cpu_seconds", "peak_bytes"],
    ratio_of: tuple[str, str] | None = None,
    mark: Mark | None = None,
    *,
    group: str = "",
    note: str = "",
) -> Row:
    """A row of what `alternate` found: one figure of every run, a column for each side."""
    return Row(
        group=group,
        what=what,
        unit="B" if of == "peak_bytes" else "s",
        measured={name: tuple(round(float(getattr(run, of)), 4) for run in each) for name, each in runs.items()},
        ratio_of=ratio_of,
        mark=mark,
        note=note,
    )


def this_machine() -> Machine:
    """What the figures depend on."""
    return Machine(
        processor=processor(),
        cores=os.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.machine()}",
        python=".".join(str(number) for number in sys.version_info[:3]),
    )
