"""Targets in, published files out; and what other build systems want to know of that."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from mobile_export.cli.app import (
    Format,
    Jobs,
    Out,
    Progress,
    RunsOn,
    SkipDevice,
    Targets,
    complain,
    console,
    need,
    overrides_of,
    print_json,
    refuse,
    say,
    visible,
    warn,
)
from mobile_export.cli.caching import bound_own_cache, open_cache
from mobile_export.errors import TargetError

if TYPE_CHECKING:
    from mobile_export.building.build import Outcome
    from mobile_export.planning.devices import Overrides


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
    runs_on: RunsOn = None,
    skip_device: SkipDevice = False,
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
        if print_inputs and print_outputs:
            raise TargetError("--print-inputs and --print-outputs are two lists; ask for one at a time")
        beside: dict[str, object] = {
            "--artifact": artifact,
            "--jobs": jobs,
            "--cache": cache,
            "--no-cache": no_cache,
            "--gate": gate == "warn",
            "--executor": executor,
            "--runs-on": runs_on,
            "--skip-device": skip_device,
            "--depfile": depfile,
        }
        refuse("--print-inputs" if print_inputs else "--print-outputs", "builds nothing", beside)
        _print_files(targets, out if print_outputs else None, output)
        return
    refuse("--no-cache", "builds without what is kept", {"--cache": cache if no_cache else None})
    overrides = overrides_of(runs_on, skip_device)
    store = open_cache(cache)
    with Progress() as progress:
        from mobile_export.workers import default_jobs, prepare_server

        prepare_server()  # TensorFlow takes seconds to import; our own modules, reading and hashing come beside it
        from mobile_export.building.build import build
        from mobile_export.building.making import Options

        options = Options(
            out, artifact, jobs or default_jobs(), not no_cache, store, gate, executor, progress, overrides=overrides
        )
        outcomes = build(targets, options)
    if store.trouble is not None:
        warn(f"the cache cannot be used: {store.trouble}")
    if store.added and cache is None:
        bound_own_cache()
    if depfile is not None and not any(outcome.error for outcome in outcomes):
        _write_depfile(depfile, outcomes)
    if output == "text" and not no_cache and store.trouble is None:
        _remember(outcomes, depfile, overrides)
    _report(outcomes, output, progress.stages)


def _print_files(targets: Sequence[Path], out: Path | None, output: str) -> None:
    """What is published in `out`; without it, what is read."""
    from mobile_export.building.listing import list_files, record_list

    listed = list_files(targets, out)
    if output == "json":
        print_json([path.as_posix() for path in listed])
        return
    for path in listed:
        say(str(path))
    if _is_command():
        record_list(sys.argv[1:], targets, out, listed)


def _write_depfile(path: Path, outcomes: Sequence["Outcome"]) -> None:
    from mobile_export.atomic import replacing
    from mobile_export.building.depfile import depfile, shown
    from mobile_export.planning.reads import reads_of

    plans = [outcome.planned for outcome in outcomes if outcome.planned]
    read = [file for planned in plans for file in reads_of(planned.path, planned.target).files]
    folders = [outcome.folder.absolute() for outcome in outcomes if outcome.folder]
    published = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    with replacing(path) as file:
        file.write(depfile(shown(published), shown(read)).encode())


def _remember(outcomes: Sequence["Outcome"], depfile: Path | None, overrides: "Overrides") -> None:
    """Let the next run of this command be answered from a record."""
    if _is_command():
        from mobile_export.building.record import record

        lines = [("out", _current_line(outcome)) for outcome in outcomes]
        warnings = [f"warning: {text}" for each in outcomes for text in _warnings_of(each)]
        more = [] if depfile is None else [depfile]
        printed = [*lines, *(("err", warning) for warning in warnings)]
        record(sys.argv[1:], outcomes, [(stream, visible(line)) for stream, line in printed], more, overrides)


def _is_command() -> bool:
    """Whether `build` is what the user called: other commands that build have no record."""
    return sys.argv[1:2] == ["build"]


def _current_line(outcome: "Outcome") -> str:
    count = len(outcome.manifest.artifacts) if outcome.manifest else 0
    return f"{outcome.target}: current in {outcome.folder} ({count} {'artifact' if count == 1 else 'artifacts'})"


def demo(
    root: Annotated[Path, typer.Option(help="A clone of the project.")] = Path(),
    out: Out = Path("out"),
    jobs: Jobs = 0,
    runs_on: RunsOn = None,
    skip_device: SkipDevice = False,
    output: Format = "text",
) -> None:
    """Train the example model if needed, then build both example targets from it."""
    from mobile_export.demo import TARGETS, train_if_needed
    from mobile_export.environment import packages

    need(packages())
    train_if_needed(root)
    targets = [root / target for target in TARGETS]
    build(targets, out=out, jobs=jobs, runs_on=runs_on, skip_device=skip_device, output=output)


def _report(outcomes: list["Outcome"], output: str, stages: Sequence[tuple[str, float]]) -> NoReturn:
    """Print how every target ended, and exit with the worst code."""
    if output == "json":
        print_json([_as_json(outcome, stages) for outcome in outcomes])
    else:
        _print_tables(outcomes)
    for outcome in outcomes:
        if outcome.error is not None:
            complain(f"{outcome.target}: {outcome.error}")
            continue
        for warning in _warnings_of(outcome):
            warn(warning)
    raise typer.Exit(max((o.error.exit_code for o in outcomes if o.error is not None), default=0))


def _warnings_of(outcome: "Outcome") -> list[str]:
    """What was published, and is not proved to be right."""
    from mobile_export.planning.devices import left_out

    manifest = outcome.manifest
    if manifest is None:
        return []
    found = ["published although limits were missed (--gate warn)"] if manifest.gate == "warn" else []
    found += manifest.warnings
    for entry in manifest.artifacts:
        found += [f"{entry.name}: {entry.remark}"] if entry.remark else []
        found += [f"{entry.name} is unchecked: {entry.unchecked}"] if entry.unchecked else []
    found += manifest.skipped
    found += left_out(outcome.planned.target) if outcome.planned else []
    return [f"{manifest.target}: {warning}" for warning in found]


def _as_json(outcome: "Outcome", stages: Sequence[tuple[str, float]]) -> dict[str, Any]:
    mine = f"{outcome.target}: "
    return {
        "target": outcome.target,
        "status": outcome.status,
        "folder": outcome.folder and outcome.folder.as_posix(),
        "error": outcome.error and {"message": str(outcome.error), "exit_code": outcome.error.exit_code},
        "stages": [
            {"name": name.removeprefix(mine), "seconds": round(seconds, 3)}
            for name, seconds in stages
            if name.startswith(mine)
        ],
        "manifest": outcome.manifest and outcome.manifest.model_dump(mode="json"),
    }


def _print_tables(outcomes: list["Outcome"]) -> None:
    from mobile_export.planning.devices import core_lines
    from mobile_export.report.devices import devices_table, disagreement_lines, operator_lines
    from mobile_export.report.terminal import artifacts_table, failures_table, print_tables, search_lines

    screen = console()
    for outcome in outcomes:
        if outcome.status == "current":
            say(_current_line(outcome))
        elif outcome.manifest is not None:
            screen.print(f"\n{outcome.target}: {outcome.status}" + (f" in {outcome.folder}" if outcome.folder else ""))
            for note in outcome.manifest.source.notes:
                screen.print(f"     note: {note}")
            made = outcome.manifest
            tables = [artifacts_table(made, screen.width), devices_table(made, screen.width)]
            print_tables(screen, [*tables, failures_table(made)])
            lines = [*operator_lines(made), *core_lines(made), *disagreement_lines(made), *search_lines(made)]
            for line in lines:
                screen.print(f"     {line}")
