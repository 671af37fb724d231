"""The command line: parse, call, print. The only place that prints or exits.

Nothing heavy is imported until a command needs it: `--help` costs a Python start and the command-line framework.
"""

import json
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperGroup

from mobile_export import __version__
from mobile_export.errors import INTERRUPTED, CheckFailed, ExportError, MissingToolError

if TYPE_CHECKING:
    from mobile_export.build import Outcome
    from mobile_export.classic.changes import Changes
    from mobile_export.classic.flags import Flags, Kind
    from mobile_export.environment import Package
    from mobile_export.manifest import Manifest
    from mobile_export.target import Model


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

# What a model needs besides its path, as [model] of a target has it.
ModelPath = Annotated[Path, typer.Argument(help="Checkpoint prefix, file or folder.", metavar="MODEL")]
Checkpoint = Annotated[Path | None, typer.Option(help="Checkpoint with the weights of a GraphDef that has none.")]
MovingAverage = Annotated[bool, typer.Option("--moving-average", help="Take moving averages instead of weights.")]
Tags = Annotated[str | None, typer.Option(help="Tag set of a SavedModel, commas between tags.")]
Signature = Annotated[str | None, typer.Option(help="Signature of a SavedModel.")]
Trusted = Annotated[bool, typer.Option("--trusted", help="Run code that a Keras file carries.")]
CustomObjects = Annotated[str | None, typer.Option(help="Custom layers of a Keras file: module:dict.")]
Builder = Annotated[str | None, typer.Option(help="Makes the model of a file with weights alone: module:function.")]


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
    executor: Annotated[
        str | None, typer.Option(help="Where searches try files: dask://HOST:PORT. Default: workers here.")
    ] = None,
    output: Format = "text",
) -> None:
    """Build, check and publish every artifact of the targets."""
    from mobile_export.build import Options, build
    from mobile_export.workers import default_jobs

    with _Progress() as progress:
        options = Options(out, artifact, jobs or default_jobs(), not no_cache, gate, executor, progress)
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
            print(f"{finding.target}/{finding.artifact}: {finding.problem or finding.unchecked or 'ok'}")
    wrong = [finding for finding in found if finding.problem]
    if wrong:
        raise CheckFailed(
            f"{folder}: {len(wrong)} of {len(found)} files are not as they were published; build them again"
        )


