"""A build: target file in, checked files out, or nothing.

plan       read and check the target, hash what could change an output
make       prepare, then write every format beside the reference answers, then measure every file
publish    all or nothing, with a manifest of what lies there
"""

import contextlib
import hashlib
import io
import tempfile
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mobile_export import workers
from mobile_export.apps import generate
from mobile_export.artifact_files import files_of, sha256_of
from mobile_export.caching.artifacts import ArtifactCache, Finished
from mobile_export.caching.folder import cache_folder
from mobile_export.data_checks import Finding
from mobile_export.describe import Made, describe, describe_artifact, describe_preparation
from mobile_export.errors import CheckFailed, ExportError, ModelError, OutputError
from mobile_export.executors import open_crew, scheduler
from mobile_export.formats import FORMATS
from mobile_export.formats.ort import required_operators
from mobile_export.incremental.reuse import is_whole, kept, published_in, restored
from mobile_export.kernels.published import save_header
from mobile_export.manifest import FILE_NAME, GOLDEN, REQUIRED_OPERATORS, ArtifactEntry, Manifest
from mobile_export.pipeline import Prepared, measure, measure_latency, prepare, refer, write
from mobile_export.plan import Plan, file_of, load_targets, plan, request_for
from mobile_export.publish import alone, publish, staging
from mobile_export.samples import Samples, save_samples
from mobile_export.search.bench import Job
from mobile_export.search.find import Found, find
from mobile_export.search.journal import open_journal
from mobile_export.target import AUTO, Artifact, Target

_WORTH_TELLING = 0.5
"""Seconds of waiting."""


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


@dataclass(frozen=True)
class Outcome:
    """How the build of one target ended: `manifest` describes what was published, or what would have been."""

    target: str
    status: Literal["published", "current", "failed"]
    folder: Path | None = None
    manifest: Manifest | None = None
    error: ExportError | None = None
    planned: Plan | None = None


@dataclass(frozen=True)
class Ground:
    """What all files of a target are built on: the work folder, and what was found on the way."""

    folder: Path
    ready: Prepared
    findings: tuple[Finding, ...]


def build(paths: Sequence[Path], options: Options) -> list[Outcome]:
    """Build every target; one that fails does not stop the others.

    Raises:
        TargetError: a target file is wrong; says everything that is wrong in all of them. Or the executor's address is.
    """
    if options.executor is not None:
        scheduler(options.executor)  # before work of minutes
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
        grounds: dict[str, Ground] = {}
        for path, target in load_targets(paths, options.artifact):
            try:
                planned = plan(path, target)
                with _alone(target, options):
                    outcomes.append(_build(planned, options, Path(work), grounds))
            except ExportError as error:
                outcomes.append(Outcome(target.name, "failed", error=error))
    return outcomes


@contextlib.contextmanager
def _alone(target: Target, options: Options) -> Iterator[None]:
    """The only build of this target into this folder; who waits for another is told."""
    begun, waited = time.monotonic(), f"{target.name}: wait for another build of it"

    def waiting() -> None:
        if options.watcher is not None:
            options.watcher.busy([waited])

    with alone(options.out, target.name, waiting):
        if options.watcher is not None and time.monotonic() - begun > _WORTH_TELLING:
            options.watcher.done(waited, time.monotonic() - begun)
        yield


def _build(planned: Plan, options: Options, work: Path, grounds: dict[str, Ground]) -> Outcome:
    target, folder = planned.target, options.out / planned.target.name
    asked = [a for a in target.artifacts if options.artifact in (None, a.name)]
    published = published_in(folder)
    old = kept(planned, published, folder, () if options.cache else [a.name for a in asked])
    wanted = [a for a in asked if a.name not in old]
    _refuse_foreign(folder)
    with staging(options.out, target.name) as stage:
        cached = _restored(planned, wanted, stage, options)
        made = _made(planned, [a for a in wanted if a.name not in cached], stage, options, work, grounds)
        found = old | cached | made
        done = [found[artifact.name] for artifact in target.artifacts if artifact.name in found]
        listed = _required_operators(published, folder, [one.entry for one in done], old, stage, options)
        golden = {name: array for one in done for name, array in one.golden.items()}
        manifest, beside = _described(planned, done, golden, listed)
        if manifest == published and not wanted and is_whole(folder, published):
            return Outcome(target.name, "current", folder, manifest, planned=planned)
        failed = [one.entry.name for one in done if one.missed]
        if failed and options.gate == "closed":
            return Outcome(target.name, "failed", None, manifest, _refusal(failed))
        for one in old.values():
            _copy(folder / one.entry.file, stage / one.entry.file)
        _write(stage, beside)
        manifest.save(stage)
        save_header(manifest, stage)
        publish(stage, options.out, target.name)
        return Outcome(target.name, "published", folder, manifest, planned=planned)


