"""A build: target file in, checked files out, or nothing.

plan       read and check the target, hash what could change an output
make       what is neither published nor in the cache with a current key (`making`)
publish    all or nothing, with a manifest of what lies there
"""

import contextlib
import hashlib
import io
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mobile_export.apps import generate
from mobile_export.building.describe import describe
from mobile_export.building.making import Maker, Options
from mobile_export.building.reuse import is_whole, kept, published_in, restored
from mobile_export.caching.artifacts import Finished
from mobile_export.errors import CheckFailed, ExportError, OutputError
from mobile_export.executors import scheduler
from mobile_export.formats import FORMATS
from mobile_export.kernels.published import save_header
from mobile_export.mutex import alone
from mobile_export.planning.plan import Plan, load_targets, plan
from mobile_export.published.artifact_files import files_of, sha256_of
from mobile_export.published.manifest import FILE_NAME, GOLDEN, REQUIRED_OPERATORS, Manifest
from mobile_export.published.publish import publish, staging
from mobile_export.samples import Samples, save_samples
from mobile_export.target import Artifact, Target

_WORTH_TELLING = 0.5
"""Seconds of waiting."""


@dataclass(frozen=True)
class Outcome:
    """How the build of one target ended: `manifest` describes what was published, or what would have been."""

    target: str
    status: Literal["published", "current", "failed"]
    folder: Path | None = None
    manifest: Manifest | None = None
    error: ExportError | None = None
    planned: Plan | None = None


def build(paths: Sequence[Path], options: Options) -> list[Outcome]:
    """Build every target; one that fails does not stop the others.

    Raises:
        TargetError: a target file is wrong; says everything that is wrong in all of them. Or the executor's address is.
    """
    if options.executor is not None:
        scheduler(options.executor)  # before work of minutes
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
        maker = Maker(options, Path(work))
        for path, target in load_targets(paths, options.artifact, options.overrides):
            try:
                planned = plan(path, target)
                with _alone(target, options):
                    outcomes.append(_build(planned, options, maker))
            except ExportError as error:
                outcomes.append(Outcome(target.name, "failed", error=error))
    return outcomes


@contextlib.contextmanager
def _alone(target: Target, options: Options) -> Iterator[None]:
    """The only build of this target into this folder; who waits for another is told."""
    told, watcher = f"{target.name}: wait for another build of it", options.watcher

    def waiting() -> None:
        if watcher is not None:
            watcher.busy([told])

    with alone(options.out, target.name, waiting) as waited:
        if watcher is not None and waited > _WORTH_TELLING:
            watcher.done(told, waited)
        yield


def _build(planned: Plan, options: Options, maker: Maker) -> Outcome:
    target, folder = planned.target, options.out / planned.target.name
    asked = [a for a in target.artifacts if options.artifact in (None, a.name)]
    published = published_in(folder)
    old = kept(planned, published, folder, () if options.cache else [a.name for a in asked])
    wanted = [a for a in asked if a.name not in old]
    _refuse_foreign(folder)
    with staging(options.out, target.name) as stage:
        cached = _restored(planned, wanted, stage, options)
        made = maker.make(planned, [a for a in wanted if a.name not in cached], stage)
        found = old | cached | made
        done = [found[artifact.name] for artifact in target.artifacts if artifact.name in found]
        manifest, beside = _described(planned, done, _required_operators(published, folder, done, old, stage, maker))
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


def _described(planned: Plan, done: Sequence[Finished], listed: bytes | None) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of what is done, and the files beside it."""
    golden: Samples = {name: array for one in done for name, array in one.golden.items()}
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
    store = options.store_for(planned)
    if store is None:
        return {}
    begun = time.monotonic()
    found = restored(planned, wanted, stage, store)
    if found and options.watcher is not None:
        options.watcher.done(f"{planned.target.name}: {', '.join(found)} from the cache", time.monotonic() - begun)
    return found


def _required_operators(
    published: Manifest | None, folder: Path, done: Sequence[Finished], old: Collection[str], stage: Path, maker: Maker
) -> bytes | None:
    """What all .ort files need of ONNX Runtime; None where there are none."""
    suffix = FORMATS["ort"].suffix
    listed = [one.entry for one in done if one.entry.file.endswith(suffix)]
    if not listed:
        return None
    known = folder / REQUIRED_OPERATORS
    before = [entry for entry in published.artifacts if entry.file.endswith(suffix)] if published else []
    if listed == before and published and known.is_file() and sha256_of(known) == published.required_operators:
        return known.read_bytes()
    return maker.required_operators([(folder if entry.name in old else stage) / entry.file for entry in listed])


def _copy(old: Path, new: Path) -> None:
    for file in files_of(old):
        copy = new / file.relative_to(old)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
