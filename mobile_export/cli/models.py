"""Models and what was made of them, looked into: what one is, a first target for it, where a file errs."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mobile_export.cli.app import Format, Jobs, Progress, console, print_json, say

if TYPE_CHECKING:
    from mobile_export.target import Model

# What a model needs besides its path, as [model] of a target has it.
ModelPath = Annotated[Path, typer.Argument(help="Checkpoint prefix, file or folder.", metavar="MODEL")]
Checkpoint = Annotated[Path | None, typer.Option(help="Checkpoint with the weights of a GraphDef that has none.")]
MovingAverage = Annotated[bool, typer.Option("--moving-average", help="Take moving averages instead of weights.")]
Tags = Annotated[str | None, typer.Option(help="Tag set of a SavedModel, commas between tags.")]
Signature = Annotated[str | None, typer.Option(help="Signature of a SavedModel.")]
Trusted = Annotated[bool, typer.Option("--trusted", help="Run code that a Keras file carries.")]
CustomObjects = Annotated[str | None, typer.Option(help="Custom layers of a Keras file: module:dict.")]
Builder = Annotated[str | None, typer.Option(help="Makes the model of a file with weights alone: module:function.")]


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
    with Progress() as progress:
        found = inspect_model(described, {} if no_convert else FLOAT32, jobs or default_jobs(), progress)
    if output == "json":
        print_json(inspection_json(found))
    else:
        say("\n".join(inspection_lines(found)))


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
    with Progress() as progress:
        started = start(described, path, name, platform, jobs or default_jobs(), progress)
    if output == "json":
        print_json({"target": started.name, "file": path.as_posix(), "artifacts": list(started.artifacts)})
    else:
        say(
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
    samples: Annotated[
        int | None, typer.Option(min=1, help="How many of them are run; default: 32, and 4 with --device.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Show the operators that compute something else there instead, such as arm64:cortex-a53."),
    ] = None,
    output: Format = "text",
) -> None:
    """Show where a quantized file errs: each layer against the float file, worst first, and why."""
    from mobile_export.explanation.explain import explain_file
    from mobile_export.explanation.report import heading, layers_table, notes, reasons_table
    from mobile_export.report.terminal import print_tables

    if device is not None:
        _explain_on_device(artifact, device, against, target, data, samples, output)
        return
    with Progress() as progress:
        found = explain_file(artifact, against, target, data, samples, progress)
    if output == "json":
        print_json(found.as_json())
        return
    screen = console()
    screen.print(heading(found), soft_wrap=True)
    print_tables(screen, [layers_table(found), reasons_table(found)])
    for note in notes(found):
        screen.print(f"note: {note}", soft_wrap=True)


def _explain_on_device(
    artifact: Path,
    device: str,
    against: Path | None,
    target: Path | None,
    data: Path | None,
    samples: int | None,
    output: str,
) -> None:
    from mobile_export.errors import TargetError
    from mobile_export.explanation.on_device import explain_on_device
    from mobile_export.explanation.report import device_heading, device_notes, operators_table
    from mobile_export.report.terminal import print_tables

    if against is not None:
        raise TargetError("--device compares a file with itself; leave out --against")
    with Progress() as progress:
        found = explain_on_device(artifact, device, target, data, samples, progress)
    if output == "json":
        print_json(found.as_json())
        return
    screen = console()
    screen.print(device_heading(found), soft_wrap=True)
    print_tables(screen, [operators_table(found)])
    for note in device_notes(found):
        screen.print(f"note: {note}", soft_wrap=True)
