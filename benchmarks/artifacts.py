"""The files that we make beside those that the official converters make of the same model: how they run.

    python -m benchmarks.artifacts [--megabytes 97] [--target FILE ...] [--runs 3] [--to FILE]

Models are the digits example, a generated network of as many megabytes, and those of further target files. Both sides
start from the same frozen graph. Of each model all files answer by turns in one process, and are then loaded in fresh
processes, one after the other; what is timed is what `compare` times. Float files of both sides have to agree first.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.checkpoint import make_checkpoint
from benchmarks.result import Mark, Result, Row, Unit, result
from benchmarks.table import show
from mobile_export import workers
from mobile_export.formats import FORMATS, Request
from mobile_export.graph_files.graph_def import write_graph_def
from mobile_export.graphs.graph import Graph, node_name
from mobile_export.pipeline import prepare, write
from mobile_export.pipeline.work import REFERENCE
from mobile_export.planning.plan import load_targets
from mobile_export.samples import load_samples, map_samples, save_samples
from mobile_export.sampling import CALIBRATION, PARITY, outside, ready
from mobile_export.session import import_tensorflow
from mobile_export.target import Target
from mobile_export.timing import File, Footprint, Turns, footprint, time_by_turns
from mobile_export.timing.feeds import feeds

SIDES = OURS, OFFICIAL = "ours", "official"
LATENCY, ANONYMOUS = "latency, threads: ", "anonymous memory"
Quantity = tuple[str, Unit, Mapping[str, Sequence[float]]]
"""What was measured, its unit, and the figures of all runs, by file."""
MAPPED, PLAIN = "memmapped", "graphdef"
FILES = (
    ("tflite", "float32"),
    ("tflite", "float16"),
    ("tflite", "dynamic"),
    ("tflite", "int8"),
    ("onnx", "float32"),
    (MAPPED, "float32"),
    (PLAIN, "float32"),
)
WORSE = 1.1
"""Times the official file's latency: more than that is no noise."""
MAPPED_SHARE = 0.5
"""Of the memory that the plain graph takes, and no file backs, what the mapped one may take, where weights are most."""
LARGE = 10_000_000
"""Bytes of a file from which on its weights are most of what is loaded with it."""
SECONDS = 1.0
"""In which a file is timed, in each of the runs."""
AGREE = 1e-3
"""How far float files of the two sides may be apart, of the largest value."""
DIGITS = Path(__file__).parent.parent / "examples" / "digits"
DIGITS_TARGET = """\
name = "digits"
platform = "any"
model = {{ source = "{folder}/model/model.ckpt", inputs = [{{ name = "image", tensor = "input:0", \
shape = [1, 28, 28, 1] }}], outputs = [{{ name = "probabilities", tensor = "probabilities:0" }}] }}
data = {{ calibration = {{ source = "{folder}/calibration.npz", samples = 200 }} }}
artifacts = [{{ name = "any", format = "tflite" }}]
"""


@dataclass(frozen=True)
class Bench:
    """The files of one model.

    Attributes:
        files: by format, precision and side, as `name` puts them.
        samples: .npz with what all of them take, under the names that each has for it.
    """

    model: str
    files: dict[str, File]
    samples: Path


def name(form: str, precision: str, side: str) -> str:
    return f"{form} {precision} {side}"


def in_worker(what: str, function: Callable[..., Any], *arguments: object) -> Any:
    return workers.run([workers.Task(what, function, arguments)], jobs=1)[0]


