"""What is looked at and timed of files that are made, in workers.

First everything that may run side by side: the graph, layers, delegates, and whether each file answers at all. Then,
with nothing else at work, latency and load time of those that do: one that aborts takes no times of others along.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobile_export import lint, workers
from mobile_export.building.making import Ground
from mobile_export.compare.columns import format_threads
from mobile_export.compare.graphs import summarize_graphs
from mobile_export.compare.layers import explain_layers, is_explained, write_float
from mobile_export.compare.reference import Reference, refer_to
from mobile_export.compare.result import GraphSummary, Layer
from mobile_export.data.preprocess import Recipes
from mobile_export.errors import ConversionError, ExportError, ModelError
from mobile_export.lint.survey import Survey
from mobile_export.published.manifest import ArtifactEntry
from mobile_export.sampling import PARITY, outside
from mobile_export.target import Target
from mobile_export.timing import File, Footprint, Loads, Timing, Turns, answer_once, footprints, time_by_turns
from mobile_export.timing.turns import IN_MEMORY, SECONDS

MOST_THREADS = 4
"""What apps use at most: the fast cores of a phone."""
TURNS = 6.0
"""Seconds in which all files answer by turns, about; few of them take `SECONDS` each."""
EXPLAINED = 6
"""Bytes of memory that explaining takes for each byte of the frozen graph: two files, and all that they compute."""

TOLERATED = (ConversionError, ModelError)
"""What cannot be seen of one file stops nothing else."""


@dataclass(frozen=True)
class Observations:
    """All that was seen of a model and its files; of files by name.

    Attributes:
        graphs: before the transforms and after them.
        surveys: what delegates leave out.
        layers: where quantized files err.
        timings: latency, one for each number of threads.
        footprints: what the first answer of a fresh process costs.
        unseen: what could not be looked at, and why: a sentence each.
    """

    reference: Reference
    graphs: tuple[GraphSummary, ...]
    surveys: Mapping[str, tuple[Survey, ...]]
    layers: Mapping[str, tuple[Layer, ...]]
    timings: Mapping[str, tuple[Timing, ...]]
    footprints: Mapping[str, Footprint]
    unseen: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Profiler:
    """Looks at the files of one target, which lie in a stage, and times them."""

    target: Target
    ground: Ground
    stage: Path
    jobs: int
    watcher: workers.Watcher | None = None

    def observe(self, entries: Sequence[ArtifactEntry], timing: bool) -> Observations:
        """Look at everything, and last of all take the time."""
        folder = self.ground.folder
        reference = self._task("score the reference", refer_to, self.target, folder, tolerated=())
        graphs = self._task("look at the graph", summarize_graphs, self.target, folder, tolerated=())
        surveys = {entry.name: self._surveying(entry) for entry in entries}
        layers = self._explaining([entry for entry in entries if is_explained(entry)])
        timed = [entry for entry in entries if timing and not entry.unchecked]
        trials = {entry.name: self._trial(entry) for entry in timed}
        found = self._run([reference, graphs, *surveys.values(), *layers.values(), *trials.values()])

        unseen = _Unseen()
        for entry in entries:
            if timing and entry.unchecked:
                unseen.add(entry.name, "not timed", entry.unchecked)
        answered = unseen.sort_out("not timed", {name: found[task] for name, task in trials.items()})
        runnable = {entry.name: self._file(entry) for entry in timed if entry.name in answered}
        timings, loads = self._timed(runnable, unseen) if runnable else ({}, {})
        return Observations(
            found[reference],
            found[graphs],
            unseen.sort_out("delegates not asked", {name: found[task] for name, task in surveys.items()}),
            unseen.sort_out("layers not compared", {name: found[task] for name, task in layers.items()}),
            timings,
            loads,
            {name: tuple(sentences) for name, sentences in unseen.sentences.items()},
        )

    def _surveying(self, entry: ArtifactEntry) -> workers.Task:
        file = lint.File(self.stage / entry.file, entry.format, self.target.platform)
        return lint.survey_task(file, TOLERATED)

    def _explaining(self, quantized: Sequence[ArtifactEntry]) -> dict[str, workers.Task]:
        """Tasks that say where each file errs, against the float file of its format."""
        folder, memory = self.ground.folder, EXPLAINED * self.ground.ready.frozen_size
        floats = {
            name: self._task(f"write {name} in float32", write_float, name, folder, memory=memory)
            for name in dict.fromkeys(entry.format for entry in quantized)
        }
        given = (self.target, self.ground.ready, folder)
        return {
            e.name: self._task(
                *(f"explain {e.name}", explain_layers, *given, e.format, self.stage / e.file, floats[e.format]),
                memory=memory,
            )
            for e in quantized
        }

    def _trial(self, entry: ArtifactEntry) -> workers.Task:
        arguments = (self._file(entry), *self._fed(), max(_threads()))
        return self._task(f"try {entry.name}", answer_once, *arguments, memory=IN_MEMORY * entry.bytes)

    def _timed(
        self, files: Mapping[str, File], unseen: "_Unseen"
    ) -> tuple[dict[str, tuple[Timing, ...]], dict[str, Footprint]]:
        """Latency by turns for each number of threads, then what a fresh process needs; each task runs alone."""
        seconds = min(SECONDS, TURNS / len(files))
        turns = [
            self._task(
                f"time {len(files)} files, {format_threads(threads)}",
                *(time_by_turns, files, *self._fed(), threads, None, seconds),
                alone=True,
            )
            for threads in _threads()
        ]
        loading = self._task(f"load {len(files)} files afresh", footprints, files, *self._fed(), alone=True)
        found = self._run([*turns, loading])
        timings: dict[str, tuple[Timing, ...]] = {}
        for task in turns:
            one = found[task] if isinstance(found[task], Turns) else Turns({}, dict.fromkeys(files, str(found[task])))
            for name, timing in one.timings.items():
                timings[name] = (*timings.get(name, ()), timing)
            for name, why in one.untimed.items():
                unseen.add(name, "not timed", why)
        loads = (
            found[loading]
            if isinstance(found[loading], Loads)
            else Loads({}, dict.fromkeys(files, str(found[loading])))
        )
        for name, why in loads.failed.items():
            unseen.add(name, "not loaded afresh", why)
        return timings, loads.footprints

    def _file(self, entry: ArtifactEntry) -> File:
        return File(entry.format, self.stage / entry.file)

    def _fed(self) -> tuple[Path, Recipes]:
        """What files answer to: samples, and what happens to them outside of the files."""
        return self.ground.folder / PARITY, outside(self.target)

    def _task(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        memory: int = 0,
        alone: bool = False,
        tolerated: tuple[type[ExportError], ...] = TOLERATED,
    ) -> workers.Task:
        name = f"{self.target.name}: {what}"
        return workers.Task(name, function, arguments, memory=memory, alone=alone, tolerated=tolerated)

    def _run(self, tasks: Sequence[workers.Task]) -> dict[workers.Task, Any]:
        """By task its result, or the error that it tolerates; what they need runs before them."""
        every = [*dict.fromkeys(need for task in tasks for need in task.needs), *tasks]
        return dict(
            zip(every, workers.run(every, self.jobs, self.watcher, memory=workers.default_memory()), strict=True)
        )


@dataclass
class _Unseen:
    """What could not be looked at, and why: sentences by the name of a file."""

    sentences: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, what: str, why: str) -> None:
        """Note it, once."""
        said = self.sentences.setdefault(name, [])
        if (sentence := f"{what}: {why}") not in said:
            said.append(sentence)

    def sort_out(self, what: str, results: Mapping[str, Any]) -> dict[str, Any]:
        """Those of `results` that are none of an error; the others are noted."""
        for name, result in results.items():
            if isinstance(result, ExportError):
                self.add(name, what, str(result))
        return {name: result for name, result in results.items() if not isinstance(result, ExportError)}


def _threads() -> list[int]:
    """In how many threads files are timed."""
    return sorted({1, min(MOST_THREADS, workers.default_jobs())})
