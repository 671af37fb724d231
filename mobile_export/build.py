"""A build: target file in, checked files out, or nothing.

plan       read and check the target, hash what could change an output
make       prepare, then write every format beside the reference answers, then measure every file
publish    all or nothing, with a manifest of what lies there
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mobile_export import workers
from mobile_export.apps import generate
from mobile_export.artifact_files import artifact_hash, files_of, sha256_of
from mobile_export.cache import cache_folder
from mobile_export.data_checks import Finding
from mobile_export.describe import Made, describe, describe_app
from mobile_export.errors import CheckFailed, ExportError, ModelError, OutputError
from mobile_export.executors import open_crew, scheduler
from mobile_export.formats import FORMATS
from mobile_export.formats.ort import required_operators
from mobile_export.kernels.published import has_header, save_header
from mobile_export.manifest import FILE_NAME, GOLDEN, REQUIRED_OPERATORS, ArtifactEntry, Manifest, load_manifest
from mobile_export.pipeline import Measured, Prepared, measure, measure_latency, prepare, refer, write
from mobile_export.plan import Plan, file_of, load_targets, plan, request_for
from mobile_export.publish import publish, staging
from mobile_export.samples import Samples, load_samples, save_samples
from mobile_export.search.bench import Job
from mobile_export.search.find import Found, find
from mobile_export.search.journal import open_journal
from mobile_export.target import AUTO, Artifact, Target


@dataclass(frozen=True)
class Options:
    """How to build, whatever the target.

    Attributes:
        out: where published folders go.
        artifact: build this one alone; the others stay where their keys are current.
        jobs: workers at once.
        cache: whether published files with current keys are kept as they are.
        gate: `warn` publishes what missed a limit, marked as such.
        executor: where files of a search are tried, such as `dask://10.0.0.7:8786`; default: workers here.
        watcher: is told how far the build is.
    """

    out: Path
    artifact: str | None = None
    jobs: int = field(default_factory=workers.default_jobs)
    cache: bool = True
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
                outcomes.append(_build(plan(path, target), options, Path(work), grounds))
            except ExportError as error:
                outcomes.append(Outcome(target.name, "failed", error=error))
    return outcomes


def _build(planned: Plan, options: Options, work: Path, grounds: dict[str, Ground]) -> Outcome:
    target = planned.target
    published = _published(options.out / target.name)
    current = _current(planned, published, options)
    wanted = [a for a in target.artifacts if a.name not in current and options.artifact in (None, a.name)]
    if not wanted and published is not None and {a.name for a in published.artifacts} == set(current):
        return _generate_again(target, published, options.out)
    _refuse_foreign(options.out / target.name)
    with staging(options.out, target.name) as stage:
        ground = _prepare(planned, options, work, grounds)
        made = _make(planned, wanted, ground, stage, options)
        kept = [entry for entry in published.artifacts if entry.name in current] if published else []
        golden = _golden([one.measured for one in made.values()], kept, options.out / target.name)
        save_samples(stage / GOLDEN, golden)
        _save_required_operators([stage / file_of(target, a) for a in wanted], kept, options, target.name, stage)
        manifest = _with_generated(
            describe(planned, ground.ready, ground.findings, stage, wanted, made, kept, options.gate), golden, stage
        )
        failed = [name for name, one in made.items() if not one.measured.passed]
        if failed and options.gate == "closed":
            return Outcome(target.name, "failed", None, manifest, _refusal(failed))
        for entry in kept:
            _copy(options.out / target.name / entry.file, stage / entry.file)
        manifest.save(stage)
        save_header(manifest, stage)
        return Outcome(target.name, "published", publish(stage, options.out, target.name), manifest)


def _generate_again(target: Target, published: Manifest, out: Path) -> Outcome:
    """What is left to do where every file is current: the app's code may be wanted otherwise."""
    folder = out / target.name
    golden = load_samples(folder / GOLDEN)
    wanted = published.model_copy(update={"app": describe_app(target)})
    with staging(out, target.name) as stage:
        manifest = _with_generated(wanted, golden, stage)
        if manifest == published:
            return Outcome(target.name, "current", folder, published)
        for path in (*(entry.file for entry in published.artifacts), *set(published.beside) - set(published.generated)):
            _copy(folder / path, stage / path)
        manifest.save(stage)
        save_header(manifest, stage)
        return Outcome(target.name, "published", publish(stage, out, target.name), manifest)


