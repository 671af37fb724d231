"""What is looked at and timed of files that are made, in workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobile_export import lint, workers
from mobile_export.building.making import Ground
from mobile_export.compare.graphs import summarize_graphs
from mobile_export.compare.layers import explain_layers, is_explained, write_float
from mobile_export.compare.reference import Reference, refer_to
from mobile_export.compare.result import GraphSummary, Layer
from mobile_export.errors import ConversionError, ExportError, ModelError
from mobile_export.lint.survey import Survey
from mobile_export.published.manifest import ArtifactEntry
from mobile_export.sampling import PARITY, outside
from mobile_export.target import Target
from mobile_export.timing import File, Footprint, Timing, Turns, footprint, time_by_turns
from mobile_export.timing.footprint import PROCESSES
from mobile_export.timing.turns import SECONDS

MOST_THREADS = 4
"""What apps use at most: the fast cores of a phone."""
TURNS = 6.0
"""Seconds in which all files answer by turns, about; few of them take `SECONDS` each."""
MANY = 8
"""Files from which on each is loaded in one fresh process, and not in as many as give a median."""


@dataclass(frozen=True)
class Seen:
    """All that was seen of a model and its files; of files by name.

    Attributes:
        graphs: before the transforms and after them.
        surveys: what delegates leave out.
        layers: where quantized files err.
        turns: latency, for each number of threads.
        loads: what the first answer of a fresh process costs, or why it has none.
        unchecked: why a file could not be run at all.
    """

    reference: Reference
    graphs: tuple[GraphSummary, ...]
    surveys: Mapping[str, tuple[Survey, ...]]
    layers: Mapping[str, tuple[Layer, ...]]
    turns: tuple[Turns, ...] = ()
    loads: Mapping[str, Footprint | ExportError] = field(default_factory=dict)
    unchecked: Mapping[str, str] = field(default_factory=dict)

    def timings_of(self, name: str) -> tuple[Timing, ...]:
        """One for each number of threads."""
        return tuple(turns.timings[name] for turns in self.turns if name in turns.timings)

    def footprint_of(self, name: str) -> Footprint | None:
        """None where it was not measured."""
        load = self.loads.get(name)
        return load if isinstance(load, Footprint) else None

    def untimed(self, name: str) -> str:
        """Why something was not measured; empty where all was, or nobody asked for it."""
        load = self.loads.get(name)
        refused = [str(load)] if isinstance(load, ExportError) else []
        said = [self.unchecked.get(name, ""), *(turns.untimed.get(name, "") for turns in self.turns), *refused]
        return next(filter(None, said), "")


@dataclass(frozen=True)
class Bench:
    """Looks at the files of one target, which lie in a stage, and times them."""

    target: Target
    ground: Ground
    stage: Path
    jobs: int
    watcher: workers.Watcher | None = None

    def look(self, entries: Sequence[ArtifactEntry], timing: bool) -> Seen:
        """Look at everything, and last of all take the time, with nothing else at work."""
        folder = self.ground.folder
        model = [
            self._task("score the reference", refer_to, self.target, folder),
            self._task("look at the graph", summarize_graphs, self.target, folder),
        ]
        layers = self._explaining([entry for entry in entries if is_explained(entry)])
        unchecked = {entry.name: entry.unchecked for entry in entries if entry.unchecked}
        files = {e.name: File(e.format, self.stage / e.file) for e in entries if e.name not in unchecked}
        turns, loads = self._timing(files) if timing and files else ([], {})
        surveys = self._surveys(entries)
        tasks = [*model, *layers.values(), *turns, *loads.values()]
        needed = dict.fromkeys(need for task in layers.values() for need in task.needs)
        results = dict(zip([*needed, *tasks], workers.run([*needed, *tasks], self.jobs, self.watcher), strict=True))
        reference, graphs = (results[task] for task in model)
        return Seen(
            reference,
            graphs,
            surveys,
            {name: () if isinstance(results[task], ExportError) else results[task] for name, task in layers.items()},
            tuple(results[task] for task in turns if isinstance(results[task], Turns)),
            {name: results[task] for name, task in loads.items()},
            unchecked if timing else {},
        )

    def _surveys(self, entries: Sequence[ArtifactEntry]) -> dict[str, tuple[Survey, ...]]:
        """What delegates would leave out of each file; nothing of one that its checkers do not survive."""
        files = {e.name: lint.File(self.stage / e.file, e.format, self.target.platform) for e in entries}
        try:
            return dict(zip(files, lint.survey_files(list(files.values()), self.jobs, self.watcher), strict=True))
        except (ConversionError, ModelError):
            return {name: self._surveyed(file) for name, file in files.items()}

    def _surveyed(self, file: lint.File) -> tuple[Survey, ...]:
        try:
            return lint.survey_files([file], 1, self.watcher)[0]
        except (ConversionError, ModelError):
            return ()

    def _explaining(self, quantized: Sequence[ArtifactEntry]) -> dict[str, workers.Task]:
        """Tasks that say where each file errs, against the float file of its format."""
        folder = self.ground.folder
        floats = {
            name: self._task(f"write {name} in float32", write_float, name, folder)
            for name in dict.fromkeys(entry.format for entry in quantized)
        }
        given = (self.target, self.ground.ready, folder)
        return {
            e.name: self._task(
                f"explain {e.name}", explain_layers, *given, e.format, self.stage / e.file, floats[e.format]
            )
            for e in quantized
        }

    def _timing(self, files: Mapping[str, File]) -> tuple[list[workers.Task], dict[str, workers.Task]]:
        """Tasks that take latency by turns, and by name what a fresh process needs; each runs alone."""
        given = (self.ground.folder / PARITY, outside(self.target))
        seconds = min(SECONDS, TURNS / len(files))
        processes = PROCESSES if len(files) < MANY else 1
        turns = [
            self._task(
                f"time {len(files)} files, {threads} {'thread' if threads == 1 else 'threads'}",
                *(time_by_turns, files, *given, threads, None, seconds),
                alone=True,
            )
            for threads in sorted({1, min(MOST_THREADS, workers.default_jobs())})
        ]
        loads = {
            name: self._task(f"load {name} afresh", footprint, file, *given, 1, processes, alone=True)
            for name, file in files.items()
        }
        return turns, loads

    def _task(self, what: str, function: Callable[..., Any], *arguments: Any, alone: bool = False) -> workers.Task:
        """A task; what cannot be seen of one file stops nothing else."""
        tolerated = () if function in (refer_to, summarize_graphs) else (ConversionError, ModelError)
        return workers.Task(f"{self.target.name}: {what}", function, arguments, alone=alone, tolerated=tolerated)
