"""What the build of an app needs from us: build phases, plugins, packages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_export.cli.app import say, warn
from mobile_export.errors import TargetError
from mobile_export.locking.lock import FILE_NAME

if TYPE_CHECKING:
    from mobile_export.apps.xcode.file_change import FileChange
    from mobile_export.apps.xcode.phase_source import PhaseSource


def gradle(
    module: Annotated[Path, typer.Argument(help="The folder of the app's module, with its build file.")] = Path(),
    gradle4: Annotated[
        bool, typer.Option("--gradle4", help="For Gradle 4.4 with Android plugin 2.2, which our tests execute.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the file, instead of printing it.")] = False,
) -> None:
    """Give a Gradle build tasks that bring the models of an Android app: a file, and the line that applies it."""
    from mobile_export.apps.gradle import GRADLE_4, GRADLE_8, advice, build_file, gradle_script, write_script
    from mobile_export.formats import FORMATS

    file = GRADLE_4 if gradle4 else GRADLE_8
    suffixes = [each.suffix.removeprefix(".") for each in FORMATS.values() if not each.folder]
    script = gradle_script(file, suffixes)
    if not write:
        print(script, end="")
        return
    say(f"{module / file.name}: {'written' if write_script(file, module, script) else 'as it should be'}")
    say("\n".join(advice(file, build_file(module), suffixes)))


def pack(
    folder: Annotated[Path, typer.Argument(help="A published target, with a swift_module in its [app].")],
    to: Annotated[Path, typer.Option(help="Folder of the package: new, empty, or packed before.")],
    name: Annotated[str | None, typer.Option(help="Of the package. Default: the Swift module's.")] = None,
    shim: Annotated[
        bool, typer.Option("--shim", help="The C target for ONNX Runtime alone, for a package of your own.")
    ] = False,
) -> None:
    """Write a Swift package of a target: its class, its models, and tests with the golden vectors."""
    from mobile_export.apps.pack import pack

    say(f"{to}: {'written' if pack(folder, to, name, shim) else 'as it should be'}")


def xcode(
    project: Annotated[Path | None, typer.Argument(help="A .xcodeproj; default: the one here.")] = None,
    app: Annotated[
        str | None, typer.Option(metavar="NAME", help="Xcode's target that is to have the models; default: the app.")
    ] = None,
    lock_file: Annotated[
        Path | None, typer.Option("--lock", metavar="FILE", help=f"Take what is locked here; default: {FILE_NAME}.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The target of the lock; default: the one with Swift.")] = None,
    build: Annotated[
        Path | None, typer.Option(metavar="TARGET.toml", help="Convert in the build, instead of taking what is locked.")
    ] = None,
    swift: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Put the generated Swift there, for the target to compile.")
    ] = None,
    golden: Annotated[bool, typer.Option("--golden", help="Golden vectors, too: for a target of tests.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write and edit the files, instead of printing.")] = False,
) -> None:
    """Give an Xcode project a build phase that brings its models."""
    from mobile_export.apps.xcode.build_phase import project_changes
    from mobile_export.apps.xcode.phase_source import Taken, locked_source
    from mobile_export.apps.xcode.project import read_project

    if build is not None and (lock_file is not None or target is not None):
        raise TargetError("--build converts, and reads no lock: leave out --lock and --target, or --build")
    taken = Taken(swift, golden)
    source = locked_source(lock_file or Path(FILE_NAME), target, taken) if build is None else _built_source(build)
    project = project or _only_project()
    read = read_project(project)
    changes = project_changes(project, read, app, source, taken)
    for each in read.dangling():
        warn(f"{project}: names an object that it does not have, which Xcode leaves out: {each}")
    _show_or_write(changes, write)


def swiftpm(
    package: Annotated[Path, typer.Argument(help="The folder of a Swift package.")] = Path(),
    write: Annotated[bool, typer.Option("--write", help="Write the files, instead of printing.")] = False,
) -> None:
    """Give a Swift package a build-tool plugin that brings its models and its generated Swift."""
    from mobile_export.apps.xcode.plugin import left_to_do, package_changes

    _show_or_write(package_changes(package), write)
    for each in left_to_do(package):
        say(each)


def _show_or_write(changes: "list[FileChange]", write: bool) -> None:
    for change in changes:
        if write:
            change.write()
            say(f"{change.path}: {'written' if change.needed else 'as it should be'}")
        else:
            say(change.shown)
    if not write:
        say("nothing was written; --write does it")


def _built_source(file: Path) -> "PhaseSource":
    """What a build in the app's build reads and publishes."""
    from mobile_export.apps.xcode.phase_source import PhaseSource
    from mobile_export.building.outputs import outputs_of
    from mobile_export.planning.plan import load_targets
    from mobile_export.planning.reads import reads_of

    ((path, target),) = load_targets([file])
    out = Path()
    paths = [each.relative_to(target.name).as_posix() for each in outputs_of(target, out)]
    return PhaseSource("build", target.name, path, reads_of(path, target).files, tuple(paths))


def _only_project() -> Path:
    found = sorted(Path().glob("*.xcodeproj"))
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "NAME.xcodeproj"
        raise TargetError(f"here are {len(found)} projects of Xcode; say which: {names}")
    return found[0]
