"""The command line: parse, call, print. The only place that prints or exits.

Nothing heavy is imported until a command needs it: `--help` costs a Python start and the command-line framework.
"""

import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from mobile_export import __version__
from mobile_export.errors import INTERRUPTED, CheckFailed, ExportError, MissingToolError

if TYPE_CHECKING:
    from mobile_export.build import Outcome
    from mobile_export.environment import Package

app = typer.Typer(
    name="mobile-export",
    help="Turn a trained TensorFlow model into checked files for phone apps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Targets = Annotated[list[Path], typer.Argument(help="Target files.", metavar="TARGET...")]
Out = Annotated[Path, typer.Option(help="Folder for the published targets.")]
Jobs = Annotated[int, typer.Option(min=0, help="Workers at once; 0: one a core.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"mobile-export {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


LOG_WIDTH = 120
"""Columns of tables that go to a file or a build log."""

Format = Annotated[Literal["text", "json"], typer.Option("--format", help="json goes to stdout alone.")]


@app.command()
def build(
    targets: Targets,
    out: Out = Path("out"),
    artifact: Annotated[str | None, typer.Option(help="Build this artifact alone.")] = None,
    jobs: Jobs = 0,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build even what is current.")] = False,
    gate: Annotated[
        Literal["closed", "warn"], typer.Option(help="warn: publish what missed a limit, marked.")
    ] = "closed",
    output: Format = "text",
) -> None:
    """Build, check and publish every artifact of the targets."""
    from mobile_export.build import Options, build
    from mobile_export.workers import default_jobs

    with _Progress() as progress:
        options = Options(out, artifact, jobs or default_jobs(), not no_cache, gate, progress)
        outcomes = build(targets, options)
    _report(outcomes, output)


@app.command()
def demo(
    root: Annotated[Path, typer.Option(help="A clone of the project.")] = Path(),
    out: Out = Path("out"),
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Train the example model if needed, then build both example targets from it."""
    from mobile_export.demo import TARGETS, train_if_needed
    from mobile_export.environment import packages

    _need(packages())
    train_if_needed(root)
    build([root / target for target in TARGETS], out=out, jobs=jobs, output=output)


@app.command()
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
        _print_json({"artifact": artifact.name, "samples": ran.samples, "outputs": ran.summaries()})
        return
    print(f"{artifact.name}: {ran.samples} samples in {ran.runtime}")
    for line in ran.lines():
        print(f"  {line}")


@app.command()
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
        _print_json([vars(finding) for finding in found])
    else:
        for finding in found:
            print(f"{finding.target}/{finding.artifact}: {finding.problem or 'ok'}")
    wrong = [finding for finding in found if finding.problem]
    if wrong:
        raise CheckFailed(
            f"{folder}: {len(wrong)} of {len(found)} files are not as they were published; build them again"
        )


@app.command()
def doctor(output: Format = "text") -> None:
    """Show what is installed, and what is missing."""
    from mobile_export.environment import packages, system

    found = packages()
    if output == "json":
        _print_json({"system": system(), "packages": [vars(package) for package in found]})
    else:
        print("  ".join(f"{key} {value}" for key, value in system().items()))
        for package in found:
            print(f"{package.name:18} {package.version or f'missing: needed for {package.needed_for}'}")
    _need(found)


@app.command()
def schema() -> None:
    """Print the JSON schema of a target file."""
    from mobile_export.plan import choices
    from mobile_export.target import json_schema

    _print_json(json_schema(choices()))


def _need(packages: list["Package"]) -> None:
    missing = [package.name for package in packages if package.version is None]
    if missing:
        raise MissingToolError(f'{", ".join(missing)} missing; run: pip install "mobile-export[convert]"')


def _report(outcomes: list["Outcome"], output: str) -> NoReturn:
    """Print how every target ended, and exit with the worst code."""
    if output == "json":
        _print_json([_as_json(outcome) for outcome in outcomes])
    else:
        _print_tables(outcomes)
    for outcome in outcomes:
        if outcome.error is not None:
            _complain(f"{outcome.target}: {outcome.error}")
        elif outcome.manifest is not None and outcome.manifest.gate == "warn":
            print(f"warning: {outcome.target}: published although limits were missed (--gate warn)", file=sys.stderr)
    raise typer.Exit(max((o.error.exit_code for o in outcomes if o.error is not None), default=0))


def _as_json(outcome: "Outcome") -> dict[str, Any]:
    return {
        "target": outcome.target,
        "status": outcome.status,
        "folder": outcome.folder and outcome.folder.as_posix(),
        "error": outcome.error and {"message": str(outcome.error), "exit_code": outcome.error.exit_code},
        "manifest": outcome.manifest and outcome.manifest.model_dump(mode="json"),
    }


def _print_tables(outcomes: list["Outcome"]) -> None:
    from rich.console import Console

    from mobile_export.report.terminal import artifacts_table, failures_table, print_tables

    console = Console(highlight=False, width=None if sys.stdout.isatty() else LOG_WIDTH)
    for outcome in outcomes:
        if outcome.manifest is not None:
            console.print(f"\n{outcome.target}: {outcome.status}" + (f" in {outcome.folder}" if outcome.folder else ""))
            for note in outcome.manifest.source.notes:
                console.print(f"     note: {note}")
            print_tables(console, [artifacts_table(outcome.manifest, console.width), failures_table(outcome.manifest)])


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _complain(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)


class _Progress:
    """Lines on stderr; on a terminal, what is being done turns below them."""

    def __enter__(self) -> "_Progress":
        self._status: Any = None
        if sys.stderr.isatty():
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False)
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def busy(self, names: Sequence[str]) -> None:
        if self._status is not None:
            self._status.update(", ".join(names))

    def done(self, name: str, seconds: float) -> None:
        line = f"{name}  {seconds:.1f} s"
        if self._status is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._console.print(line)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
        if kind is KeyboardInterrupt:
            _complain("interrupted; what was published before stays")


def main() -> None:
    """Entry point: errors become one message and their exit code."""
    from mobile_export.workers import WorkerBug

    try:
        app()
    except ExportError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except WorkerBug as error:
        _complain(f"this is a bug of mobile-export; please report it:\n{error}")
        sys.exit(ExportError.exit_code)
    except Exception:  # noqa: BLE001  the last resort: a bug of ours has its own code
        _complain(f"this is a bug of mobile-export; please report it:\n{traceback.format_exc()}")
        sys.exit(ExportError.exit_code)
