"""Targets in, published files out; and published files looked at again."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from mobile_export.caching.places import cache_root
from mobile_export.caching.pruning import prune, size_limit
from mobile_export.cli.app import Format, Jobs, Out, Progress, Targets, complain, console, need, print_json, warn
from mobile_export.cli.locking import OnlyKinds, OnlyTargets, verify_locked
from mobile_export.errors import CheckFailed, TargetError
from mobile_export.locking.lock import FETCHED

if TYPE_CHECKING:
    from mobile_export.build import Outcome
    from mobile_export.caching.artifacts import ArtifactCache
    from mobile_export.manifest import Manifest


def build(
    targets: Targets,
    out: Out = Path("out"),
    artifact: Annotated[str | None, typer.Option(help="Build this artifact alone.")] = None,
    jobs: Jobs = 0,
    cache: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER_OR_URL", help="Where built files are kept and looked for; default: your own cache."
        ),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build even what is current.")] = False,
    gate: Annotated[
        Literal["closed", "warn"], typer.Option(help="warn: publish what missed a limit, marked.")
    ] = "closed",
    executor: Annotated[
        str | None, typer.Option(help="Where searches try files: dask://HOST:PORT. Default: workers here.")
    ] = None,
    depfile: Annotated[
        Path | None, typer.Option(help="Write there, as Make has it, which files the published ones depend on.")
    ] = None,
    print_inputs: Annotated[
        bool, typer.Option("--print-inputs", help="Print every file that is read, and build nothing.")
    ] = False,
    print_outputs: Annotated[
        bool, typer.Option("--print-outputs", help="Print every file that is published, and build nothing.")
    ] = False,
    output: Format = "text",
) -> None:
    """Build, check and publish every artifact of the targets."""
    if print_inputs or print_outputs:
        _print_files(targets, out, print_inputs, print_outputs)
        return
    store = _store(cache)
    with Progress() as progress:
        from mobile_export.build import Options, build
        from mobile_export.workers import default_jobs

        options = Options(out, artifact, jobs or default_jobs(), not no_cache, store, gate, executor, progress)
        outcomes = build(targets, options)
    if store.trouble is not None:
        warn(f"the cache cannot be used: {store.trouble}")
    if store.added and cache is None:
        prune(Path(cache_root()), size_limit())
    if depfile is not None and not any(outcome.error for outcome in outcomes):
        _write_depfile(depfile, targets, out)
    if output == "text" and not no_cache and store.trouble is None:
        _remember(outcomes, depfile)
    _report(outcomes, output)


def _store(address: str | None) -> "ArtifactCache":
    """Where built files are kept: the user's own cache, or what `--cache` names."""
    from mobile_export.caching.artifacts import ArtifactCache
    from mobile_export.caching.stores import open_store

    size_limit()  # a wrong one is said before work of minutes
    return ArtifactCache(open_store(cache_root() if address is None else address))


def _print_files(targets: Sequence[Path], out: Path, inputs: bool, outputs: bool) -> None:
    from mobile_export.incremental.depfile import shown
    from mobile_export.incremental.outputs import outputs_of
    from mobile_export.incremental.reads import reads_of
    from mobile_export.plan import load_targets

    loaded = load_targets(targets)
    read = [file for path, target in loaded for file in reads_of(path, target).files] if inputs else []
    published = [file for _, target in loaded for file in outputs_of(target, out.absolute())] if outputs else []
    for path in shown([*read, *published]):
        print(path)


def _write_depfile(path: Path, targets: Sequence[Path], out: Path) -> None:
    from mobile_export.atomic import replacing
    from mobile_export.incremental.depfile import depfile, shown
    from mobile_export.incremental.reads import reads_of
    from mobile_export.plan import load_targets

    loaded = load_targets(targets)
    read = [file for path, target in loaded for file in reads_of(path, target).files]
    folders = [(out / target.name).absolute() for _, target in loaded]
    published = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    with replacing(path) as file:
        file.write(depfile(shown(published), shown(read)).encode())


def _remember(outcomes: Sequence["Outcome"], depfile: Path | None) -> None:
    """Let the next run of this command be answered from a record; other commands that build have none."""
    if sys.argv[1:2] == ["build"]:
        from mobile_export.incremental.record import record

        lines = [("out", _current_line(outcome)) for outcome in outcomes]
        warnings = [f"warning: {text}" for each in outcomes if each.manifest for text in _warnings_of(each.manifest)]
        more = [] if depfile is None else [depfile]
        record(sys.argv[1:], outcomes, [*lines, *(("err", warning) for warning in warnings)], more)


def _current_line(outcome: "Outcome") -> str:
    count = len(outcome.manifest.artifacts) if outcome.manifest else 0
    return f"{outcome.target}: current in {outcome.folder} ({count} {'artifact' if count == 1 else 'artifacts'})"


