"""Which file a phone should get: a target's candidates, side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mobile_export.cli.app import (
    Format,
    Jobs,
    Progress,
    RunsOn,
    SkipDevice,
    Targets,
    complain,
    console,
    overrides_of,
    print_json,
    remark,
    warn,
)
from mobile_export.cli.caching import bound_own_cache, open_cache
from mobile_export.errors import CheckFailed, ExportError, OutputError, TargetError

if TYPE_CHECKING:
    from mobile_export.compare.compare import Options, Outcome
    from mobile_export.compare.result import Comparison
    from mobile_export.planning.devices import Overrides
    from mobile_export.published.manifest import Manifest

_NAME = "{target}"
"""What stands for the target's name in the name of a report."""


def compare(
    targets: Targets,
    candidates: Annotated[
        str | None,
        typer.Option(
            help="Only these, commas between them: names, formats, precisions, or format:precision. Default: all."
        ),
    ] = None,
    no_timing: Annotated[
        bool, typer.Option("--no-timing", help="Compare sizes and answers alone; nothing is timed.")
    ] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one page with everything.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write tables for a pull request.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all of it as data.")] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="MANIFEST", help="Show what changed since this manifest.json, or its folder; one a target."
        ),
    ] = None,
    fail_on_limits: Annotated[
        bool,
        typer.Option("--fail-on-limits", help="Exit 1 where a file of the target, or one of --candidates, misses one."),
    ] = False,
    pick: Annotated[
        Literal["size", "latency", "accuracy"] | None,
        typer.Option(help="Write the best file in this respect into the target file, of those marked as best."),
    ] = None,
    jobs: Jobs = 0,
    cache: Annotated[
        str | None,
        typer.Option(metavar="FOLDER_OR_URL", help="Where built files are kept and looked for, as in build."),
    ] = None,
    executor: Annotated[
        str | None, typer.Option(help="Where searches try files: dask://HOST:PORT. Default: workers here.")
    ] = None,
    runs_on: RunsOn = None,
    skip_device: SkipDevice = False,
    output: Format = "text",
) -> None:
    """Show every format and precision that a target could ship: size, accuracy, latency, memory, and which are best."""
    reports = {kind: path for kind, path in (("html", html), ("markdown", markdown), ("json", json_file)) if path}
    _check_reports(reports, targets)
    if pick == "latency" and no_timing:
        raise TargetError("--pick latency asks for what --no-timing leaves out; leave one of them out")
    overrides = overrides_of(runs_on, skip_device)
    with Progress() as progress:
        from mobile_export.compare.compare import Options, compare
        from mobile_export.workers import default_jobs

        store = open_cache(cache)
        options = Options(
            tuple(filter(None, map(str.strip, (candidates or "").split(",")))),
            not no_timing,
            jobs or default_jobs(),
            store,
            executor,
            _baselines(baseline or ()),
            progress,
            overrides,
        )
        outcomes = compare(targets, options)
    if store.trouble is not None:
        warn(f"the cache cannot be used: {store.trouble}")
    if store.added and cache is None:
        bound_own_cache()
    _print(outcomes, output)
    errors = [error for kind, path in reports.items() for error in _write_reports(kind, path, outcomes)]
    errors += [error for outcome in outcomes for error in _finish(outcome, options, pick, fail_on_limits)]
    raise typer.Exit(max((error.exit_code for error in errors), default=0))


def _check_reports(reports: dict[str, Path], targets: Sequence[Path]) -> None:
    """Stop before work of minutes where a report cannot be written.

    Raises:
        TargetError: one would hold several targets.
        OutputError: it is a folder.
        MissingToolError: what draws the page is not installed.
    """
    for kind, path in reports.items():
        if len(targets) > 1 and _NAME not in str(path):
            raise TargetError(
                f"--{kind} {path}: would hold one target of {len(targets)}; put {_NAME} into the name, such as "
                f"{path.with_stem(f'{path.stem}-{_NAME}')}"
            )
        if path.is_dir():
            raise OutputError(f"--{kind} {path}: is a folder; name a file in it")
    if "html" in reports:
        from mobile_export.tools import import_tool

        import_tool("vl_convert")


