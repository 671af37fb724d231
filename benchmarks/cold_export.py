"""A whole export from a clean state, beside the official tools one after another, and the ONNX stage alone.

    python -m benchmarks.cold_export [--megabytes 97] [--runs 3]

Ours is the command that people type, with every check and the gate on, without any cache and into a new folder; it
writes one file more than the official tools can, the memory-mapped graph. Theirs is `benchmarks/official_chain.py`,
which checks nothing. Both are whole processes, imports included. Runs take turns; a first one of each, which is sampled
for its memory, is not timed.
"""

import argparse
import json
import re
import shutil
import statistics
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import onnx_stage
from benchmarks.checkpoint import make_checkpoint
from benchmarks.harness import PYTHON, Run, apart, measure, peaks_and_times
from benchmarks.result import RESULTS, Mark, Result, Row, compared, result
from benchmarks.table import show

OURS, CHAIN, TF2ONNX = "mobile-export", "official tools", "tf2onnx"
Runs = dict[str, tuple[Run, ...]]
_STAGE = re.compile(r"^\w+: (?P<name>.+?)  (?P<seconds>[\d.]+) s$", re.MULTILINE)


def build(target: Path, out: Path, memory: bool) -> Run:
    """Our command, into a folder that is not there."""
    shutil.rmtree(out, ignore_errors=True)
    return measure([PYTHON, "-m", "mobile_export", "build", target, "--out", out, "--no-cache"], memory=memory)


def chain(target: Path, out: Path, memory: bool) -> Run:
    """The official tools, into a folder that is not there."""
    shutil.rmtree(out, ignore_errors=True)
    files = target.with_name("model.ckpt"), target.with_name("samples.npz")
    return measure([PYTHON, "-m", "benchmarks.official_chain", *files, out], memory=memory)


def stage_alone(side: str, source: Path, path: Path, memory: bool) -> Run:
    """One side's ONNX stage; its seconds are those that it states, without imports."""
    run = measure([PYTHON, "-m", "benchmarks.onnx_stage", side, source, path], memory=memory)
    return replace(run, seconds=json.loads(run.output)["seconds"])


def export_rows(peaks: Runs, times: Runs) -> list[Row]:
    """Time and memory of the whole."""
    group = "The whole export"
    return [
        compared("wall time", times, "seconds", (CHAIN, OURS), Mark(at_least=6), group=group, note="times as fast"),
        compared("CPU time", times, "cpu_seconds", (CHAIN, OURS), group=group),
        compared("peak memory", peaks, "peak_bytes", (OURS, CHAIN), Mark(at_most=round(1 / 3, 4)), group=group),
    ]


def onnx_rows(peaks: Runs, times: Runs) -> list[Row]:
    """Time and memory of the ONNX stage."""
    group = "The ONNX stage alone, imports excluded from its time"
    return [
        compared("wall time", times, "seconds", (TF2ONNX, OURS), Mark(of=OURS, at_most=5), group=group),
        compared("peak memory", peaks, "peak_bytes", (OURS, TF2ONNX), Mark(of=OURS, at_most=1.8e9), group=group),
    ]


def stage_rows(runs: tuple[Run, ...]) -> list[Row]:
    """Seconds of our stages as the build's own progress names them, longest first; some run side by side."""
    taken: dict[str, list[float]] = {}
    for run in runs:
        for stage in _STAGE.finditer(run.log):
            taken.setdefault(stage["name"], []).append(float(stage["seconds"]))
    longest = sorted(taken, key=lambda name: -statistics.median(taken[name]))
    group = "Our stages, some of which run side by side"
    return [Row(group=group, what=name, unit="s", measured={OURS: tuple(taken[name])}) for name in longest]


def step_rows(runs: tuple[Run, ...]) -> list[Row]:
    """Seconds and largest resident set of the official tools' steps."""
    steps = [json.loads(run.output) for run in runs]
    return [
        Row(
            group=f"The official tools' steps, {what}",
            what=name,
            unit=unit,
            measured={CHAIN: tuple(round(each[name][key], 3) for each in steps)},
        )
        for what, unit, key in (("seconds", "s", "seconds"), ("largest resident set", "B", "resident"))
        for name in steps[0]
    ]


def cold_export(folder: Path, megabytes: float, runs: int, side: int = 96) -> Result:
    """Measure all of it."""
    target = make_checkpoint(folder / "model", megabytes, side)
    peaks, times = peaks_and_times(
        {CHAIN: partial(chain, target, folder / "theirs"), OURS: partial(build, target, folder / "out")}, runs
    )
    optimized = folder / "theirs" / "optimized.pb"
    graph = apart(onnx_stage.prepare, target, folder / "work")
    stage = peaks_and_times(
        {
            TF2ONNX: partial(stage_alone, "tf2onnx", optimized, folder / "theirs.onnx"),
            OURS: partial(stage_alone, "ours", graph, folder / "ours.onnx"),
        },
        runs,
    )
    rows = [*export_rows(peaks, times), *onnx_rows(*stage), *stage_rows(times[OURS]), *step_rows(times[CHAIN])]
    return result(
        "cold_export",
        "Cold export",
        f"A TF1 checkpoint of {megabytes:g} MB becomes .tflite in float32, float16, dynamic and int8 and .onnx in "
        "float32; ours checks each file, and writes a memory-mapped graph besides, for which no official tool can be "
        "installed.",
        rows,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=97)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--to", type=Path, default=RESULTS / "cold_export.json", help="where the result goes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = cold_export(Path(folder), given.megabytes, given.runs)
    found.save(given.to)
    show(found)


if __name__ == "__main__":
    main()
