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
from mobile_export.artifact_files import artifact_hash, files_of, sha256_of
from mobile_export.describe import describe
from mobile_export.errors import CheckFailed, ExportError, ModelError, OutputError
from mobile_export.kernels.published import has_header, save_header
from mobile_export.manifest import FILE_NAME, GOLDEN, ArtifactEntry, Manifest, load_manifest
from mobile_export.pipeline import Measured, Prepared, measure, prepare, refer, write
from mobile_export.plan import Plan, file_of, load_targets, plan, request_for
from mobile_export.publish import publish, staging
from mobile_export.samples import Samples, load_samples, save_samples
from mobile_export.target import Artifact, Target


@dataclass(frozen=True)
class Options:
    """How to build, whatever the target.

    Attributes:
        out: where published folders go.
        artifact: build this one alone; the others stay where their keys are current.
        jobs: workers at once.
        cache: whether published files with current keys are kept as they are.
        gate: `warn` publishes what missed a limit, marked as such.
        watcher: is told how far the build is.
    """

    out: Path
    artifact: str | None = None
    jobs: int = field(default_factory=workers.default_jobs)
    cache: bool = True
    gate: Literal["closed", "warn"] = "closed"
    watcher: workers.Watcher | None = None


@dataclass(frozen=True)
class Outcome:
    """How the build of one target ended: `manifest` describes what was published, or what would have been."""

    target: str
    status: Literal["published", "current", "failed"]
    folder: Path | None = None
    manifest: Manifest | None = None
    error: ExportError | None = None


def build(paths: Sequence[Path], options: Options) -> list[Outcome]:
    """Build every target; one that fails does not stop the others.

    Raises:
        TargetError: a target file is wrong; says everything that is wrong in all of them.
    """
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
        prepared: dict[str, tuple[Path, Prepared]] = {}
        for path, target in load_targets(paths, options.artifact):
            try:
                outcomes.append(_build(plan(path, target), options, Path(work), prepared))
            except ExportError as error:
                outcomes.append(Outcome(target.name, "failed", error=error))
    return outcomes


def _build(planned: Plan, options: Options, work: Path, prepared: dict[str, tuple[Path, Prepared]]) -> Outcome:
    target = planned.target
    published = _published(options.out / target.name)
    current = _current(planned, published, options)
    wanted = [a for a in target.artifacts if a.name not in current and options.artifact in (None, a.name)]
    if not wanted and published is not None and {a.name for a in published.artifacts} == set(current):
        return Outcome(target.name, "current", options.out / target.name, published)
    _refuse_foreign(options.out / target.name)
    with staging(options.out, target.name) as stage:
        folder, ready = _prepare(planned, options, work, prepared)
        measured = _make(target, wanted, folder, ready, stage, options)
        kept = [entry for entry in published.artifacts if entry.name in current] if published else []
        golden = _golden(measured, kept, options.out / target.name)
        save_samples(stage / GOLDEN, golden)
        manifest = describe(planned, ready, stage, wanted, measured, kept, options.gate)
        failed = [name for name, found in measured.items() if not found.passed]
        if failed and options.gate == "closed":
            return Outcome(target.name, "failed", None, manifest, _refusal(failed))
        for entry in kept:
            _copy(options.out / target.name / entry.file, stage / entry.file)
        manifest.save(stage)
        save_header(manifest, stage)
        return Outcome(target.name, "published", publish(stage, options.out, target.name), manifest)


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
    """Published artifacts whose keys and bytes are those of this build."""
    folder = options.out / planned.target.name
    if published is None or published.gate == "warn" or published.platform != planned.target.platform:
        return set()
    if not (folder / GOLDEN).is_file() or sha256_of(folder / GOLDEN) != published.golden:
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


def _prepare(
    planned: Plan, options: Options, work: Path, prepared: dict[str, tuple[Path, Prepared]]
) -> tuple[Path, Prepared]:
    """The optimized graph and its samples; targets that agree on model, data and transforms share them."""
    target = planned.target
    key = repr((planned.source, planned.data, target.model, target.data, target.transforms))
    if key not in prepared:
        folder = Path(tempfile.mkdtemp(dir=work))
        preparing = workers.Task(f"{target.name}: prepare the graph", prepare, (target, folder), target.model.source)
        (ready,) = _run([preparing], options)
        if plan(planned.path, target).keys != planned.keys:
            raise ModelError("the model or the data changed while they were read; build again")
        prepared[key] = folder, ready
    return prepared[key]


def _make(
    target: Target, wanted: Sequence[Artifact], folder: Path, ready: Prepared, stage: Path, options: Options
) -> dict[str, Measured]:
    files = {a.name: stage / file_of(target, a) for a in wanted}
    tasks = []
    for name, kernels in dict.fromkeys((a.format, a.kernels) for a in wanted):
        same = [a for a in wanted if (a.format, a.kernels) == (name, kernels)]
        requests = [request_for(a, files[a.name], target.model.labels) for a in same]
        tasks.append(workers.Task(f"{target.name}: write {name}", write, (name, folder, requests, kernels)))
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
    if not (folder / "parity_answers.npz").exists():
        tasks.append(workers.Task(f"{target.name}: run the reference", refer, (target, folder)))
    _run(tasks, options)
    checks = [
        workers.Task(f"{target.name}: check {a.name}", measure, (target, a, files[a.name], ready.frozen_size, folder))
        for a in wanted
    ]
    return dict(zip(files, _run(checks, options), strict=True))


def _run(tasks: Sequence[workers.Task], options: Options) -> list[Any]:
    return workers.run(tasks, options.jobs, options.watcher)


def _golden(measured: Mapping[str, Measured], kept: Sequence[ArtifactEntry], folder: Path) -> Samples:
    """Recorded inputs and answers; those of kept artifacts come from what was published."""
    golden: Samples = {}
    if kept:
        prefixes = ("inputs/", *(f"answers/{entry.name}/" for entry in kept))
        recorded = load_samples(folder / GOLDEN)
        golden |= {name: array for name, array in recorded.items() if name.startswith(prefixes)}
    for found in measured.values():
        golden |= found.golden
    return dict(sorted(golden.items()))


def _copy(old: Path, new: Path) -> None:
    for file in files_of(old):
        copy = new / file.relative_to(old)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
