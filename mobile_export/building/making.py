"""Making the files of a target: prepare the graph, then whatever its `steps` are, then search what is to be found."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mobile_export import workers
from mobile_export.building.describe import Made, describe_artifact, describe_preparation
from mobile_export.building.steps import Steps
from mobile_export.caching.artifacts import ArtifactCache, Finished
from mobile_export.caching.folder import cache_folder
from mobile_export.data_checks import Finding
from mobile_export.devices import device_named
from mobile_export.errors import ConversionError, ModelError
from mobile_export.executors import Crew, open_crew
from mobile_export.formats import FORMATS
from mobile_export.formats.ort import required_operators
from mobile_export.pipeline import Prepared, is_run_on_devices, prepare
from mobile_export.planning.devices import NO_OVERRIDES, Overrides, devices_of
from mobile_export.planning.plan import Plan, file_of, plan
from mobile_export.scheduling import Task
from mobile_export.search.bench import Job
from mobile_export.search.find import Found, find
from mobile_export.search.journal import open_journal
from mobile_export.target import AUTO, Artifact, Target

Tolerated = tuple[type[ConversionError], ...]
"""What may go wrong with one artifact without stopping the others."""


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
        memory: bytes that workers may take together; what would take more waits. None: any number.
        overrides: what the command line says instead of the target files.
    """

    out: Path
    artifact: str | None = None
    jobs: int = field(default_factory=workers.default_jobs)
    cache: bool = True
    store: ArtifactCache | None = None
    gate: Literal["closed", "warn"] = "closed"
    executor: str | None = None
    watcher: workers.Watcher | None = None
    memory: int | None = field(default_factory=workers.default_memory)
    overrides: Overrides = NO_OVERRIDES

    def store_for(self, planned: Plan) -> ArtifactCache | None:
        """The cache, where it may be used; what samples code makes is in no key."""
        return self.store if self.cache and not planned.is_guesswork else None