def make(target: Target, folder: Path) -> Bench:
    """The files of both sides."""
    in_worker("prepare", prepare, target, folder)
    inputs, outputs = in_worker("freeze", freeze, target, folder)
    files = {}
    for form, precision in FILES:
        path = folder / f"{precision}{FORMATS[form].suffix}"
        in_worker(f"write {path.name}", write, form, folder, [Request(path.stem, path, precision)])
        files[name(form, precision, OURS)] = File(form, path)
        if form in CONVERTERS:
            theirs = folder / f"official_{path.name}"
            in_worker(f"convert {theirs.name}", CONVERTERS[form], folder, inputs, outputs, precision, theirs)
            files[name(form, precision, OFFICIAL)] = File(form, theirs)
    bench = Bench(target.name, files, folder / "samples.npz")
    in_worker("compare answers", refuse_different_models, bench)
    return bench


Shapes = dict[str, tuple[int, ...]]
"""Of inputs, by the names of their tensors."""


def freeze(target: Target, folder: Path) -> tuple[Shapes, list[str]]:
    """Write frozen.pb, which the official converters read, and samples.npz; inputs and outputs of the graph."""
    graph = Graph.load(folder / REFERENCE)
    with (folder / "frozen.pb").open("wb") as file:
        write_graph_def(file, graph)
    drawn = ready(load_samples(folder / PARITY), outside(target), graph.inputs)
    called = {each: drawn[spec.name] for spec in graph.inputs for each in (node_name(spec.tensor), spec.tensor)}
    save_samples(folder / "samples.npz", drawn | called)
    given = {spec.name: spec.shape for spec in target.model.inputs}
    shapes = {spec.tensor: (1, *(given.get(spec.name) or spec.shape or ())[1:]) for spec in graph.inputs}
    return shapes, [spec.tensor for spec in graph.outputs]


def tflite(folder: Path, inputs: Shapes, outputs: Sequence[str], precision: str, path: Path) -> None:
    """A .tflite file, as TensorFlow's documentation says to make it."""
    tf = import_tensorflow()
    shapes = {node_name(tensor): list(shape) for tensor, shape in inputs.items()}
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        str(folder / "frozen.pb"), list(shapes), [node_name(tensor) for tensor in outputs], shapes
    )
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        samples = map_samples(folder / CALIBRATION)

        def batches() -> Iterator[list[Any]]:
            for rows in zip(*samples.values(), strict=True):
                yield [np.asarray(row)[None] for row in rows]

        converter.representative_dataset = batches
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    path.write_bytes(converter.convert())


def onnx(folder: Path, inputs: Shapes, outputs: Sequence[str], _: str, path: Path) -> None:
    """An .onnx file by tf2onnx, with its optimizers."""
    tf = import_tensorflow()
    import tf2onnx

    graph = tf.compat.v1.GraphDef.FromString((folder / "frozen.pb").read_bytes())
    tf2onnx.convert.from_graph_def(
        graph,
        input_names=list(inputs),
        output_names=list(outputs),
        shape_override={tensor: list(shape) for tensor, shape in inputs.items()},
        opset=17,
        output_path=str(path),
    )


CONVERTERS: dict[str, Callable[..., None]] = {"tflite": tflite, "onnx": onnx}


def refuse_different_models(bench: Bench) -> None:
    """End where float files do not answer alike: then there is nothing to compare."""
    samples = load_samples(bench.samples)
    first: Any = None
    for which, file in bench.files.items():
        if "float32" not in which:
            continue
        runner = FORMATS[file.format].open(file.path)
        (answer, *_) = runner(feeds(runner.inputs, samples, {})).values()
        first = answer if first is None else first
        apart = float(np.max(np.abs(answer - first)) / np.max(np.abs(first)))
        if apart > AGREE:
            raise SystemExit(f"{bench.model}: {which} answers otherwise ({apart:.2g} apart)")


