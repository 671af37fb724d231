"""What all commands share: the application, common options, and how they print.

Nothing heavy is imported until a command needs it: `--help` costs a Python start and the command-line framework.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from mobile_export import __version__
from mobile_export.errors import MissingToolError, TargetError

if TYPE_CHECKING:
    from mobile_export.environment import Package
    from mobile_export.planning.devices import Overrides


class _Commands(TyperGroup):
    """Commands, also under the names that the classic tools had."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        old = {"convert_graphdef_memmapped_format": "convert-memmapped"}
        return super().get_command(ctx, old.get(cmd_name, cmd_name.replace("_", "-")))


app = typer.Typer(
    name="mobile-export",
    cls=_Commands,
    help="Turn a trained TensorFlow model into checked files for phone apps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Targets = Annotated[list[Path], typer.Argument(help="Target files.", metavar="TARGET...")]
Out = Annotated[Path, typer.Option(help="Folder for the published targets.")]
Jobs = Annotated[int, typer.Option(min=0, help="Workers at once; 0: one a core.")]
RunsOn = Annotated[
    list[str] | None,
    typer.Option("--runs-on", metavar="DEVICE", help="Run files there, not on the targets' own devices; repeatable."),
]
SkipDevice = Annotated[
    bool, typer.Option("--skip-device", help="Run nothing on devices; the manifest says what was left out.")
]
Format = Annotated[Literal["text", "json"], typer.Option("--format", help="json goes to stdout alone.")]


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


def overrides_of(runs_on: list[str] | None, skip_device: bool) -> "Overrides":
    """What `--runs-on` and `--skip-device` say instead of the target files.

    Raises:
        TargetError: both do.
    """
    from mobile_export.planning.devices import Overrides

    refuse("--skip-device", "runs nothing on devices", {"--runs-on": runs_on if skip_device else None})
    return Overrides(tuple(runs_on) if runs_on else None, skip_device)


def refuse(option: str, does: str, beside: Mapping[str, object]) -> None:
    """Stop where one of these was given as well.

    Raises:
        TargetError: it was.
    """
    given = [name for name, value in beside.items() if value]
    if given:
        raise TargetError(f"{option} {does}, so {', '.join(given)} would do nothing; leave one of them out")


def need(packages: list["Package"]) -> None:
    """Stop when one of these is not installed."""
    missing = [package.name for package in packages if package.version is None]
    if missing:
        raise MissingToolError(f'{", ".join(missing)} missing; run: pip install "mobile-export[convert]"')


def visible(text: str) -> str:
    """Text in which whatever a terminal would obey, or not show, is written as Python has it; lines and tabs stay.

    Names come from models, manifests and folders of others.
    """
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def console() -> Any:
    """Where tables go: as wide as the terminal, or as what a build's log shows."""
    from rich.console import Console

    from mobile_export.report.terminal import WIDE

    class Screen(Console):
        def render(self, *arguments: Any, **options: Any) -> Any:
            for segment in super().render(*arguments, **options):
                yield segment if segment.control else segment._replace(text=visible(segment.text))

    return Screen(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)


def print_json(value: Any) -> None:
    """Plain data on stdout, where nothing else then goes."""
    print(json.dumps(value, indent=2))


def say(text: str) -> None:
    """A result, or a line of it."""
    print(visible(text))


def complain(message: str) -> None:
    """What ended a command, or one of its targets."""
    print(visible(f"error: {message}"), file=sys.stderr)


def warn(message: str) -> None:
    """What did not end it, and should be read."""
    print(visible(f"warning: {message}"), file=sys.stderr)


def remark(message: str) -> None:
    """What is good to know."""
    print(visible(message), file=sys.stderr)


class Progress:
    """Lines on stderr; on a terminal, what is being done turns below them.

    Attributes:
        stages: what is done, with its seconds, in the order in which it ended.
    """

    def __enter__(self) -> "Progress":
        self.stages: list[tuple[str, float]] = []
        self._status: Any = None
        if sys.stderr.isatty():
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False, markup=False)
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def busy(self, names: Sequence[str]) -> None:
        if self._status is not None:
            self._status.update(", ".join(names))

    def done(self, name: str, seconds: float) -> None:
        self.stages.append((name, seconds))
        line = f"{name}  {seconds:.1f} s"
        if self._status is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._console.print(line)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
        if kind is KeyboardInterrupt:
            complain("interrupted; what was published before stays")
