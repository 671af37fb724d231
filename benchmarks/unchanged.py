"""Builds with little or nothing to do, beside a bare start of Python and beside `import tensorflow`.

    python -m benchmarks.unchanged [--runs 5]

A target of three files, of a network of 10 MB, is built into a folder of its own, with a cache of its own.
Then each of these takes its turn, as a person runs it:

    unchanged       nothing was changed since
    touched         the model's files have a new date, and the same bytes
    not recorded    nothing was changed, and the record of the last build is gone
    restored        the output folder is gone
    one changed     a limit of one artifact was changed: that one alone is built
"""

import argparse
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.checkpoint import make_checkpoint
from benchmarks.harness import PYTHON, Run, measure, peaks_and_times
from benchmarks.result import RESULTS, Mark, Result, Row, compared, result
from benchmarks.table import show

BARE, TENSORFLOW, OURS = "python -c pass", "import tensorflow", "mobile-export"
MEGABYTES = 10
ARTIFACTS = (("tflite", "float32"), ("tflite", "int8"), ("onnx", "float32"))
CHANGED = "tflite_int8"
STARTS = 3.0  # of Python, as the documentation promises of a build that has nothing to do
JUST_WRITTEN = 3.0  # seconds in which a file's date does not tell whether it was changed again


@dataclass
class Project:
    """A target that was built once, and what may happen to it."""

    target: Path
    folder: Path
    inputs: list[str] = field(default_factory=list)
    limits: int = 0

    def build(self, *options: str, memory: bool = False) -> Run:
        """Run the command."""
        command: list[str | Path] = [PYTHON, "-m", "mobile_export", "build", self.target, "--out", self.folder / "out"]
        environment = {"MOBILE_EXPORT_CACHE": str(self.folder / "cache")}
        return measure([*command, *options], environment=environment, memory=memory)

    def after(self, change: Callable[[], object], memory: bool) -> Run:
        """A build after a change, which is not measured."""
        change()
        return self.build(memory=memory)

    def settle(self) -> None:
        """Build twice: the second build remembers what is no longer just written."""
        self.build()
        self.inputs = self.build("--print-inputs").output.splitlines()
        time.sleep(JUST_WRITTEN)
        self.build()

    def leave(self) -> None:
        """Change nothing."""

    def touch(self) -> None:
        """Give what was read a new date."""
        for path in self.inputs:
            os.utime(path)

    def forget(self) -> None:
        """Lose the record of the last build."""
        shutil.rmtree(self.folder / "cache" / "builds")

    def lose(self) -> None:
        """Lose the output folder."""
        shutil.rmtree(self.folder / "out")

    def limit(self) -> None:
        """Give the artifact another limit, which it holds."""
        self.limits += 1
        name = f'name = "{CHANGED}"\n'
        head, _, tail = self.target.read_text(encoding="utf-8").partition(name)
        tail = re.sub(r"\A(?:limits = .*\n)?", f"limits = {{ size = {10**9 + self.limits} }}\n", tail, count=1)
        self.target.write_text(f"{head}{name}{tail}", encoding="utf-8")


CASES = {
    "unchanged": Project.leave,
    "touched": Project.touch,
    "not recorded": Project.forget,
    "restored": Project.lose,
    "one changed": Project.limit,
}


def rows(case: str, project: Project, runs: int) -> list[Row]:
    """A case beside both peers, by turns."""
    project.settle()
    peaks, times = peaks_and_times(
        {
            BARE: lambda memory: measure([PYTHON, "-c", "pass"], memory=memory),
            TENSORFLOW: lambda memory: measure([PYTHON, "-c", "import tensorflow"], memory=memory),
            OURS: partial(project.after, partial(CASES[case], project)),
        },
        runs,
    )
    mark = Mark(at_most=STARTS) if case == "unchanged" else None
    return [
        compared(case, times, "seconds", (OURS, BARE), mark, group="Wall time"),
        compared(case, peaks, "peak_bytes", (OURS, TENSORFLOW), group="Peak memory"),
    ]


def unchanged(project: Project, runs: int) -> Result:
    """Measure all cases."""
    found = [row for case in CASES for row in rows(case, project, runs)]
    return result(
        "unchanged",
        "Builds with little or nothing to do",
        "A target is built again: after nothing; after its files were dated anew, with the same bytes; without the "
        "record of the last build; without the output folder, which comes out of the cache; and after a limit of one "
        "file was changed, which is then built and checked again.",
        sorted(found, key=lambda row: row.group, reverse=True),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--to", type=Path, default=RESULTS / "unchanged.json", help="where the result goes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        target = make_checkpoint(Path(folder), MEGABYTES, artifacts=ARTIFACTS)
        found = unchanged(Project(target, Path(folder)), given.runs)
    found.save(given.to)
    show(found)


if __name__ == "__main__":
    main()
