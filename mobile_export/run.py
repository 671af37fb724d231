"""Running one built file by hand, here or on a device."""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mobile_export import workers
from mobile_export.checks.device import difference
from mobile_export.data import Wanted, read_samples
from mobile_export.devices import device_named
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
class Beside:
    """How far a device's answers are from this computer's, in one output."""

    same_bits: bool
    difference: float
    """Largest difference over the output's largest magnitude here; of whole numbers, the share that is another. NaN
    where neither can be said."""
    said: str
    """The same for a person, or why it cannot be said."""

    @classmethod
    def of(cls, name: str, here: Array, there: Array) -> "Beside":
        """Compare an output's answers."""
        value, wrong = difference(here, there)
        same_bits = here.dtype == there.dtype and here.tobytes() == there.tobytes()
        if same_bits:
            said = "the same bits as here"
        elif wrong:
            said = f"output {name!r} {wrong}"
        elif here.dtype.kind == "f":
            said = f"differs from here by {value:.2g} of its largest magnitude"
        else:
            said = f"{value:.2%} of its values are others than here"
        return cls(same_bits, value, said)

    def as_json(self) -> dict[str, object]:
        """For JSON, which has no NaN."""
        value = None if math.isnan(self.difference) else self.difference
        return {"same_bits_as_here": self.same_bits, "device_difference": value}


@dataclass(frozen=True)
class Run:
    """What a file answered: real values by public output, shape [samples, ...].

    Attributes:
        beside: by public output, how its answers compare with this computer's; empty where these are this computer's.
    """

    runtime: str
    samples: int
    answers: Samples
    beside: Mapping[str, Beside] = field(default_factory=dict)

    def summaries(self) -> list[dict[str, object]]:
        """For JSON: each output's name, dtype, shape, its values for the first samples, and how they compare."""
        return [
            {"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "first": array[:SHOWN].tolist()}
            | (self.beside[name].as_json() if name in self.beside else {})
            for name, array in self.answers.items()
        ]

    def lines(self) -> list[str]:
        """For a person: each output's shape, how it compares, and the first samples' answers."""
        found = []
        for name, array in self.answers.items():
            found.append(f"{name}: {array.dtype}{list(array.shape)}")
            found += [f"  {self.beside[name].said}"] if name in self.beside else []
            found += [f"  sample {index}: {_short(answer)}" for index, answer in enumerate(array[:SHOWN])]
        return found


def run_file(path: Path, data: Path, samples: int | None, save: Path | None, device: str | None = None) -> Run:
    """Run the built file `path` on the inputs in `data`, and write all answers to `save` if given.

    Args:
        device: where it is run, as `devices.device_named` knows it; None: on this computer.

    Raises:
        ExportError: the file's kind is not known, it does not load, the data does not fit, `save` cannot be written,
            there is no such device, or it cannot run files of that kind.
    """
    name = next((name for name, unit in FORMATS.items() if path.name.endswith(unit.suffix)), None)
    if name is None:
        known = ", ".join(unit.suffix for unit in FORMATS.values())
        raise TargetError(f"{path}: not a kind of file that is run here; known: {known}")
    folder = FORMATS[name].folder
    if not (path.is_dir() if folder else path.is_file()):
        raise TargetError(f"{path}: no such {'folder' if folder else 'file'}")
    if device is not None:
        _require(device, name, path)
    ran: Run
    (ran,) = workers.run([workers.Task(f"run {path.name}", _run, (name, path, data, samples, device))], jobs=1)
    if save is not None:
        _save(save, ran.answers)
    return ran


def _require(device: str, format_name: str, path: Path) -> None:
    """See that the device runs files of this format, and that it is there."""
    found = device_named(device)
    if format_name not in found.formats:
        suffixes = ", ".join(FORMATS[each].suffix for each in found.formats)
        raise TargetError(f"{path}: {device} runs {suffixes}, not {FORMATS[format_name].suffix}; leave --device out")
    found.require()


def _run(format_name: str, path: Path, data: Path, samples: int | None, device: str | None) -> Run:
    """In a worker: a damaged file may end the process that loads it."""
    runner = FORMATS[format_name].open(path)
    wanted = Wanted(tuple(_real(edge) for edge in runner.inputs))
    count, drawn = read_samples(DataSource(source=data, samples=samples), wanted)
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as folder:
        inputs = store_samples(Path(folder, "inputs"), count, drawn)
        try:
            if device is None:
                return Run(FORMATS[format_name].runtime, count, run_samples(runner, inputs))
            answers = run_samples(runner, inputs, most=1)  # as the check of a build does it
            there = device_named(device)
            with there.open(format_name, path) as remote:
                found = run_samples(remote, inputs, most=1)
        except NotRunnableError as error:
            raise NotRunnableError(f"{path}: {error}") from error
    beside = {name: Beside.of(name, answer, found[name]) for name, answer in answers.items()}
    return Run(there.runtime(format_name), count, found, beside)


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
