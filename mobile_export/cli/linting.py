"""Which operators of built files a phone's fast paths would leave to the CPU."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mobile_export.cli.app import Format, Jobs, Progress, console, print_json
from mobile_export.errors import CheckFailed, TargetError, nearest

ANY = "any"


def lint(
    artifacts: Annotated[
        list[Path], typer.Argument(help="Files that build wrote, or published folders.", metavar="ARTIFACT...")
    ],
    platform: Annotated[
        Literal["android", "ios", "any"] | None,
        typer.Option(help="Where they run; default: as the target of a published folder says, else any."),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(help="Delegates that have to take all operators, commas between them, or any; exit 1 otherwise."),
    ] = None,
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Show which operators the fast paths of a phone (XNNPACK, GPU, NNAPI, Core ML, NPUs) would not take, and why."""
    from mobile_export.lint import DELEGATES, survey_files
    from mobile_export.lint.files import files_of
    from mobile_export.lint.report import as_json, delegates_table, findings_table, heading, notes
    from mobile_export.report.terminal import print_tables
    from mobile_export.workers import default_jobs

    wanted = _wanted(fail_on, list(DELEGATES))
    files = files_of(artifacts, platform)
    with Progress() as progress:
        found = survey_files(files, jobs or default_jobs(), progress)
    asked = {survey.delegate for surveys in found for survey in surveys}
    if not wanted <= asked:
        unasked = ", ".join(sorted(wanted - asked))
        raise TargetError(f"--fail-on {unasked}: none of these files is one for it; name others, or another --platform")
    if output == "json":
        print_json({"files": [as_json(file, surveys) for file, surveys in zip(files, found, strict=True)]})
    else:
        screen = console()
        for file, surveys in zip(files, found, strict=True):
            screen.print(heading(file, surveys), soft_wrap=True)
            print_tables(screen, [delegates_table(surveys), findings_table(surveys)])
            for note in notes(surveys):
                screen.print(f"note: {note}", soft_wrap=True)
    failed = [
        f"{survey.delegate} leaves {len(survey.findings)} of {survey.operators} operators of {file.path}"
        for file, surveys in zip(files, found, strict=True)
        for survey in surveys
        if survey.findings and (survey.delegate in wanted or fail_on == ANY)
    ]
    if failed:
        raise CheckFailed("; ".join(failed))


def _wanted(fail_on: str | None, known: list[str]) -> set[str]:
    """The delegates that are named; none where any is meant."""
    names = [] if fail_on in (None, ANY) else [name.strip() for name in (fail_on or "").split(",")]
    for name in names:
        if name not in known:
            raise TargetError(
                f"--fail-on: there is no delegate {name!r}{nearest(name, known) or ''}; known: {', '.join(known)}, any"
            )
    return set(names)