def _baselines(paths: Sequence[Path]) -> dict[str, tuple[str, "Manifest"]]:
    """Manifests by their target, and what they are called.

    Raises:
        TargetError: two are of one target.
        ModelError: one is damaged.
    """
    from mobile_export.published.manifest import load_manifest, read_manifest

    found: dict[str, tuple[str, Manifest]] = {}
    for path in paths:
        manifest = load_manifest(path) if path.is_dir() else read_manifest(path)
        if manifest.target in found:
            raise TargetError(f"--baseline {path}: is one more of target {manifest.target!r}; name one a target")
        found[manifest.target] = (path.as_posix(), manifest)
    return found


def _print(outcomes: Sequence["Outcome"], output: str) -> None:
    if output == "json":
        print_json([_as_json(outcome) for outcome in outcomes])
        return
    for outcome in outcomes:
        if outcome.comparison is not None:
            _print_tables(outcome.comparison)


def _as_json(outcome: "Outcome") -> dict[str, Any]:
    return {
        "target": outcome.target.name,
        "error": outcome.error and {"message": str(outcome.error), "exit_code": outcome.error.exit_code},
        "comparison": outcome.comparison and outcome.comparison.model_dump(mode="json"),
    }


def _print_tables(comparison: "Comparison") -> None:
    from mobile_export.compare.cells import reference_line
    from mobile_export.compare.table import notes, tables
    from mobile_export.report.devices import operator_lines
    from mobile_export.report.terminal import print_tables, search_lines

    screen = console()
    screen.print(f"\n{comparison.target}: {reference_line(comparison)}", soft_wrap=True)
    print_tables(screen, tables(comparison, screen.width))
    lines = *operator_lines(comparison.manifest), *search_lines(comparison.manifest)
    for line in (*lines, *notes(comparison, screen.width)):
        screen.print(f"     {line}")


def _write_reports(kind: str, path: Path, outcomes: Sequence["Outcome"]) -> list[ExportError]:
    """One file a target; what could not be written stops no other."""
    from mobile_export.atomic import replacing

    errors: list[ExportError] = []
    for comparison in filter(None, (outcome.comparison for outcome in outcomes)):
        try:
            with replacing(Path(str(path).replace(_NAME, comparison.target))) as file:
                file.write(_report(kind, comparison).encode())
        except OutputError as error:
            complain(f"--{kind}: {error}")
            errors.append(error)
    return errors


def _report(kind: str, comparison: "Comparison") -> str:
    if kind == "html":
        from mobile_export.compare.page import render

        return render(comparison)
    if kind == "markdown":
        from mobile_export.compare.markdown import markdown

        return markdown(comparison)
    return comparison.model_dump_json(indent=2) + "\n"


def _finish(outcome: "Outcome", options: "Options", pick: Any, fail_on_limits: bool) -> list[ExportError]:
    """Say what went wrong with a target, and pick what was asked for; the errors."""
    errors = [] if outcome.error is None else [outcome.error]
    if outcome.comparison is not None:
        if pick is not None:
            try:
                remark(_picked(outcome, pick, options.overrides))
            except ExportError as wrong:
                errors.append(wrong)
        if fail_on_limits:
            errors += _missed(outcome.comparison, bool(options.candidates))
    for error in errors:
        complain(f"{outcome.target.name}: {error}")
    return errors


def _picked(outcome: "Outcome", by: Any, overrides: "Overrides") -> str:
    """What was picked, and what became of the target file."""
    from mobile_export.compare.pick import choose, write_pick

    if outcome.comparison is None:
        return ""
    chosen = choose(outcome.comparison, by)
    said = f"{outcome.target.name}: the best by {by} is {chosen.name}"
    if chosen.in_target:
        return f"{said}, which the target has already; nothing was changed"
    write_pick(outcome.path, outcome.target, chosen, overrides)
    return f"{said}, which was added to {outcome.path}"


def _missed(comparison: "Comparison", named: bool) -> list[CheckFailed]:
    """Files that somebody asked for, and that missed a limit or could not be made."""
    asked = [candidate for candidate in comparison.candidates if candidate.in_target or named]
    failed = [candidate.name for candidate in asked if not candidate.passed]
    return (
        [CheckFailed(f"{', '.join(failed)} missed a limit or could not be made (--fail-on-limits)")] if failed else []
    )
