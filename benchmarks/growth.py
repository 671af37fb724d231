"""How time and memory of a build grow with the model: 10 MB to 2.5 GB of weights, each format by itself.

    python -m benchmarks.growth [--sizes 10 100 1000 2500] [--formats tflite_float32 …] [--runs 1] [--peers 100]

Each size and format is a build of its own, in a fresh process with an empty cache, imports and all checks included.
Pictures are small and few, so that what grows is the weights. The peers are the official tools for the same file,
from the same checkpoint, up to a size that the machine can bear: TensorFlow's converter, tf2onnx with its optimizers,
and freezing with `optimize_for_inference`.

Time and memory are modelled as a + b · size^p, in which `a` is what a build takes whose weights are next to nothing,
and p is fitted: 1 is proportional growth. What a format cannot hold is measured, too: it has to be refused soon.
"""

import argparse
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.checkpoint import ARTIFACT, make_checkpoint
from benchmarks.harness import PYTHON, CommandFailed, Run, measure
from benchmarks.result import Mark, Row, compared, result

SIZES = (10.0, 100.0, 1000.0, 2500.0)
SIDE, SAMPLES = 36, 16  # pixels, and pictures
NOTHING = 1.0  # megabytes that count as next to nothing
PEERS_UP_TO = 100.0  # megabytes: TensorFlow's converter takes ten times as much memory as there are weights
REFUSED = 4  # the exit code of what cannot be converted
SECONDS = 900.0
PROPORTIONAL = 1.25
"""The largest exponent that counts as proportional: caches are left behind on the way, and the disk is met."""
NOTICED = 1.1
"""What a build takes, over that of next to nothing, from which on weights show."""

WHAT = (
    "One build for each size of the weights and each file, imports and all checks included, beside the official tools "
    "for the same file where the machine can bear them. An exponent is that of size in a + b · size^p, where a is "
    "measured at 1 MB."
)

Quantity = Literal["seconds", "peak_bytes"]
WORDS: Mapping[Quantity, str] = {"seconds": "time", "peak_bytes": "memory"}

FORMATS = {
    f"{name}_{precision}": (name, precision)
    for name, precisions in {
        "tflite": ("float32", "float16", "dynamic", "int8"),
        "onnx": ("float32", "float16"),
        "ort": ("float32",),
        "graphdef": ("float32",),
        "saved_model": ("float32",),
        "memmapped": ("float32",),
    }.items()
    for precision in precisions
}
PEERS = {
    **{f"tflite_{precision}": f"tflite {precision}" for precision in ("float32", "float16", "dynamic", "int8")},
    "onnx_float32": "onnx",
    "graphdef_float32": "optimize_for_inference",
}
"""What the official chain calls the step that makes the same file."""


@dataclass(frozen=True)
class Refused:
    """A build that ended with words."""

    run: Run
    words: str


def build(checkpoint: Path, format_name: str, precision: str) -> Run | Refused:
    """One build of one file.

    Raises:
        CommandFailed: it ended in any other way than with a file or with a refusal.
    """
    artifact = ARTIFACT.format(format=format_name, precision=precision)
    target = checkpoint / f"{format_name}_{precision}.toml"
    target.write_text((checkpoint / "target.toml").read_text(encoding="utf-8") + artifact, encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=checkpoint.parent, prefix="build-") as work:
        command: list[str | Path] = [
            PYTHON,
            "-c",
            _TOLERANT,
            "build",
            target,
            "--out",
            Path(work, "out"),
            "--gate",
            "warn",
        ]
        run = measure(command, environment={"MOBILE_EXPORT_CACHE": f"{work}/cache", "TMPDIR": work}, timeout=SECONDS)
    lines = run.log.splitlines()
    if lines and lines[-1] == f"exit {REFUSED}":
        return Refused(run, next(line for line in reversed(lines[:-1]) if line.startswith("error: ")))
    return run


_TOLERANT = f"""\
import subprocess, sys
code = subprocess.run([sys.executable, "-m", "mobile_export", *sys.argv[1:]]).returncode
print("exit", code, file=sys.stderr)
sys.exit(0 if code in (0, {REFUSED}) else code)
"""
"""A refusal is a result, too."""


def peer(checkpoint: Path, step: str) -> Run:
    """The official tools, from the same checkpoint to one file."""
    with tempfile.TemporaryDirectory(dir=checkpoint.parent, prefix="peer-") as work:
        command: list[str | Path] = [
            PYTHON,
            "-c",
            _PEER,
            checkpoint / "model.ckpt",
            checkpoint / "samples.npz",
            work,
            step,
        ]
        return measure(command, environment={"TMPDIR": work}, timeout=SECONDS)


_PEER = """\
import sys
from pathlib import Path
import numpy as np
from benchmarks import official_chain as chain
checkpoint, samples, folder, step = Path(sys.argv[1]), np.load(sys.argv[2])["input"], Path(sys.argv[3]), sys.argv[4]
import tensorflow as tf
frozen = chain.freeze(tf, checkpoint)
graph = chain.optimize(tf, frozen, folder / "optimized.pb")
if step == "onnx":
    chain.onnx(graph, folder / "model.onnx")
elif step.startswith("tflite "):
    chain.tflite(tf, folder / "optimized.pb", step.split()[1], samples, folder / "file.tflite")
"""


