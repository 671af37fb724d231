"""Targets in, published files out; and published files looked at again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from mobile_export.cli.app import Format, Jobs, Out, Progress, Targets, complain, console, need, print_json, warn
from mobile_export.errors import CheckFailed

if TYPE_CHECKING:
    from mobile_export.build import Outcome
    from mobile_export.manifest import Manifest


def build(
    targets: Targets,
    out: Out = Path("out"),
    artifact: Annotated[str | None, typer.Option(help="Build this artifact alone.")] = None,
    jobs: Jobs = 0,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build even what is current.")] = False,
    gate: Annotated[
        Literal["closed", "warn"], typer.Option(help="warn: publish what missed a limit, marked.")
    ] = "closed",
    executor: Annotated[
        str | None, typer.Option(help="Where searches try files: dask://HOST:PORT. Default: workers here.")
    ] = None,
    output: Format = "text",
) -> None:
    """Build, check and publish every artifact of the targets."""
    from mobile_export.build import Options, build
    from mobile_export.workers import default_jobs

    with Progress() as progress:
        options = Options(out, artifact, jobs or default_jobs(), not no_cache, gate, executor, progress)
        outcomes = build(targets, options)
    _report(outcomes, output)


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
    folder: Annotated[Path, typer.Argument(help="A published folder, or the folder of several.")],
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Check that published files match their manifest and still give the recorded answers."""
    from mobile_export.verify import published_folders, verify
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
            _warn_of(outcome.manifest)
    raise typer.Exit(max((o.error.exit_code for o in outcomes if o.error is not None), default=0))


def _warn_of(manifest: "Manifest") -> None:
    """What was published, and is not proved to be right."""
    if manifest.gate == "warn":
        warn(f"{manifest.target}: published although limits were missed (--gate warn)")
    for warning in manifest.warnings:
        warn(f"{manifest.target}: {warning}")
    for entry in manifest.artifacts:
        if entry.remark:
            warn(f"{manifest.target}: {entry.name}: {entry.remark}")
        if entry.unchecked:
            warn(f"{manifest.target}: {entry.name} is unchecked: {entry.unchecked}")


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
        if outcome.manifest is not None:
            screen.print(f"\n{outcome.target}: {outcome.status}" + (f" in {outcome.folder}" if outcome.folder else ""))
            for note in outcome.manifest.source.notes:
                screen.print(f"     note: {note}")
            print_tables(screen, [artifacts_table(outcome.manifest, screen.width), failures_table(outcome.manifest)])
            for line in search_lines(outcome.manifest):
                screen.print(f"     {line}")
