"""What is installed, what a target may say, and what a phone's TensorFlow has."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_export.cli.app import Format, Jobs, need, print_json, say
from mobile_export.cli.devices import as_json, in_short
from mobile_export.errors import CheckFailed

if TYPE_CHECKING:
    from mobile_export.devices.survey import Survey
    from mobile_export.environment import Package


def doctor(output: Format = "text") -> None:
    """Show which we are, what is installed, and what is missing."""
    from mobile_export.environment import code_version, packages, system

    found = packages()
    if output == "json":
        listed = [vars(package) for package in found]
        print_json({"version": code_version(), "system": system(), "packages": listed, **_devices(found, as_json)})
    else:
        say(f"mobile-export {code_version()}")
        say("  ".join(f"{key} {value}" for key, value in system().items()))
        for package in found:
            say(f"{package.name:18} {package.version or f'missing: needed for {package.needed_for}'}")
        for kind, line in _devices(found, in_short).get("devices", {}).items():
            say(f"{kind + ' device':18} {line}")
    need(found)


def _devices(found: "list[Package]", shown: "Callable[[Survey], Any]") -> dict[str, Any]:
    """What there is of devices, which only matters where files can be built."""
    if any(package.version is None for package in found):
        return {}
    from mobile_export.devices.survey import survey

    return {"devices": {"arm64": shown(survey(test=False))}}


def schema() -> None:
    """Print the JSON schema of a target file."""
    from mobile_export.planning.plan import choices
    from mobile_export.target import json_schema

    print_json(json_schema(choices()))


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
        print_json(found.as_json())
    else:
        say("\n".join(found.lines()))
    if found.lacks:
        raise CheckFailed(f"{found.runtime} lacks {found.lacks} of what {', '.join(map(str, files))} needs")
    if header is not None:
        found.write_header(header)
