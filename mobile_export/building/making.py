"""Making the files of a target: prepare, write every format beside the reference answers, then measure every file."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mobile_export import workers
from mobile_export.building.describe import Made, describe_artifact, describe_preparation
from mobile_export.caching.artifacts import ArtifactCache, Finished
from mobile_export.caching.folder import cache_folder
from mobile_export.data_checks import Finding
from mobile_export.errors import ModelError
from mobile_export.executors import open_crew
from mobile_export.formats import FORMATS
from mobile_export.formats.ort import required_operators
from mobile_export.pipeline import Measured, Prepared, measure, measure_latency, prepare, refer, write
from mobile_export.planning.plan import Plan, file_of, plan, request_for
from mobile_export.search.bench import Job
from mobile_export.search.find import Found, find
from mobile_export.search.journal import open_journal
from mobile_export.target import AUTO, Artifact


@dataclass(frozen=True)
class Options:
    """How to build, whatever the target.

    Attributes:
        out: where published folders go.
        artifact: build this one alone; the others stay where their keys are current.
        jobs: workers at once.
        cache: whether files with current keys are taken as they are, published ones and those in the store.
        store: built artifacts of earlier builds, and where those of this one go.
        gate: `warn` publishes what missed a limit, marked as such.
        executor: where files of a search are tried, such as `dask://10.0.0.7:8786`; default: workers here.
        watcher: is told how far the build is.
    """

    out: Path
    artifact: str | None = None
    jobs: int = field(default_factory=workers.default_jobs)
    cache: bool = True
    store: ArtifactCache | None = None
    gate: Literal["closed", "warn"] = "closed"
    executor: str | None = None
    watcher: workers.Watcher | None = None

    def store_for(self, planned: Plan) -> ArtifactCache | None:
        """The cache, where it may be used; what samples code makes is in no key."""
        return self.store if self.cache and not planned.is_guesswork else None


@dataclass(frozen=True)
class Ground:
    """What all files of a target are built on: the work folder, and what was found on the way."""

    folder: Path
    ready: Prepared
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Maker:
    """Makes files.

    Attributes:
        options: how.
        work: a folder for what is not published.
    """

    options: Options
    work: Path
    _grounds: dict[str, Ground] = field(default_factory=dict)

    def make(self, planned: Plan, wanted: Sequence[Artifact], stage: Path) -> dict[str, Finished]:
        """The wanted artifacts, by name; their files are in the stage, and in the cache those that miss no limit."""
        if not wanted:
            return {}
        ground = self._prepared(planned)
        preparation = describe_preparation(ground.ready, ground.findings)
        files = {a.name: stage / file_of(planned.target, a) for a in wanted}
        for file in files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
        made = _Making(self.options, planned, ground, files).make(wanted)
        found = {}
        for artifact in wanted:
            one = made[artifact.name]
            entry = describe_artifact(planned, artifact, stage, one)
            found[artifact.name] = Finished(entry, one.measured.golden, preparation)
        store = self.options.store_for(planned)
        if store is not None:
            for name, finished in found.items():
                store.add(finished, files[name])
        return found

    def required_operators(self, files: Sequence[Path]) -> bytes:
        """What .ort files need of ONNX Runtime."""
        (text,) = self._run(workers.Task("list the operators of .ort files", required_operators, (files,)))
        return str(text).encode()

    def _prepared(self, planned: Plan) -> Ground:
        """The ground on which files are built; targets that agree on model, data and transforms share it."""
        target = planned.target
        key = repr((planned.source, planned.data, target.model, target.data, target.transforms))
        if key not in self._grounds:
            folder = Path(tempfile.mkdtemp(dir=self.work))
            named = f"{target.name}: prepare the graph"
            (ready,) = self._run(workers.Task(named, prepare, (target, folder), target.model.source))
            if plan(planned.path, target).keys != planned.keys:
                raise ModelError("the model or the data changed while they were read; build again")
            named = f"{target.name}: run the reference, check the data"
            (findings,) = self._run(workers.Task(named, refer, (target, folder)))
            self._grounds[key] = Ground(folder, ready, tuple(findings))
        return self._grounds[key]

    def _run(self, *tasks: workers.Task) -> list[Any]:
        return workers.run(tasks, self.options.jobs, self.options.watcher)


@dataclass(frozen=True)
class _Making:
    """Files of one target that are made now, on one ground; `files` says where, by the artifact's name."""

    options: Options
    planned: Plan
    ground: Ground
    files: Mapping[str, Path]

    def make(self, wanted: Sequence[Artifact]) -> dict[str, Made]:
        """Search, write, time and check."""
        found = self._search([a for a in wanted if a.precision == AUTO])
        engines = {name: one.engine for name, one in found.items()}
        engines |= self._write([a for a in wanted if a.precision != AUTO])
        latency = {name: one.latency_ratio for name, one in found.items()}  # timed again, it would be another, by noise
        limited = [a for a in wanted if a.limits.latency_ratio is not None]
        latency |= self._time([a for a in limited if latency.get(a.name) is None])
        measured = self._check([_settled(a, found.get(a.name)) for a in wanted], latency)
        return {a.name: Made(measured[a.name], engines.get(a.name, ""), found.get(a.name)) for a in wanted}

    def _search(self, wanted: Sequence[Artifact]) -> dict[str, Found]:
        """The files whose precision is searched for; one search after the other, each with all workers."""
        if not wanted:
            return {}
        found = {}
        options, planned, ground = self.options, self.planned, self.ground
        journals = cache_folder("searches") if options.cache and not planned.is_guesswork else ground.folder
        tools = sorted({tool for artifact in wanted for tool in FORMATS[artifact.format].tools})
        with open_crew(options.executor, options.jobs, tools) as crew:
            for artifact in wanted:
                found[artifact.name] = find(
                    ground.folder,
                    Job(planned.target, artifact, ground.ready.frozen_size, planned.about),
                    self.files[artifact.name],
                    crew=crew,
                    journal=open_journal(journals, planned.search_keys[artifact.name]),
                    watcher=options.watcher,
                )
        return found

    def _write(self, given: Sequence[Artifact]) -> dict[str, str]:
        """The files whose precision the target says, and by artifact what has quantized it: one process a format."""
        tasks = []
        for name, kernels in dict.fromkeys((a.format, a.kernels) for a in given):
            same = [a for a in given if (a.format, a.kernels) == (name, kernels)]
            requests = [request_for(a, self.files[a.name], self.planned.about) for a in same]
            tasks.append(self._task(f"write {name}", write, name, self.ground.folder, requests, kernels))
        written: list[dict[str, str]] = workers.run(tasks, self.options.jobs, self.options.watcher)
        return {artifact: engine for engines in written for artifact, engine in engines.items()}

    def _time(self, wanted: Sequence[Artifact]) -> dict[str, float]:
        """The latency ratio of each; timed one after the other, with nothing else at work."""
        tasks = [
            self._task(
                f"time {a.name}", measure_latency, self.planned.target, a, self.files[a.name], self.ground.folder
            )
            for a in wanted
        ]
        ratios = workers.run(tasks, 1, self.options.watcher)
        return {a.name: ratio for a, ratio in zip(wanted, ratios, strict=True)}

    def _check(self, wanted: Sequence[Artifact], latency: Mapping[str, float | None]) -> dict[str, Measured]:
        """What was measured of each file."""
        target, size, work = self.planned.target, self.ground.ready.frozen_size, self.ground.folder
        tasks = [
            self._task(f"check {a.name}", measure, target, a, self.files[a.name], size, work, latency.get(a.name))
            for a in wanted
        ]
        found = workers.run(tasks, self.options.jobs, self.options.watcher)
        return {a.name: measured for a, measured in zip(wanted, found, strict=True)}

    def _task(self, what: str, function: Callable[..., Any], *arguments: Any) -> workers.Task:
        return workers.Task(f"{self.planned.target.name}: {what}", function, arguments)


def _settled(artifact: Artifact, found: Found | None) -> Artifact:
    """The artifact, of the precision that was found for it."""
    return artifact.model_copy(update={"precision": found.scheme.precision}) if found else artifact
