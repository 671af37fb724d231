"""What the build of an app needs from us: build phases, plugins, packages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobile_export.cli.app import warn
from mobile_export.errors import TargetError
from mobile_export.locking.lock import FILE_NAME

if TYPE_CHECKING:
    from mobile_export.apps.xcode import Source


def gradle(
    module: Annotated[Path, typer.Argument(help="The folder of the app's module, with its build file.")] = Path(),
    gradle4: Annotated[
        bool, typer.Option("--gradle4", help="For Gradle 4.4 with Android plugin 2.2, which our tests execute.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the file, instead of printing it.")] = False,
) -> None:
    """Give a Gradle build tasks that bring the models of an Android app: a file, and the line that applies it."""
    from mobile_export.apps.gradle import GRADLE_4, TODAY, advice, build_file, gradle_script, write_script
    from mobile_export.formats import FORMATS

    file = GRADLE_4 if gradle4 else TODAY
    suffixes = [each.suffix.removeprefix(".") for each in FORMATS.values() if not each.folder]
    script = gradle_script(file, suffixes)
    if not write:
        print(script, end="")
        return
    path = write_script(file, module, script)
    print(f"{path}: written")
    print("\n".join(advice(file, build_file(module), suffixes)))


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

    print(f"{to}: {'written' if pack(folder, to, name, shim) else 'as it should be'}")


def xcode(
    project: Annotated[Path | None, typer.Argument(help="A .xcodeproj; default: the one here.")] = None,
    app: Annotated[
        str | None, typer.Option(metavar="NAME", help="Xcode's target that is to have the models; default: the app.")
    ] = None,
    lock_file: Annotated[Path, typer.Option("--lock", help="The lock file.")] = Path(FILE_NAME),
    target: Annotated[str | None, typer.Option(help="The target of the lock; default: the one with Swift.")] = None,
    build: Annotated[
        Path | None, typer.Option(metavar="TARGET.toml", help="Convert in the build, instead of taking what is locked.")
    ] = None,
    swift: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Put the generated Swift there, for the target to compile.")
    ] = None,
    golden: Annotated[bool, typer.Option("--golden", help="Golden vectors, too: for a target of tests.")] = False,
    package: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A Swift package, to have a build-tool plugin.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write and edit the files, instead of printing.")] = False,
) -> None:
    """Give an Xcode project a build phase, or a Swift package a plugin, that brings its models."""
    from mobile_export.apps.xcode import Wanted, locked_source, package_changes, project_changes
    from mobile_export.apps.xcode.project import read_project

    if package is not None:
        changes = package_changes(package)
    else:
        wanted = Wanted(swift, golden)
        source = locked_source(lock_file, target, wanted) if build is None else _built_source(build)
        project = project or _only_project()
        changes = project_changes(project, app, source, wanted)
        for each in read_project(project).dangling():
            warn(f"{project}: names an object that it does not have, which Xcode leaves out: {each}")
    for change in changes:
        if write:
            change.write()
            print(f"{change.path}: {'written' if change.needed else 'as it should be'}")
        else:
            print(change.shown)
    if not write:
        print("nothing was written; --write does it")


def _built_source(file: Path) -> "Source":
    """What a build in the app's build reads and publishes."""
    from mobile_export.apps.xcode import Source
    from mobile_export.incremental.outputs import outputs_of
    from mobile_export.incremental.reads import reads_of
    from mobile_export.plan import load_targets

    ((path, target),) = load_targets([file])
    out = Path()
    paths = [each.relative_to(target.name).as_posix() for each in outputs_of(target, out)]
    return Source("build", target.name, path, reads_of(path, target).files, tuple(paths))


def _only_project() -> Path:
    found = sorted(Path().glob("*.xcodeproj"))
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "NAME.xcodeproj"
        raise TargetError(f"here are {len(found)} projects of Xcode; say which: {names}")
    return found[0]
