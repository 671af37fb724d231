"""Published files looked at again: their answers, and whether they are as they were."""

from pathlib import Path
from typing import Annotated

import typer

from mobile_export.cli.app import Format, Jobs, print_json, say, warn
from mobile_export.cli.locking import OnlyKinds, OnlyTargets, verify_locked
from mobile_export.errors import CheckFailed, TargetError
from mobile_export.locking.lock import FETCHED


def run(
    artifact: Annotated[Path, typer.Argument(help="A file that build wrote.")],
    data: Annotated[Path, typer.Option(help="Inputs: an .npz with one array per public input, samples first.")],
    samples: Annotated[int | None, typer.Option(min=1, help="How many of them; default: all.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write all answers to this .npz.")] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Run it there and compare: arm64:CORE such as arm64:cortex-a53, or adb, a connected phone."),
    ] = None,
    output: Format = "text",
) -> None:
    """Run a built file on given inputs, in the runtime that the phone uses: here, or on a device."""
    from mobile_export.run import run_file

    ran = run_file(artifact, data, samples, save, device)
    if output == "json":
        where = {"artifact": artifact.name, "device": device, "runtime": ran.runtime}
        print_json({**where, "samples": ran.samples, "outputs": ran.summaries()})
        return
    say(f"{artifact.name}: {ran.samples} samples in {ran.runtime}")
    for line in ran.lines():
        say(f"  {line}")


def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help=f"A published folder, or the folder of several; with --lock, what fetch filled ({FETCHED})."
        ),
    ] = None,
    lock: Annotated[
        Path | None, typer.Option(help="Check against this lock file instead: hashes alone, nothing is run.")
    ] = None,
    targets: OnlyTargets = None,
    kinds: OnlyKinds = None,
    jobs: Jobs = 0,
    output: Format = "text",
) -> None:
    """Check that published files match their manifest and still give the recorded answers."""
    if lock is not None:
        verify_locked(folder or Path(FETCHED), lock, targets, kinds, output)
        return
    if folder is None or targets or kinds:
        raise TargetError("name a published folder; or --lock FILE, to which --target and --kind belong")
    from mobile_export.published.integrity import published_folders
    from mobile_export.published.manifest import load_manifest
    from mobile_export.verify import verify
    from mobile_export.workers import default_jobs

    folders = published_folders(folder)
    found = [finding for each in folders for finding in verify(each, jobs or default_jobs())]
    if output == "json":
        print_json([vars(finding) for finding in found])
    else:
        for finding in found:
            say(f"{finding.target}/{finding.file}: {finding.problem or finding.unchecked or 'ok'}")
    for manifest in map(load_manifest, folders):
        for said in manifest.skipped:
            warn(f"{manifest.target}: {said}")
    wrong = [finding for finding in found if finding.problem]
    if wrong:
        raise CheckFailed(
            f"{folder}: {len(wrong)} of {len(found)} files are not as they were published; build them again"
        )