def _with_generated(manifest: Manifest, golden: Samples, stage: Path) -> Manifest:
    """The manifest with all that is generated from it, which is written to the stage."""
    files = generate(manifest, golden)
    for path, content in files.items():
        (stage / path).parent.mkdir(parents=True, exist_ok=True)
        (stage / path).write_bytes(content)
    return manifest.model_copy(update={"generated": {path: sha256_of(stage / path) for path in files}})


def _refusal(failed: Sequence[str]) -> CheckFailed:
    return CheckFailed(f"{', '.join(failed)} missed a limit; nothing was published, and what was there stays")


def _refuse_foreign(final: Path) -> None:
    """What stands in a target's place goes when the target is published, so it must be ours, or empty."""
    if final.is_dir() and any(final.iterdir()) and not (final / FILE_NAME).is_file():
        raise OutputError(
            f"{final}: was not published by this tool and is not replaced; choose another folder with --out"
        )


def _published(folder: Path) -> Manifest | None:
    """What lies in `folder`; None when nothing does, or nothing that can be understood and so kept."""
    try:
        return load_manifest(folder)
    except ModelError:
        return None


def _current(planned: Plan, published: Manifest | None, options: Options) -> set[str]:
    """Published artifacts whose keys and bytes are those of this build; none where keys do not know the data."""
    folder = options.out / planned.target.name
    if planned.generates or published is None:
        return set()
    if published.gate == "warn" or published.platform != planned.target.platform:
        return set()
    beside = published.beside.items()
    if not all((folder / name).is_file() and sha256_of(folder / name) == digest for name, digest in beside):
        return set()
    if not has_header(published, folder):
        return set()
    rebuilt = {options.artifact} if options.artifact else set(planned.keys)
    return {
        entry.name
        for entry in published.artifacts
        if planned.keys.get(entry.name) == entry.key
        and (options.cache or entry.name not in rebuilt)
        and (folder / entry.file).exists()
        and artifact_hash(folder / entry.file) == entry.sha256
    }


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


def _golden(measured: Sequence[Measured], kept: Sequence[ArtifactEntry], folder: Path) -> Samples:
    """Recorded inputs and answers; those of kept artifacts come from what was published."""
    golden: Samples = {}
    if kept:
        prefixes = ("inputs/", "raw/", *(f"answers/{entry.name}/" for entry in kept))
        recorded = load_samples(folder / GOLDEN)
        golden |= {name: array for name, array in recorded.items() if name.startswith(prefixes)}
    for found in measured:
        golden |= found.golden
    return dict(sorted(golden.items()))


def _save_required_operators(
    files: Sequence[Path], kept: Sequence[ArtifactEntry], options: Options, target: str, stage: Path
) -> None:
    """Write down what all .ort files of the target need of ONNX Runtime; nothing where there are none."""
    all_files = [*files, *(options.out / target / entry.file for entry in kept)]
    listed = [file for file in all_files if file.suffix == FORMATS["ort"].suffix]
    if listed:
        listing = workers.Task(f"{target}: list the operators of .ort files", required_operators, (listed,))
        (text,) = _run([listing], options)
        (stage / REQUIRED_OPERATORS).write_text(text, encoding="utf-8", newline="\n")


def _copy(old: Path, new: Path) -> None:
    for file in files_of(old):
        copy = new / file.relative_to(old)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