def _described(
    planned: Plan, done: Sequence[Finished], golden: Samples, listed: bytes | None
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of what is done, and the files beside it."""
    recorded = io.BytesIO()
    save_samples(recorded, dict(sorted(golden.items())))
    described = describe(planned, [one.entry for one in done], done[0].preparation, recorded.getvalue(), listed)
    generated = generate(described, golden)
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in generated.items()}
    beside = generated | {GOLDEN: recorded.getvalue()} | ({} if listed is None else {REQUIRED_OPERATORS: listed})
    return described.model_copy(update={"generated": digests}), beside


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _refusal(failed: Sequence[str]) -> CheckFailed:
    return CheckFailed(f"{', '.join(failed)} missed a limit; nothing was published, and what was there stays")


def _refuse_foreign(final: Path) -> None:
    """What stands in a target's place goes when the target is published, so it must be ours, or empty."""
    if final.is_dir() and any(final.iterdir()) and not (final / FILE_NAME).is_file():
        raise OutputError(
            f"{final}: was not published by this tool and is not replaced; choose another folder with --out"
        )


def _restored(planned: Plan, wanted: Sequence[Artifact], stage: Path, options: Options) -> dict[str, Finished]:
    """Artifacts that are in the cache, where it may be used."""
    store = _store(planned, options)
    if store is None:
        return {}
    begun = time.monotonic()
    found = restored(planned, wanted, stage, store)
    if found and options.watcher is not None:
        options.watcher.done(f"{planned.target.name}: {', '.join(found)} from the cache", time.monotonic() - begun)
    return found


def _made(
    planned: Plan,
    wanted: Sequence[Artifact],
    stage: Path,
    options: Options,
    work: Path,
    grounds: dict[str, Ground],
) -> dict[str, Finished]:
    """Artifacts that are built now, in the stage; the cache gets each that misses no limit, whatever others do."""
    if not wanted:
        return {}
    ground = _prepare(planned, options, work, grounds)
    preparation = describe_preparation(ground.ready, ground.findings)
    made = _make(planned, wanted, ground, stage, options)
    found = {
        a.name: Finished(describe_artifact(planned, a, stage, made[a.name]), made[a.name].measured.golden, preparation)
        for a in wanted
    }
    store = _store(planned, options)
    if store is not None:
        for one in found.values():
            store.add(one, stage / one.entry.file)
    return found


def _store(planned: Plan, options: Options) -> ArtifactCache | None:
    """The cache, where it may be used; what samples code makes is in no key."""
    return options.store if options.cache and not planned.generates else None


def _prepare(planned: Plan, options: Options, work: Path, grounds: dict[str, Ground]) -> Ground:
    """The ground on which files are built; targets that agree on model, data and transforms share it."""
    target = planned.target
    key = repr((planned.source, planned.data, target.model, target.data, target.transforms))
    if key not in grounds:
        folder = Path(tempfile.mkdtemp(dir=work))
        preparing = workers.Task(f"{target.name}: prepare the graph", prepare, (target, folder), target.model.source)
        (ready,) = _run([preparing], options)
        if plan(planned.path, target).keys != planned.keys:
            raise ModelError("the model or the data changed while they were read; build again")
        referring = workers.Task(f"{target.name}: run the reference, check the data", refer, (target, folder))
        (findings,) = _run([referring], options)
        grounds[key] = Ground(folder, ready, tuple(findings))
    return grounds[key]


def _make(planned: Plan, wanted: Sequence[Artifact], ground: Ground, stage: Path, options: Options) -> dict[str, Made]:
    """Search, write, time and check every wanted file."""
    target = planned.target
    files = {a.name: stage / file_of(target, a) for a in wanted}
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
    found = _search(planned, [a for a in wanted if a.precision == AUTO], ground, files, options)
    given = [a for a in wanted if a.precision != AUTO]
    tasks = []
    for name, kernels in dict.fromkeys((a.format, a.kernels) for a in given):
        same = [a for a in given if (a.format, a.kernels) == (name, kernels)]
        requests = [request_for(a, files[a.name], planned.about) for a in same]
        tasks.append(workers.Task(f"{target.name}: write {name}", write, (name, ground.folder, requests, kernels)))
    engines = {name: one.engine for name, one in found.items()}
    for written in _run(tasks, options):
        engines |= written
    latency = {name: one.latency_ratio for name, one in found.items()}  # a second time would give another, by noise
    limited = [a for a in wanted if a.limits.latency_ratio is not None]
    latency |= _latency(target, [a for a in limited if latency.get(a.name) is None], files, ground, options)
    checks = [
        workers.Task(
            f"{target.name}: check {a.name}",
            measure,
            (target, a, files[a.name], ground.ready.frozen_size, ground.folder, latency.get(a.name)),
        )
        for a in (_settled(a, found.get(a.name)) for a in wanted)
    ]
    measured = dict(zip(files, _run(checks, options), strict=True))
    return {name: Made(measured[name], engines.get(name, ""), found.get(name)) for name in files}


def _settled(artifact: Artifact, found: Found | None) -> Artifact:
    """The artifact, of the precision that was found for it."""
    return artifact.model_copy(update={"precision": found.scheme.precision}) if found else artifact


def _search(
    planned: Plan, wanted: Sequence[Artifact], ground: Ground, files: Mapping[str, Path], options: Options
) -> dict[str, Found]:
    """The files whose precision is searched for; one search after the other, each with all workers."""
    if not wanted:
        return {}
    found = {}
    journals = cache_folder("searches") if options.cache and not planned.generates else ground.folder
    tools = sorted({tool for artifact in wanted for tool in FORMATS[artifact.format].tools})
    with open_crew(options.executor, options.jobs, tools) as crew:
        for artifact in wanted:
            found[artifact.name] = find(
                ground.folder,
                Job(planned.target, artifact, ground.ready.frozen_size, planned.about),
                files[artifact.name],
                crew=crew,
                journal=open_journal(journals, planned.search_keys[artifact.name]),
                watcher=options.watcher,
            )
    return found


def _latency(
    target: Target, wanted: Sequence[Artifact], files: Mapping[str, Path], ground: Ground, options: Options
) -> dict[str, float]:
    """Of every wanted file; timed one after the other, with nothing else at work."""
    tasks = [
        workers.Task(f"{target.name}: time {a.name}", measure_latency, (target, a, files[a.name], ground.folder))
        for a in wanted
    ]
    return {a.name: ratio for a, ratio in zip(wanted, workers.run(tasks, 1, options.watcher), strict=True)}


def _run(tasks: Sequence[workers.Task], options: Options) -> list[Any]:
    return workers.run(tasks, options.jobs, options.watcher)


def _required_operators(
    published: Manifest | None,
    folder: Path,
    entries: Sequence[ArtifactEntry],
    old: Container[str],
    stage: Path,
    options: Options,
) -> bytes | None:
    """What all .ort files need of ONNX Runtime; None where there are none."""
    suffix = FORMATS["ort"].suffix
    listed = [entry for entry in entries if entry.file.endswith(suffix)]
    if not listed:
        return None
    known = folder / REQUIRED_OPERATORS
    before = [entry for entry in published.artifacts if entry.file.endswith(suffix)] if published else []
    if listed == before and published and known.is_file() and sha256_of(known) == published.required_operators:
        return known.read_bytes()
    files = [(folder if entry.name in old else stage) / entry.file for entry in listed]
    (text,) = _run([workers.Task("list the operators of .ort files", required_operators, (files,))], options)
    return str(text).encode()


def _copy(old: Path, new: Path) -> None:
    for file in files_of(old):
        copy = new / file.relative_to(old)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