def exponent(sizes: Sequence[float], measured: Sequence[float], floor: float) -> float:
    """The p of a + b · size^p, fitted on logarithms to what is measured above the floor `a`.

    Sizes at which hardly anything is above the floor say nothing, and are left out.

    Raises:
        ValueError: fewer than two sizes are left.
    """
    above = [
        (math.log(size), math.log(value - floor))
        for size, value in zip(sizes, measured, strict=True)
        if value > NOTICED * floor
    ]
    if len({size for size, _ in above}) < 2:
        raise ValueError("fewer than two sizes take more than nothing does")
    x, y = (sum(values) / len(above) for values in zip(*above, strict=True))
    return float(sum((a - x) * (b - y) for a, b in above) / sum((a - x) ** 2 for a, _ in above))


@dataclass(frozen=True)
class Growth:
    """One format, by megabytes of weights; of refused sizes, how soon and with what words."""

    format: str
    ours: Mapping[float, Sequence[Run]]
    official: Mapping[float, Sequence[Run]]
    refused: Mapping[float, Refused]

    @property
    def rows(self) -> list[Row]:
        """Time and memory of each size, and their exponents."""
        quantities: tuple[Quantity, ...] = ("seconds", "peak_bytes")
        sizes = [self._row(size, of) for size in self.ours for of in quantities]
        refused = [
            compared(
                f"{size:g} MB: refused after", {"ours": (one.run,)}, "seconds", None, group=self.format, note=one.words
            )
            for size, one in self.refused.items()
        ]
        return [*sizes, *refused, *(row for of in quantities if (row := self._exponent(of)) is not None)]

    def _row(self, size: float, of: Quantity) -> Row:
        columns = {"ours": tuple(self.ours[size])}
        if size in self.official:
            columns["official"] = tuple(self.official[size])
        pair = ("official", "ours") if size in self.official else None
        return compared(f"{size:g} MB: {WORDS[of]}", columns, of, pair, group=self.format)

    def _exponent(self, of: Quantity) -> Row | None:
        medians = {size: statistics.median(getattr(run, of) for run in runs) for size, runs in self.ours.items()}
        try:
            floor = medians.pop(NOTHING, 0.0)
            value = exponent(list(medians), list(medians.values()), floor)
        except ValueError:
            return None
        mark = Mark(of="ours", at_most=PROPORTIONAL)
        what = f"exponent of {WORDS[of]}"
        return Row(group=self.format, what=what, unit="", measured={"ours": (round(value, 3),)}, mark=mark)


def grow(
    folder: Path, sizes: Sequence[float], formats: Sequence[str], runs: int, peers_up_to: float
) -> Iterator[Growth]:
    """Measure, size by size; checkpoints are made and dropped one by one."""
    ours: dict[str, dict[float, list[Run]]] = {name: {} for name in formats}
    official: dict[str, dict[float, list[Run]]] = {name: {} for name in formats}
    refused: dict[str, dict[float, Refused]] = {name: {} for name in formats}
    for size in (NOTHING, *sizes):
        checkpoint = folder / f"{size:g}"
        make_checkpoint(checkpoint, size, SIDE, (), SAMPLES)
        for _ in range(runs):
            for name in formats:
                one = build(checkpoint, *FORMATS[name])
                if isinstance(one, Refused):
                    refused[name][size] = one
                else:
                    ours[name].setdefault(size, []).append(one)
                _say(f"{size:g} MB, {name}", one)
                if name in PEERS and size <= peers_up_to:
                    other = peer(checkpoint, PEERS[name])
                    official[name].setdefault(size, []).append(other)
                    _say(f"{size:g} MB, {name}, official", other)
        shutil.rmtree(checkpoint)
    for name in formats:
        yield Growth(name, ours[name], official[name], refused[name])


def _say(what: str, one: Run | Refused) -> None:
    run, words = (one.run, f", {one.words}") if isinstance(one, Refused) else (one, "")
    taken = f"{run.seconds:.1f} s, {run.cpu_seconds:.1f} s of CPU, {run.peak_bytes / 1e6:.0f} MB"
    print(f"{what}: {taken}{words}", file=sys.stderr, flush=True)


def folder_at(name: str) -> Path:
    """The folder of that name, which need not be there yet."""
    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="megabytes of weights")
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=list(FORMATS))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--peers", type=float, default=PEERS_UP_TO, help="the largest size for the official tools")
    parser.add_argument(
        "--folder", type=folder_at, help="where to work: four times the largest size; default: temporary"
    )
    parser.add_argument("--result", type=Path, help="where the result goes; default: benchmarks/results")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=given.folder, prefix="growth-") as folder:
        grown = grow(Path(folder), given.sizes, given.formats, given.runs, given.peers)
        rows = [row for each in grown for row in each.rows]
    made = result("growth", "Growth", WHAT, rows)
    made.save(given.result)
    for row in made.missed:
        print(f"{row.group}, {row.what}: {row.median('ours'):g}, more than {PROPORTIONAL:g}")
    return 1 if made.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CommandFailed as error:
        sys.exit(str(error))