@dataclass(frozen=True)
class Ground:
    """What all files of a target are built on.

    Attributes:
        folder: the work folder.
        ready: what was found in preparing the graph.
        findings: of the data; None until the reference has run.
    """

    folder: Path
    ready: Prepared
    findings: tuple[Finding, ...] | None = None


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
        """The wanted artifacts, by name; their files are in the stage, and in the cache those that miss no limit.

        Raises:
            MissingToolError: a device that one of them is run on is not there; nothing has been done.
        """
        made = self._made(planned, wanted, stage, ())
        return {name: one for name, one in made.items() if isinstance(one, Finished)}

    def attempt(self, planned: Plan, wanted: Sequence[Artifact], stage: Path) -> dict[str, Finished | ConversionError]:
        """As `make`, but what a converter refuses stops nothing else: the refusal is in the artifact's place."""
        return self._made(planned, wanted, stage, (ConversionError,))

    def ground(self, planned: Plan) -> Ground:
        """What the files of a target are built on, with the reference's answers; made now where it was not."""
        self._prepare(planned, ())
        self._written(planned, (), {}, ())
        return self._grounds[_key(planned)]

    def required_operators(self, files: Sequence[Path]) -> bytes:
        """What .ort files need of ONNX Runtime."""
        task = Task("list the operators of .ort files", required_operators, (files,))
        return str(self._run([task])[task]).encode()

    def _made(
        self, planned: Plan, wanted: Sequence[Artifact], stage: Path, tolerated: Tolerated
    ) -> dict[str, Finished | ConversionError]:
        if not wanted:
            return {}
        self._require_devices(planned.target, wanted)
        files = {a.name: stage / file_of(planned.target, a) for a in wanted}
        for file in files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
        self._prepare(planned, () if tolerated else wanted)
        made = self._written(planned, [a for a in wanted if a.precision != AUTO], files, tolerated)
        made |= self._searched(planned, [a for a in wanted if a.precision == AUTO], files, tolerated)
        ground = self._grounds[_key(planned)]
        preparation = describe_preparation(ground.ready, ground.findings or ())
        store = self.options.store_for(planned)
        found: dict[str, Finished | ConversionError] = {}
        for artifact in wanted:
            one = made[artifact.name]
            if isinstance(one, ConversionError):
                found[artifact.name] = one
                continue
            entry = describe_artifact(planned, artifact, stage, one)
            found[artifact.name] = finished = Finished(entry, one.measured.golden, preparation)
            if store is not None:
                store.add(finished, files[artifact.name])
        return found

    def _require_devices(self, target: Target, wanted: Sequence[Artifact]) -> None:
        """See that every device is there, before work of minutes; one that is new here has to pass its self-test.

        Raises:
            MissingToolError: one is not; says what installs it.
        """
        names = [] if target.device.skip else [name for artifact in wanted for name in devices_of(target, artifact)]
        for name in dict.fromkeys(names):
            if self.options.watcher is not None:
                self.options.watcher.busy([f"{target.name}: see that {name} is there"])
            device_named(name).require()

    def _prepare(self, planned: Plan, wanted: Sequence[Artifact]) -> None:
        """Make the ground on which files are built; targets that agree on model, data and transforms share it.

        Args:
            wanted: artifacts without which there is nothing to build, so that too large a model ends it here.
        """
        target, key = planned.target, _key(planned)
        if key in self._grounds:
            return
        folder = Path(tempfile.mkdtemp(dir=self.work))
        task = Task(f"{target.name}: prepare the graph", prepare, (target, folder, tuple(wanted)), target.model.source)
        ready = self._run([task])[task]
        if plan(planned.path, target).keys != planned.keys:
            raise ModelError("the model or the data changed while they were read; build again")
        self._grounds[key] = Ground(folder, ready)

    def _written(
        self, planned: Plan, wanted: Sequence[Artifact], files: Mapping[str, Path], tolerated: Tolerated
    ) -> dict[str, Made | ConversionError]:
        """The files whose precision the target says; the reference has run when they are done."""
        ground = self._grounds[_key(planned)]
        steps = Steps(planned, ground.folder, ground.ready.frozen_size, files, tolerated)
        referred = [steps.refer()] if ground.findings is None else []
        written = steps.write(wanted, referred)
        checked, ran = {}, {}
        for artifact in wanted:
            after = [written[artifact.name], *referred]
            limited = artifact.limits.latency_ratio is not None
            checked[artifact.name] = steps.check(artifact, steps.time(artifact, after) if limited else None, after)
            ran[artifact.name] = steps.run_on_devices(artifact, after)
        results = self._run(steps.tasks)
        for task in referred:
            self._grounds[_key(planned)] = replace(ground, findings=tuple(results[task]))
        return {
            name: _ended(results[task], [results[each] for each in ran[name]], results[written[name]])
            for name, task in checked.items()
        }

    def _searched(
        self, planned: Plan, wanted: Sequence[Artifact], files: Mapping[str, Path], tolerated: Tolerated
    ) -> dict[str, Made | ConversionError]:
        """The files whose precision is searched for; one search after the other, each with all workers."""
        if not wanted:
            return {}
        options, ground = self.options, self._grounds[_key(planned)]
        refused: dict[str, Made | ConversionError] = {}
        steps = Steps(planned, ground.folder, ground.ready.frozen_size, files, tolerated)
        searches: dict[str, Found] = {}
        checked: dict[str, Task] = {}
        ran: dict[str, list[Task]] = {}
        tools = sorted({tool for artifact in wanted for tool in FORMATS[artifact.format].tools})
        with open_crew(options.executor, options.jobs, tools) as crew:
            for artifact in wanted:
                try:
                    found = self._search(planned, artifact, files[artifact.name], crew)
                except tolerated as error:
                    refused[artifact.name] = error
                    continue
                scheme = {"precision": found.scheme.precision, "layers": dict(found.scheme.layers)}
                settled = artifact.model_copy(update=scheme)
                limited = artifact.limits.latency_ratio is not None
                # timed again, it would be another, by noise
                latency = steps.time(settled, ()) if limited and found.latency_ratio is None else found.latency_ratio
                searches[artifact.name], checked[artifact.name] = found, steps.check(settled, latency, ())
                ran[artifact.name] = steps.run_on_devices(settled, ())
        results = self._run(steps.tasks)
        return refused | {
            name: _ended(results[task], [results[each] for each in ran[name]], searches[name].engine, searches[name])
            for name, task in checked.items()
        }

    def _search(self, planned: Plan, artifact: Artifact, file: Path, crew: Crew) -> Found:
        options, ground = self.options, self._grounds[_key(planned)]
        journals = cache_folder("searches") if options.cache and not planned.is_guesswork else ground.folder
        return find(
            ground.folder,
            Job(planned.target, artifact, ground.ready.frozen_size, planned.about),
            file,
            crew=crew,
            journal=open_journal(journals, planned.search_keys[artifact.name]),
            watcher=options.watcher,
        )

    def _run(self, tasks: Sequence[Task]) -> dict[Task, Any]:
        options = self.options
        return dict(zip(tasks, workers.run(tasks, options.jobs, options.watcher, memory=options.memory), strict=True))


def _key(planned: Plan) -> str:
    """What targets agree on that share a ground."""
    target = planned.target
    drawn = target.device if is_run_on_devices(target) else None
    return repr((planned.source, planned.data, target.model, target.data, target.transforms, drawn))


def _ended(measured: Any, ran: Sequence[Any], engine: Any, found: Found | None = None) -> Made | ConversionError:
    """How an artifact ended: an error that was tolerated is the result of every task that it stopped."""
    refused = [result for result in (measured, *ran) if isinstance(result, ConversionError)]
    return refused[0] if refused else Made(measured, engine or "", found, tuple(ran))