def measured(bench: Bench, runs: int) -> list[Row]:
    """All rows of one model: our files beside the official ones, then the mapped graph beside the plain one."""
    quantities = [*latencies(bench, runs), *footprints(bench, runs)]
    size = {which: [file.path.stat().st_size] for which, file in bench.files.items()}
    quantities.append(("size", "B", size))
    pairs = [(f"{form} {precision}", *(name(form, precision, side) for side in SIDES)) for form, precision in FILES]
    rows = [
        row(bench.model, f"{label}: {what}", unit, {OURS: figures[ours], OFFICIAL: figures[theirs]}, bound(what))
        for what, unit, figures in quantities
        for label, ours, theirs in pairs
        if theirs in bench.files
    ]
    graphs = {form: name(form, "float32", OURS) for form in (MAPPED, PLAIN)}
    large = bench.files[graphs[PLAIN]].path.stat().st_size > LARGE
    return rows + [
        row(
            f"{bench.model}, memory-mapped",
            what,
            unit,
            {form: figures[which] for form, which in graphs.items()},
            MAPPED_SHARE if large and what == ANONYMOUS else None,
        )
        for what, unit, figures in quantities
    ]


def latencies(bench: Bench, runs: int) -> list[Quantity]:
    """Medians of each run, in one thread and in as many as there are cores."""
    found: list[Quantity] = []
    for threads in sorted({1, workers.default_jobs()}):
        arguments: tuple[object, ...] = (bench.files, bench.samples, {}, threads, None, SECONDS)
        turns: list[Turns] = [in_worker("time", time_by_turns, *arguments) for _ in range(runs)]
        medians = {which: [one.timings[which].median for one in turns] for which in bench.files}
        found.append((f"{LATENCY}{threads}", "s", medians))
    return found


def footprints(bench: Bench, runs: int) -> list[Quantity]:
    """Of a process a run and file, by turns, too."""
    prints: dict[str, list[Footprint]] = {which: [] for which in bench.files}
    for _ in range(runs):
        for which, file in bench.files.items():
            prints[which].append(in_worker("load", footprint, file, bench.samples, {}, 1, 1))
    return [
        ("load to first answer", "s", {which: [one.first_answer for one in each] for which, each in prints.items()}),
        ("resident memory", "B", {which: [one.resident for one in each] for which, each in prints.items()}),
        (ANONYMOUS, "B", {which: [one.anonymous for one in each] for which, each in prints.items()}),
    ]


def bound(what: str) -> float | None:
    """Up to which ratio ours is no worse; the latency in one thread is the steadiest of all figures."""
    return WORSE if what == f"{LATENCY}1" else None


def row(group: str, what: str, unit: Unit, columns: Mapping[str, Sequence[float]], most: float | None) -> Row:
    """The first column beside the second."""
    above, below = columns
    return Row(
        group=group,
        what=what,
        unit=unit,
        measured={column: tuple(figures) for column, figures in columns.items()},
        ratio_of=(above, below),
        mark=None if most is None else Mark(at_most=most),
    )


def compared(targets: Sequence[Path], runs: int) -> Result:
    """Every model, one after the other."""
    rows: list[Row] = []
    for _, target in load_targets(targets):
        with tempfile.TemporaryDirectory() as folder:
            rows += measured(make(target, Path(folder)), runs)
    return result(
        "artifacts",
        "The files that we make, beside the official converters'",
        "Latency, load and memory of our files, and of those that TensorFlow's converter and tf2onnx make of the same "
        "frozen graph; and of a memory-mapped graph, beside the plain one. Files of one model answer by turns in one "
        "process. Loading is measured in fresh processes, which have imported the file's runtime alone.",
        rows,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=97.0, help="of the generated network; 0: none")
    parser.add_argument("--target", type=Path, action="append", default=[], help="another model, besides")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--to", type=Path, help="where the figures go; default: benchmarks/results/artifacts.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        digits = Path(folder, "digits.toml")
        digits.write_text(DIGITS_TARGET.format(folder=DIGITS.as_posix()))
        generated = [make_checkpoint(Path(folder, "generated"), given.megabytes)] if given.megabytes else []
        found = compared([digits, *generated, *given.target], given.runs)
    show(found)
    found.save(given.to)


if __name__ == "__main__":
    main()
