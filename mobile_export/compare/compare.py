"""One target's candidates, made, judged and timed side by side.

plan        the target, with all candidates for its artifacts
make        those that are not in the cache; what a converter refuses stops no other
look        operators and delegates, layers, the graph
time        with nothing else at work
"""

import io
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mobile_export import workers
from mobile_export.building.describe import describe, describe_preparation
from mobile_export.building.making import Ground, Maker
from mobile_export.building.making import Options as BuildOptions
from mobile_export.building.reuse import restored
from mobile_export.caching.artifacts import ArtifactCache, Finished
from mobile_export.compare.baseline import changes_since
from mobile_export.compare.candidates import Option, candidates_of
from mobile_export.compare.computer import this_computer
from mobile_export.compare.pareto import mark_pareto
from mobile_export.compare.profiler import Observations, Profiler
from mobile_export.compare.result import Candidate, Comparison
from mobile_export.errors import ConversionError, ExportError, TargetError
from mobile_export.planning.devices import NO_OVERRIDES, Overrides
from mobile_export.planning.plan import Plan, load_targets, plan, request_for
from mobile_export.published.manifest import Manifest
from mobile_export.samples import Samples, save_samples
from mobile_export.target import Target


@dataclass(frozen=True)
class Options:
    """How to compare, whatever the target.

    Attributes:
        candidates: those that are wanted alone, as `candidates_of` takes them; empty for all.
        timing: whether latency, load time and memory are measured.
        jobs: workers at once, but while something is timed.
        store: built artifacts of earlier builds and comparisons; those of this one go there, too.
        executor: where files of a search are tried, as in a build.
        baselines: the manifest of the last release by target, and what it is called.
        watcher: is told how far the work is.
        overrides: what the command line says instead of the target files.
    """

    candidates: tuple[str, ...] = ()
    timing: bool = True
    jobs: int = 1
    store: ArtifactCache | None = None
    executor: str | None = None
    baselines: Mapping[str, tuple[str, Manifest]] = field(default_factory=dict)
    watcher: workers.Watcher | None = None
    overrides: Overrides = NO_OVERRIDES


@dataclass(frozen=True)
class Outcome:
    """How the comparison of one target ended: with what it found, or with the error that stopped it."""

    target: Target
    path: Path
    comparison: Comparison | None = None
    error: ExportError | None = None


def compare(paths: Sequence[Path], options: Options) -> list[Outcome]:
    """Compare the candidates of every target; one that fails does not stop the others.

    Raises:
        TargetError: a target file is wrong; says everything that is wrong in all of them. Or a baseline is of none.
    """
    targets = load_targets(paths, overrides=options.overrides)
    unknown = sorted(options.baselines.keys() - {target.name for _, target in targets})
    if unknown:
        named, _ = options.baselines[unknown[0]]
        raise TargetError(f"--baseline {named}: is of target {unknown[0]!r}, which is not compared; name that, too")
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mobile-export-") as work:
        building = BuildOptions(
            Path(work), jobs=options.jobs, store=options.store, executor=options.executor, watcher=options.watcher
        )
        maker = Maker(building, Path(work))
        for path, target in targets:
            try:
                with tempfile.TemporaryDirectory(dir=work) as stage:
                    outcomes.append(Outcome(target, path, _compare(path, target, options, maker, Path(stage))))
            except ExportError as error:
                outcomes.append(Outcome(target, path, error=error))
    return outcomes


def _compare(path: Path, target: Target, asked: Options, maker: Maker, stage: Path) -> Comparison:
    wanted = candidates_of(target, asked.candidates)
    possible = tuple(option.artifact for option in wanted if not option.impossible)
    planned = plan(path, target.model_copy(update={"artifacts": possible}))
    made = _made(planned, maker, stage)
    ground = maker.ground(planned)
    done = [one for one in made.values() if isinstance(one, Finished)]
    profiler = Profiler(planned.target, ground, stage, asked.jobs, asked.watcher)
    seen = profiler.observe([one.entry for one in done], asked.timing)
    candidates = [_candidate(option, made.get(option.artifact.name), seen) for option in wanted]
    named, baseline = asked.baselines.get(target.name, ("", None))
    return Comparison(
        target=target.name,
        platform=target.platform,
        metric=seen.reference.metric,
        samples=seen.reference.samples,
        reference=seen.reference.score,
        manifest=_manifest(planned, ground, done),
        candidates=mark_pareto(candidates),
        graphs=seen.graphs,
        computer=this_computer(candidate.format for candidate in candidates),
        baseline=named,
        changes=() if baseline is None else changes_since(baseline, target, candidates),
    )


def _candidate(option: Option, made: Finished | ConversionError | None, seen: Observations) -> Candidate:
    artifact = option.artifact
    return Candidate(
        name=artifact.name,
        format=artifact.format,
        precision=artifact.precision,
        interface=request_for(artifact, Path()).interface,
        in_target=option.in_target,
        entry=made.entry if isinstance(made, Finished) else None,
        refused=str(made) if isinstance(made, ConversionError) else option.impossible,
        timings=seen.timings.get(artifact.name, ()),
        unseen=seen.unseen.get(artifact.name, ()),
        footprint=seen.footprints.get(artifact.name),
        surveys=seen.surveys.get(artifact.name, ()),
        layers=seen.layers.get(artifact.name, ()),
    )


def _made(planned: Plan, maker: Maker, stage: Path) -> dict[str, Finished | ConversionError]:
    """Every candidate by name, taken from the cache or made now; or why a converter refuses it."""
    artifacts, store, watcher = planned.target.artifacts, maker.options.store_for(planned), maker.options.watcher
    begun = time.monotonic()
    cached = {} if store is None else restored(planned, artifacts, stage, store)
    if cached and watcher is not None:
        watcher.done(f"{planned.target.name}: {', '.join(cached)} from the cache", time.monotonic() - begun)
    made = maker.attempt(planned, [a for a in artifacts if a.name not in cached], stage)
    return {artifact.name: (cached | made)[artifact.name] for artifact in artifacts}


def _manifest(planned: Plan, ground: Ground, done: Sequence[Finished]) -> Manifest:
    """As a build would describe these files, without what it generates of them."""
    golden: Samples = {name: array for one in done for name, array in one.golden.items()}
    recorded = io.BytesIO()
    save_samples(recorded, dict(sorted(golden.items())))
    preparation = describe_preparation(ground.ready, ground.findings or ())
    return describe(planned, [one.entry for one in done], preparation, recorded.getvalue(), None)