@app.command()
def explain(
    artifact: Annotated[Path, typer.Argument(help="A .tflite or .onnx file that build wrote.")],
    against: Annotated[
        Path | None, typer.Option(help="The float32 file; default: that of the published folder, or one of --target.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="The target that it was built from: brings samples, and the float32 file.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Inputs as the file takes them; default: the target's, or those recorded beside the file."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="How many of them are run; default: 32.")] = None,
    output: Format = "text",
) -> None:
    """Show where a quantized file errs: each layer against the float file, worst first, and why."""
    from mobile_export.explanation.explain import explain_file
    from mobile_export.explanation.report import heading, layers_table, notes, reasons_table
    from mobile_export.report.terminal import print_tables

    with _Progress() as progress:
        found = explain_file(artifact, against, target, data, samples, progress)
    if output == "json":
        _print_json(found.as_json())
        return
    console = _console()
    console.print(heading(found), soft_wrap=True)
    print_tables(console, [layers_table(found), reasons_table(found)])
    for note in notes(found):
        console.print(f"note: {note}", soft_wrap=True)


@app.command()
def inspect(
    model: ModelPath,
    checkpoint: Checkpoint = None,
    moving_average: MovingAverage = False,
    tags: Tags = None,
    signature: Signature = None,
    trusted: Trusted = False,
    custom_objects: CustomObjects = None,
    builder: Builder = None,
    no_convert: Annotated[bool, typer.Option("--no-convert", help="Only look; try no format.")] = False,
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Show what a model is: inputs and outputs, the network in it, and which formats can hold it."""
    from mobile_export.inspection.inspect import FLOAT32, inspect_model
    from mobile_export.inspection.report import inspection_json, inspection_lines
    from mobile_export.workers import default_jobs

    described = _model(
        model, checkpoint, moving_average, tags, signature, trusted, custom_objects, builder, folder=Path()
    )
    with _Progress() as progress:
        found = inspect_model(described, {} if no_convert else FLOAT32, jobs or default_jobs(), progress)
    if output == "json":
        _print_json(inspection_json(found))
    else:
        print("\n".join(inspection_lines(found)))


@app.command()
def init(
    model: ModelPath,
    out: Annotated[Path | None, typer.Option(help="The target file; default: NAME.toml, in targets/ if there.")] = None,
    platform: Annotated[Literal["android", "ios", "any"], typer.Option(help="Where the app runs.")] = "any",
    name: Annotated[str | None, typer.Option(help="The target's name; default: as the model's file.")] = None,
    checkpoint: Checkpoint = None,
    moving_average: MovingAverage = False,
    tags: Tags = None,
    signature: Signature = None,
    trusted: Trusted = False,
    custom_objects: CustomObjects = None,
    builder: Builder = None,
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Write a target file for a model that builds as it is, with comments on what else there is."""
    from mobile_export.inspection.starter import file_for, name_for, start
    from mobile_export.workers import default_jobs

    name = name_for(model) if name is None else name
    path = file_for(name) if out is None else out
    described = _model(
        model, checkpoint, moving_average, tags, signature, trusted, custom_objects, builder, folder=path.parent
    )
    with _Progress() as progress:
        started = start(described, path, name, platform, jobs or default_jobs(), progress)
    if output == "json":
        _print_json({"target": started.name, "file": path.as_posix(), "artifacts": list(started.artifacts)})
    else:
        print(
            f"{path}: {len(started.artifacts)} artifacts; build them with: mobile-export build {shlex.quote(str(path))}"
        )


def _model(
    source: Path,
    checkpoint: Path | None,
    moving_average: bool,
    tags: str | None,
    signature: str | None,
    trusted: bool,
    custom_objects: str | None,
    builder: str | None,
    folder: Path,
) -> "Model":
    """What the options of a command say of its model; Python code is looked for in `folder`."""
    from mobile_export.inspection.inspect import model_of

    keys = {
        "checkpoint": checkpoint,
        "moving_average": moving_average,
        "tags": None if tags is None else tuple(filter(None, tags.split(","))),
        "signature": signature,
        "trusted": trusted,
        "custom_objects": custom_objects,
        "builder": builder,
    }
    return model_of(source, keys, folder.absolute())


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
def kernels(
    files: Annotated[list[Path], typer.Argument(help="Files of the formats graphdef and memmapped, or other graphs.")],
    against: Annotated[
        str | None, typer.Option(help="The phone's TensorFlow: the name of a list, or a list or ops_to_register.h.")
    ] = None,
    header: Annotated[Path | None, typer.Option(help="Write an ops_to_register.h for a selective build here.")] = None,
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Show which of TensorFlow's kernels files need, and which of them the phone's TensorFlow lacks."""
    from mobile_export.kernels.survey import survey
    from mobile_export.workers import default_jobs

    found = survey(files, against, jobs or default_jobs())
    if output == "json":
        _print_json(found.as_json())
    else:
        print("\n".join(found.lines()))
    if found.lacks:
        raise CheckFailed(f"{found.runtime} lacks {found.lacks} of what {', '.join(map(str, files))} needs")
    if header is not None:
        found.write_header(header)


_CLASSIC = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command("freeze-graph", context_settings=_CLASSIC, add_help_option=False)
def freeze_graph(context: typer.Context) -> None:
    """Turn the variables of a graph into constants, as TensorFlow's freeze_graph does, with its flags."""
    from mobile_export.classic.freeze_graph import FreezeGraph, freeze_graph

    flags = _classic(FreezeGraph, context.args)
    frozen = freeze_graph(flags)
    print(f"{frozen.ops} ops in the final graph.", file=sys.stderr)
    if flags.format == "json":
        _print_json({"output_graph": frozen.path.as_posix(), "ops": frozen.ops, "bytes": frozen.size})


@app.command("optimize-for-inference", context_settings=_CLASSIC, add_help_option=False)
def optimize_for_inference(context: typer.Context) -> None:
    """Remove what only training needs and fold batch norms, as TensorFlow's optimize_for_inference does."""
    from mobile_export.classic.optimize_for_inference import OptimizeForInference, optimize_for_inference

    flags = _classic(OptimizeForInference, context.args)
    _print_changes(optimize_for_inference(flags), flags)


@app.command("convert-memmapped", context_settings=_CLASSIC, add_help_option=False)
def convert_memmapped(context: typer.Context) -> None:
    """Put large constants where TensorFlow maps them, as convert_graphdef_memmapped_format does, with its flags."""
    from mobile_export.classic.convert_memmapped import ConvertMemmapped, convert_memmapped

    flags = _classic(ConvertMemmapped, context.args)
    _print_changes(convert_memmapped(flags), flags)


@app.command("quantize-graph", context_settings=_CLASSIC, add_help_option=False)
def quantize_graph(context: typer.Context) -> None:
    """Make a graph's weights or calculations coarser, as TensorFlow's quantize_graph does, with its flags."""
    from mobile_export.classic.quantize_graph import QuantizeGraph, quantize_graph

    flags = _classic(QuantizeGraph, context.args)
    _print_changes(quantize_graph(flags), flags)


@app.command("transform-graph", context_settings=_CLASSIC, add_help_option=False)
def transform_graph(context: typer.Context) -> None:
    """Rewrite a graph by a list of transforms, as TensorFlow's Graph Transform Tool does, with its flags."""
    from mobile_export.classic.transform_graph import TransformGraph, known_transforms, transform_graph

    flags = _classic(TransformGraph, context.args, known_transforms)
    _print_changes(transform_graph(flags), flags)


def _print_changes(changes: "Changes", flags: "Flags") -> None:
    for note in changes.notes:
        print(f"note: {note}", file=sys.stderr)
    if flags.format == "json":
        _print_json(changes.as_json())
    else:
        print("\n".join(changes.lines()))


def _classic(kind: type["Kind"], arguments: list[str], more: Callable[[], str] = str) -> "Kind":
    """The flags of a classic tool, or its help, with what it has `more` to say."""
    from mobile_export.classic.flags import explain, parse

    if {"-h", "-help", "--help"} & set(arguments):
        print("\n".join(filter(None, [explain(kind), more()])))
        raise typer.Exit
    return parse(kind, arguments)


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
        elif outcome.manifest is not None:
            _warn(outcome.manifest)
    raise typer.Exit(max((o.error.exit_code for o in outcomes if o.error is not None), default=0))


def _warn(manifest: "Manifest") -> None:
    """What was published, and is not proved to be right."""
    if manifest.gate == "warn":
        print(f"warning: {manifest.target}: published although limits were missed (--gate warn)", file=sys.stderr)
    for warning in manifest.warnings:
        print(f"warning: {manifest.target}: {warning}", file=sys.stderr)
    for entry in manifest.artifacts:
        if entry.remark:
            print(f"warning: {manifest.target}: {entry.name}: {entry.remark}", file=sys.stderr)
        if entry.unchecked:
            print(f"warning: {manifest.target}: {entry.name} is unchecked: {entry.unchecked}", file=sys.stderr)


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

    console = _console()
    for outcome in outcomes:
        if outcome.manifest is not None:
            console.print(f"\n{outcome.target}: {outcome.status}" + (f" in {outcome.folder}" if outcome.folder else ""))
            for note in outcome.manifest.source.notes:
                console.print(f"     note: {note}")
            print_tables(console, [artifacts_table(outcome.manifest, console.width), failures_table(outcome.manifest)])
            for line in search_lines(outcome.manifest):
                console.print(f"     {line}")


def _console() -> Any:
    from rich.console import Console

    from mobile_export.report.terminal import WIDE

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)


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

            self._console = Console(stderr=True, highlight=False, markup=False)
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
