"""Running one built file by hand."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_export import workers
from mobile_export.data import Wanted, read_samples
from mobile_export.errors import NotRunnableError, OutputError, TargetError
from mobile_export.formats import FORMATS
from mobile_export.graphs.graph import TensorSpec
from mobile_export.graphs.tensors import Array
from mobile_export.runner import Edge, run_samples
from mobile_export.samples import Samples, save_samples, store_samples
from mobile_export.target import DataSource

SHOWN = 5
"""Samples whose answers are shown."""


@dataclass(frozen=True)
class Run:
    """What a file answered: real values by public output, shape [samples, ...]."""

    runtime: str
    samples: int
    answers: Samples

    def summaries(self) -> list[dict[str, object]]:
        """For JSON: each output's name, dtype, shape, and its values for the first samples."""
        return [
            {"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "first": array[:SHOWN].tolist()}
            for name, array in self.answers.items()
        ]

    def lines(self) -> list[str]:
        """For a person: each output's shape, and the first samples' answers."""
        found = []
        for name, array in self.answers.items():
            found.append(f"{name}: {array.dtype}{list(array.shape)}")
            found += [f"  sample {index}: {_short(answer)}" for index, answer in enumerate(array[:SHOWN])]
        return found


def run_file(path: Path, data: Path, samples: int | None, save: Path | None) -> Run:
    """Run the built file `path` on the inputs in `data`, and write all answers to `save` if given.

    Raises:
        ExportError: the file's kind is not known, it does not load, the data does not fit, or `save` cannot be written.
    """
    name = next((name for name, unit in FORMATS.items() if path.name.endswith(unit.suffix)), None)
    if name is None:
        known = ", ".join(unit.suffix for unit in FORMATS.values())
        raise TargetError(f"{path}: not a kind of file that is run here; known: {known}")
    folder = FORMATS[name].folder
    if not (path.is_dir() if folder else path.is_file()):
        raise TargetError(f"{path}: no such {'folder' if folder else 'file'}")
    ran: Run
    (ran,) = workers.run([workers.Task(f"run {path.name}", _run, (name, path, data, samples))], jobs=1)
    if save is not None:
        _save(save, ran.answers)
    return ran


def _run(format_name: str, path: Path, data: Path, samples: int | None) -> Run:
    """In a worker: a damaged file may end the process that loads it."""
    runner = FORMATS[format_name].open(path)
    wanted = Wanted(tuple(_real(edge) for edge in runner.inputs))
    count, drawn = read_samples(DataSource(source=data, samples=samples), wanted)
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        inputs = store_samples(Path(folder, "inputs"), count, drawn)
        try:
            answers = run_samples(runner, inputs)
        except NotRunnableError as error:
            raise NotRunnableError(f"{path}: {error}") from error
    return Run(FORMATS[format_name].runtime, count, answers)


def _real(edge: Edge) -> TensorSpec:
    """What is fed: real values where the edge is quantized."""
    return TensorSpec(edge.name, edge.name, edge.dtype if edge.scale is None else "float32", edge.shape)


def _save(path: Path, answers: Samples) -> None:
    try:
        save_samples(path, answers)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def _short(answer: Array) -> str:
    flat = answer.reshape(-1)
    if answer.ndim == 1 and flat.size > 1 and flat.dtype.kind == "f":
        best = np.argsort(-flat, kind="stable")[:3]
        return ", ".join(f"[{index}] {flat[index]:.4g}" for index in best) + (" …" if flat.size > 3 else "")
    return ", ".join(f"{value:.4g}" for value in flat[:8]) + (" …" if flat.size > 8 else "")
