"""Devices: setting up what runs files on other processors, and what there is."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_export.cli.app import Format, Progress, need, print_json, say, warn
from mobile_export.errors import MissingToolError, TargetError

if TYPE_CHECKING:
    from mobile_export.devices.survey import Survey

device = typer.Typer(help="Set up what runs files as other processors would.", no_args_is_help=True)


@device.callback()
def _need_packages() -> None:
    from mobile_export.environment import packages

    need(packages())


_NATIVE = "this is an ARM computer: its own runtimes are those of phones, and nothing has to be set up"

Kind = Annotated[str, typer.Argument(help="The kind of device: arm64.")]


def _check(kind: str) -> None:
    """See that it is one that is set up."""
    from mobile_export.devices.installation import KIND

    if kind != KIND:
        raise TargetError(f"{kind}: no kind of device that is set up; name {KIND}")


@device.command()
def install(
    kind: Kind,
    sysroot: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Has lib/ld-linux-aarch64.so.1 and the C library, where apt-get cannot bring them."
        ),
    ] = None,
    output: Format = "text",
) -> None:
    """Set up emulated arm64 cores in your cache, without root; what is there and right stays."""
    from mobile_export.devices.emulator import REMEDY
    from mobile_export.devices.installation import install, is_native, states
    from mobile_export.devices.survey import Survey, answers

    _check(kind)
    begun, found = time.monotonic(), Survey(native=True)
    if not is_native():
        with Progress() as progress:
            made = install(progress.busy, progress.done, sysroot)
            found = Survey(parts=states(), cores=answers(made, progress.busy, progress.done))
    seconds = time.monotonic() - begun
    if output == "json":
        print_json({kind: {**as_json(found), "seconds": round(seconds, 1)}})
    else:
        say("\n".join([*lines(found), f"done in {seconds:.1f} s"]))
    if found.cores and not found.usable:
        raise MissingToolError(f"no core can be used: {found.cores[0].problem}; {REMEDY}")


@device.command(name="list")
def show(output: Format = "text") -> None:
    """Show which devices targets can name, and whether they can be used."""
    from mobile_export.devices.installation import KIND
    from mobile_export.devices.survey import survey

    found = survey(test=True)
    if output == "json":
        print_json({KIND: as_json(found)})
        return
    say("\n".join(lines(found)))
    if found.problem:
        warn(found.problem)


@device.command()
def remove(kind: Kind, output: Format = "text") -> None:
    """Remove the set-up."""
    from mobile_export.devices.installation import folder, remove
    from mobile_export.report.terminal import format_bytes

    _check(kind)
    removed = remove()
    if output == "json":
        print_json({kind: {"folder": folder().as_posix(), "removed": removed}})
    else:
        say(f"{folder()}: {f'{format_bytes(removed)} removed' if removed else 'nothing was there'}")


def as_json(found: "Survey") -> dict[str, Any]:
    """All that was found, as plain data."""
    from mobile_export.devices.installation import folder

    parts = {part.name: {"version": part.version, "bytes": part.bytes, "problem": part.problem} for part in found.parts}
    return {
        "native": found.native,
        "folder": None if found.native else folder().as_posix(),
        "problem": found.problem,
        "bytes": found.bytes,
        "parts": parts,
        "cores": {answer.core: {"problem": answer.problem} for answer in found.cores},
    }


def lines(found: "Survey") -> Iterator[str]:
    """The same for people."""
    from mobile_export.devices.cores import CORES
    from mobile_export.devices.installation import KIND, folder
    from mobile_export.report.terminal import format_bytes

    if found.native:
        yield f"{KIND}: {_NATIVE}"
        return
    yield f"{KIND}: {format_bytes(found.bytes)} in {folder()}"
    for part in found.parts:
        yield f"  {part.title:14} {part.version or '':14} {format_bytes(part.bytes):>8}  {part.problem or 'ok'}"
    for answer in found.cores:
        does = f"not usable: {answer.problem}" if answer.problem else f"ok: {CORES[answer.core].about}"
        yield f"  {KIND}:{answer.core:14} {does}"


def in_short(found: "Survey") -> str:
    """The same in a line or two, for the list of all that is installed."""
    from mobile_export.devices.installation import COMMAND
    from mobile_export.report.terminal import format_bytes

    if found.native:
        return _NATIVE
    if not any(part.version for part in found.parts):
        return f"not set up: {COMMAND}"
    if found.problem:
        return found.problem
    versions = ", ".join(f"{part.title} {part.version}" for part in found.parts)
    return f"{format_bytes(found.bytes)}: {versions}; cores: {', '.join(found.usable) or 'none that computes right'}"