def demo(
    root: Annotated[Path, typer.Option(help="A clone of the project.")] = Path(),
    out: Out = Path("out"),
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Train the example model if needed, then build both example targets from it."""
    from mobile_export.demo import TARGETS, train_if_needed
    from mobile_export.environment import packages

    need(packages())
    train_if_needed(root)
    build([root / target for target in TARGETS], out=out, jobs=jobs, output=output)


def run(
    artifact: Annotated[Path, typer.Argument(help="A file that build wrote.")],
    data: Annotated[Path, typer.Option(help="Inputs: an .npz with one array per public input, samples first.")],
    samples: Annotated[int | None, typer.Option(min=1, help="How many of them; default: all.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write all answers to this .npz.")] = None,
    output: Format = "text",
) -> None:
    """Run a built file on given inputs, in the runtime that the phone uses."""
    from mobile_export.run import run_file

    ran = run_file(artifact, data, samples, save)
    if output == "json":
        print_json({"artifact": artifact.name, "samples": ran.samples, "outputs": ran.summaries()})
        return
    print(f"{artifact.name}: {ran.samples} samples in {ran.runtime}")
    for line in ran.lines():
        print(f"  {line}")


def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help=f"A published folder, or the folder of several; with --lock, what fetch filled ({FETCHED})."
        ),
    ] = None,
    lock: Annotated[
        Path | None, typer.Option(help="Check against this lock file instead: hashes alone, nothing is run.")
    ] = None,
    targets: OnlyTargets = None,
    kinds: OnlyKinds = None,
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Check that published files match their manifest and still give the recorded answers."""
    if lock is not None:
        verify_locked(folder or Path(FETCHED), lock, targets, kinds, output)
        return
    if folder is None or targets or kinds:
        raise TargetError("name a published folder; or --lock FILE, to which --target and --kind belong")
    from mobile_export.integrity import published_folders
    from mobile_export.verify import verify
    from mobile_export.workers import default_jobs

    found = [finding for each in published_folders(folder) for finding in verify(each, jobs or default_jobs())]
    if output == "json":
        print_json([vars(finding) for finding in found])
    else:
        for finding in found:
            print(f"{finding.target}/{finding.artifact}: {finding.problem or finding.unchecked or 'ok'}")
    wrong = [finding for finding in found if finding.problem]
    if wrong:
        raise CheckFailed(
            f"{folder}: {len(wrong)} of {len(found)} files are not as they were published; build them again"
        )


def _report(outcomes: list["Outcome"], output: str) -> NoReturn:
    """Print how every target ended, and exit with the worst code."""
    if output == "json":
        print_json([_as_json(outcome) for outcome in outcomes])
    else:
        _print_tables(outcomes)
    for outcome in outcomes:
        if outcome.error is not None:
            complain(f"{outcome.target}: {outcome.error}")
        elif outcome.manifest is not None:
            for warning in _warnings_of(outcome.manifest):
                warn(warning)
    raise typer.Exit(max((o.error.exit_code for o in outcomes if o.error is not None), default=0))


def _warnings_of(manifest: "Manifest") -> list[str]:
    """What was published, and is not proved to be right."""
    found = ["published although limits were missed (--gate warn)"] if manifest.gate == "warn" else []
    found += manifest.warnings
    for entry in manifest.artifacts:
        found += [f"{entry.name}: {entry.remark}"] if entry.remark else []
        found += [f"{entry.name} is unchecked: {entry.unchecked}"] if entry.unchecked else []
    return [f"{manifest.target}: {warning}" for warning in found]


def _as_json(outcome: "Outcome") -> dict[str, Any]:
    return {
        "target": outcome.target,
        "status": outcome.status,
        "folder": outcome.folder and outcome.folder.as_posix(),
        "error": outcome.error and {"message": str(outcome.error), "exit_code": outcome.error.exit_code},
        "manifest": outcome.manifest and outcome.manifest.model_dump(mode="json"),
    }


def _print_tables(outcomes: list["Outcome"]) -> None:
    from mobile_export.report.terminal import artifacts_table, failures_table, print_tables, search_lines

    screen = console()
    for outcome in outcomes:
        if outcome.status == "current":
            print(_current_line(outcome))
        elif outcome.manifest is not None:
            screen.print(f"\n{outcome.target}: {outcome.status}" + (f" in {outcome.folder}" if outcome.folder else ""))
            for note in outcome.manifest.source.notes:
                screen.print(f"     note: {note}")
            print_tables(screen, [artifacts_table(outcome.manifest, screen.width), failures_table(outcome.manifest)])
            for line in search_lines(outcome.manifest):
                screen.print(f"     {line}")
